"""Filters as dicts, with the operators of Chroma, become SQL conditions with bound parameters.

    {"lang": "de", "year": {"$gte": 2020, "$lt": 2024}}                 all of them
    {"$or": [{"lang": {"$in": ["de", "fr"]}}, {"tags": {"$contains": "poetry"}}]}

$eq $ne $gt $gte $lt $lte $in $nin $contains $not_contains, $and $or $not, and $exists. A record without a value is different from
every value: $ne, $nin and $not_contains match it, nothing else does. None stands for such a record: {"lang": None}.

A value is of the attribute's type, or the filter is a TypeError: numbers (no bools) for int and real, texts for text, bools (or 0 and 1) for bool,
bytes for blob. Of tags and json there are $contains, $not_contains, $exists and None. NaN is equal to nothing, and refused.
Names are quoted and values are bound, so nothing in a dict is read as SQL.
"""
from __future__ import annotations

from typing import Any

from ._arrays import describe, numbers_of
from ._columns import (BLOB, BOOL, INT, INT_MAX, INT_MIN, JSON, REAL, TAGS, TEXT, TYPE_NAMES, Spelling, encode, list_of, plain, texts_of)
from ._library import api

# What values of an attribute can be compared with.
COMPARABLE = {INT: (int, float), REAL: (int, float), TEXT: (str,), BOOL: (bool, int), BLOB: (bytes, bytearray)}
WORDS = {INT: "a number", REAL: "a number", TEXT: "a text", BOOL: "a bool", BLOB: "bytes"}
COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
OPERATORS = ("$eq", "$ne", *COMPARISONS, "$in", "$nin", "$contains", "$not_contains", "$exists")
DEPTH_MAX = 16  # of conditions in each other: before the library's own limit, whose message would tell places in an SQL text nobody has written


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Condition:
    """An SQL condition in the making, and the values of its parameters."""

    def __init__(self, types: dict[str, int]) -> None:
        self.types = types
        self.spelling = Spelling(types)
        self.values: list[Any] = []

    def bind(self, value: Any) -> str:
        self.values.append(value)
        return f"?{len(self.values)}"

    def of_dict(self, where: Any, name: str, depth: int = 0) -> Any:
        if depth > DEPTH_MAX:
            raise ValueError(f"{name.partition('[')[0]}: conditions are more than {DEPTH_MAX} deep in each other")
        if not isinstance(where, dict):
            raise TypeError(f"{name} is {describe(where)}, not a dict of conditions")
        parts = [self.of_entry(key, value, name, depth) for key, value in where.items()]
        return " and ".join(parts) if parts else "1"

    def of_entry(self, key: Any, value: Any, name: str, depth: int) -> Any:
        if not isinstance(key, str):
            raise TypeError(f"{name} has the key {key!r}, which is no text")
        label = f"{name}[{key!r}]"
        if key in ("$and", "$or"):
            if not isinstance(value, (list, tuple)) or not value:
                raise TypeError(f"{label} is no list of conditions")
            word = f" {key[1:]} "
            return "(" + word.join("(" + self.of_dict(part, label, depth + 1) + ")" for part in value) + ")"
        if key == "$not":
            # A condition on a missing value is NULL, and is not fulfilled: its opposite is.
            return "not coalesce(" + self.of_dict(value, label, depth + 1) + ", 0)"
        if key.startswith("$"):
            raise ValueError(f"{name}: there is no operator {key}; there are $and, $or and $not here")
        key = self.spelling.of(key)
        if key not in self.types:
            raise ValueError(f"{name} names {key!r}; the collection has {', '.join(sorted(self.types))}")
        if isinstance(value, dict) and any(isinstance(part, str) and part.startswith("$") for part in value):
            return "(" + " and ".join(self.of_operator(key, operator, part, label) for operator, part in value.items()) + ")"
        if isinstance(value, dict):
            raise ValueError(f"{label} is a dict without an operator")
        return self.of_operator(key, "$eq", value, label)

    def of_operator(self, attribute: str, operator: str, value: Any, label: str) -> Any:
        column, kind = quote(attribute), self.types[attribute]
        label = f"{label}[{operator!r}]"
        if operator == "$exists":
            if plain(value) not in (True, False):
                raise TypeError(f"{label} is {describe(value)}, not a bool")
            return f"{column} is {'not ' if value else ''}null"
        if operator in ("$contains", "$not_contains"):
            if kind not in (TAGS, JSON, TEXT):
                raise TypeError(f"{label}: the attribute is of type {TYPE_NAMES[kind]}; {operator} is for text, tags and json")
            value = plain(value)
            if not isinstance(value, (str, int, float) if kind == JSON else str):
                raise TypeError(f"{label} is {describe(value)}, not a text{' or a number' if kind == JSON else ''}")
            value = self.bind(checked(value, label))
            found = f"{column} has {value}" if kind in (TAGS, JSON) else f"instr({column}, {value}) > 0"
            return found if operator == "$contains" else f"not coalesce({found}, 0)"
        if operator in ("$in", "$nin"):
            values = [typed(part, kind, f"{label}[{i}]") for i, part in enumerate(list_of(value, label))]
            return self.of_list(column, values, operator == "$nin")
        if operator in COMPARISONS:
            if value is None:
                raise ValueError(f"{label} is None, which is neither more nor less than anything")
            return f"{column} {COMPARISONS[operator]} {self.bind(typed(value, kind, label))}"
        if operator in ("$eq", "$ne"):
            if value is None:
                return f"{column} is {'not ' if operator == '$ne' else ''}null"
            equal = f"{column} = {self.bind(typed(value, kind, label))}"
            return equal if operator == "$eq" else f"({column} is null or {column} <> ?{len(self.values)})"
        raise ValueError(f"{label}: there is no such operator; there are {', '.join(OPERATORS)}")

    def of_list(self, column: str, values: Any, negative: Any) -> Any:
        present = [value for value in values if value is not None]
        if not present:
            found = "0"
        elif all(isinstance(value, int) for value in present) or all(isinstance(value, str) for value in present):
            found = f"{column} in {self.bind(present)}"
        else:
            found = f"{column} in ({', '.join(self.bind(value) for value in present)})"
        if len(present) < len(values):
            found = f"({found} or {column} is null)"
        return f"not coalesce({found}, 0)" if negative else found


def typed(value: Any, kind: int, name: str) -> Any:
    """A value that an attribute of this type can be compared with; None is one."""
    value = plain(value)
    if kind not in COMPARABLE:
        raise TypeError(f"{name}: the attribute is of type {TYPE_NAMES[kind]}; it has $contains, $not_contains and $exists")
    if value is None:
        return None
    fits = isinstance(value, COMPARABLE[kind]) and (kind == BOOL or not isinstance(value, bool)) and (kind != BOOL or value in (0, 1))
    if not fits:
        raise TypeError(f"{name} is {describe(value)}, not {WORDS[kind]} as the attribute")
    return checked(value, name)


def checked(value: Any, name: str) -> Any:
    """A value that can be bound, as the messages here name it."""
    if isinstance(value, str):
        encode(value, name)
    elif isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        raise ValueError(f"{name} is {value:.6g}: out of range of 64 bits" if abs(value) < 1 << 1000 else f"{name} is out of range of 64 bits")
    elif isinstance(value, float) and value != value:
        raise ValueError(f"{name} is NaN, which nothing is equal to; None stands for a missing value")
    return value


def says_nothing(where: Any) -> bool:
    """Is no attribute named anywhere in it?"""
    if isinstance(where, (list, tuple)):
        return all(map(says_nothing, where))
    return isinstance(where, dict) and all(key in ("$and", "$or", "$not") and says_nothing(value) for key, value in where.items())


def sql_of(where: Any, types: dict[str, int]) -> tuple[str, Any]:
    """(condition, values) of a filter: a dict, a text of SQL, or a pair of such a text and its parameters."""
    if isinstance(where, dict):
        condition = Condition(types)
        text = condition.of_dict(where, "where")
        return text, condition.values
    if isinstance(where, str):
        return where, ()
    if isinstance(where, tuple) and len(where) == 2 and isinstance(where[0], str):
        return where[0], where[1]
    raise TypeError(f"where is {describe(where)}, not a dict, a text of SQL, or a pair (SQL, parameters)")


def bind(query: Any, values: Any, name: str) -> None:
    """Binds the parameters of a filter: a list for ?1, ?2, ...; a dict for :name."""
    if isinstance(values, dict):
        for parameter, value in values.items():
            if not isinstance(parameter, str):
                raise TypeError(f"{name} has the key {parameter!r}, which is no text")
            numbers = [api.quern_query_parameter(query, encode(prefix + parameter, name)) for prefix in ("", ":", "@", "$")]
            number = next((number for number in numbers if number), 0)
            if number == 0:
                raise ValueError(f"{name}[{parameter!r}]: the filter has no such parameter")
            bind_value(query, number, value, f"{name}[{parameter!r}]")
        return
    for i, value in enumerate(list_of(values, name) if not isinstance(values, tuple) else values):
        bind_value(query, i + 1, value, f"{name}[{i}]")


def bind_value(query: Any, number: Any, value: Any, name: str) -> None:
    value = plain(value)
    if value is None:
        api.quern_query_bind_null(query, number)
    elif isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise ValueError(f"{name} is {value}: out of range of 64 bits")
        api.quern_query_bind_int(query, number, value)
    elif isinstance(value, float):
        if value != value:
            raise ValueError(f"{name} is NaN, which SQLite has not; None stands for a missing value")
        api.quern_query_bind_real(query, number, value)
    elif isinstance(value, str):
        api.quern_query_bind_text(query, number, encode(value, name))
    elif isinstance(value, (bytes, bytearray)):
        api.quern_query_bind_blob(query, number, bytes(value), len(value))
    else:
        bind_list(query, number, value, name)


def bind_list(query: Any, number: Any, values: Any, name: str) -> None:
    values = list_of(sorted(values, key=repr) if isinstance(values, (set, frozenset)) else values, name)
    if values and isinstance(values[0], str):
        api.quern_query_bind_texts(query, number, texts_of(values, name), len(values))
        return
    for i, value in enumerate(values):
        if not isinstance(plain(value), int):
            raise TypeError(f"{name}[{i}] is {describe(value)}; a list holds whole numbers, or texts")
    block = numbers_of([plain(value) for value in values], "q", name)
    api.quern_query_bind_ints(query, number, block.address, len(values))


def set_assignments(built: Any, assignments: Any, where: Any, params: Any, schema: Any) -> None:
    """The filter, what is set, and the parameters of both, for quern_query_update."""
    values: Any = []
    if where is not None:
        text, values = sql_of(where, schema.types())
        if values and params is not None:
            raise ValueError("params and where both have values")
        api.quern_query_filter(built.handle, encode(text, "where"))
    values = params if params is not None else list(values)
    if isinstance(assignments, dict):
        if isinstance(values, dict):
            raise TypeError("assignments is a dict: give params as a list")
        values, parts = list(values), []
        known = Spelling(schema.attributes)
        for name, value in known.respelled(assignments, "assignments").items():
            label = f"assignments[{name!r}]"
            if isinstance(value, float) and value != value:
                raise ValueError(f"{label} is NaN; None stands for a missing value")
            if schema.attributes.get(name) == TAGS and isinstance(value, (list, tuple, set)) and not value:
                raise ValueError(f"{label} is empty")
            values.append(value)
            parts.append(f"{quote(encode(name, label).decode())} = ?{len(values)}")
        assignments = ", ".join(parts)
    api.quern_query_set(built.handle, encode(assignments, "assignments"))
    bind(built.handle, values, "params")

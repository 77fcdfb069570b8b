"""Conditions over the metadata of documents, as SQL over the attributes that documents.py makes of them.

Metadata stand whole in the json attribute "metadata"; numbers, texts, bools and lists of texts stand beside it, in attributes, for filters to find
them quickly. A condition is about an attribute where that tells the whole truth, and about the json where it does not: a name that has no attribute,
a value of another type than it, whole numbers from 2^53 on, whose attribute is rounded. That is slower, a look at the metadata of every document.
"""
from __future__ import annotations

from typing import Any

from .._arrays import describe
from .._columns import BOOL, INT_MAX, INT_MIN, REAL, TAGS, TEXT, list_of, plain
from .._filters import COMPARISONS, OPERATORS, quote

PREFIX = "meta."
SPELLED = "case."  # and the name in hexadecimal: of names that are another one's but for upper and lower case
EXACT = 2 ** 53  # below it a whole number is a real one, too
DEPTH_MAX = 10
NUMBERS = "('integer', 'real')"  # as json_each calls them
LARGEST = 1.7976931348623157e308
NOTHING: Any = ("or", [])  # a condition that no document fulfils


def tree_of(where: Any, depth: int = 0) -> Any:
    """A dict with Chroma's operators as a tree of ("and", parts), ("or", parts), ("not", part) and ("is", name, operator, value)."""
    if depth > DEPTH_MAX:
        raise ValueError(f"filter: conditions are more than {DEPTH_MAX} deep in each other")
    if not isinstance(where, dict):
        raise TypeError(f"filter is {describe(where)}, not a dict of conditions")
    parts: list[Any] = []
    for key, value in where.items():
        if key in ("$and", "$or"):
            if not isinstance(value, (list, tuple)) or not value:
                raise TypeError(f"filter[{key!r}] is no list of conditions")
            parts.append((key[1:], [tree_of(part, depth + 1) for part in value]))
        elif key == "$not":
            parts.append(("not", tree_of(value, depth + 1)))
        elif isinstance(key, str) and key.startswith("$"):
            raise ValueError(f"filter: there is no operator {key}; there are $and, $or and $not here")
        elif isinstance(value, dict) and value and all(isinstance(part, str) and part.startswith("$") for part in value):
            parts += [("is", str(key), operator, part) for operator, part in value.items()]
        elif isinstance(value, dict):
            raise ValueError(f"filter[{key!r}] is a dict without an operator, or with more than operators")
        else:
            parts.append(("is", str(key), "$eq", value))
    return ("and", parts)


def names_nothing(tree: Any) -> bool:
    """Is no name in it?"""
    return tree[0] != "is" and all(map(names_nothing, tree[1] if isinstance(tree[1], list) else [tree[1]]))


def attribute_of(name: str, known: Any) -> str | None:
    """The attribute that a name of the metadata has, or None."""
    return next((attribute for attribute in (PREFIX + name, spelled(name)) if attribute in known), None)


def spelled(name: str) -> str:
    return SPELLED + name.encode("utf-8", "replace").hex()


class Condition:
    """A tree as SQL: text and values. known: {attribute: type}."""

    def __init__(self, tree: Any, known: Any) -> None:
        self.known = known
        self.values: list[Any] = []
        self.text = self.sql(tree)

    def bind(self, value: Any) -> str:
        self.values.append(value)
        return f"?{len(self.values)}"

    def sql(self, tree: Any) -> Any:
        if tree[0] == "is":
            return self.one(*tree[1:])
        if tree[0] == "not":
            return f"not coalesce({self.sql(tree[1])}, 0)"
        if not tree[1]:
            return "1" if tree[0] == "and" else "0"
        return f" {tree[0]} ".join("(" + self.sql(part) + ")" for part in tree[1])

    def one(self, name: str, operator: str, value: Any) -> Any:
        label = f"filter[{name!r}][{operator!r}]"
        value = plain(value)
        if operator in ("$exists", "$empty") or value is None and operator in ("$eq", "$ne"):
            there = operator == "$exists" and bool(value) or operator == "$ne"
            empty = " and not (entry.type = 'array' and entry.value = '[]')" if operator == "$empty" else ""
            found = self.json(name, "entry.type <> 'null'" + empty)
            return found if there else f"not {found}"
        if operator in ("$in", "$nin"):
            found = self.among(name, [checked(plain(part), f"{label}[{i}]") for i, part in enumerate(list_of(value, label))])
            return f"({found})" if operator == "$in" else f"not coalesce(({found}), 0)"
        if operator == "$contains_folded":
            return self.contains_folded(name, checked(value, label), label)
        if operator in ("$contains", "$not_contains"):
            found = self.contains(name, checked(value, label), label)
            return found if operator == "$contains" else f"not coalesce({found}, 0)"
        if operator == "$eq":
            return self.compared(name, "=", checked(value, label))
        if operator == "$ne":
            return f"not coalesce({self.compared(name, '=', checked(value, label))}, 0)"
        if operator not in COMPARISONS:
            raise ValueError(f"{label}: there is no such operator; there are {', '.join(OPERATORS)}")
        if value is None or isinstance(value, bool):
            raise ValueError(f"{label} is {value}, which is neither more nor less than anything")
        return self.compared(name, COMPARISONS[operator], checked(value, label))

    def among(self, name: str, values: Any) -> Any:
        """Is it one of these?"""
        attribute = attribute_of(name, self.known) or ""
        kind = None if not attribute else self.known[attribute]
        texts = [value for value in values if isinstance(value, str)]
        numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
        parts = [self.compared(name, "=", value) for value in {value for value in values if isinstance(value, bool)}]
        if None in values:
            parts.append(self.one(name, "$eq", None))
        if texts:
            parts.append(f"{quote(attribute)} in {self.bind(texts)}" if kind == TEXT else self.json(name, f"entry.type = 'text' and entry.atom in {self.listed(texts)}"))
        if numbers:
            quick = kind == REAL and all(abs(value) < EXACT for value in numbers)
            parts.append(f"{quote(attribute)} in {self.listed(numbers)}" if quick else self.json(name, f"entry.type in {NUMBERS} and entry.atom in {self.listed(numbers)}"))
        return " or ".join(parts) or "0"

    def listed(self, values: Any) -> str:
        return f"({', '.join(map(self.bind, values))})"

    def compared(self, name: str, sign: str, value: Any) -> Any:
        attribute = attribute_of(name, self.known) or ""
        if attribute and self.known[attribute] == quick_kind(value):
            return f"{quote(attribute)} {sign} {self.bind(value)}"
        if isinstance(value, bool):
            return self.json(name, f"entry.type = {self.bind('true' if value else 'false')}")
        kinds = "entry.type = 'text'" if isinstance(value, str) else f"entry.type in {NUMBERS}"
        return self.json(name, f"{kinds} and entry.atom {sign} {self.bind(value)}")

    def contains(self, name: str, value: Any, label: str) -> Any:
        """A text that is in a text, or a value in a list."""
        if not isinstance(value, (str, int, float)):
            raise TypeError(f"{label} is {describe(value)}, not a text, a number or a bool")
        attribute = attribute_of(name, self.known) or ""
        kind = None if not attribute or not isinstance(value, str) else self.known[attribute]
        if kind in (TAGS, TEXT):
            column, bound = quote(attribute), self.bind(value)
            found = f"{column} has {bound}" if kind == TAGS else f"instr({column}, {bound}) > 0"
            return f"({found} or {column} is null and {self.contained(name, value)})"  # texts under some documents' name, lists under others'
        return self.contained(name, value)

    def contains_folded(self, name: str, value: Any, label: str) -> Any:
        """A text that is in a text, or in a list, in upper or lower case."""
        if not isinstance(value, str):
            raise TypeError(f"{label} is {describe(value)}, not a text")
        bound = self.bind(value.lower())
        inside = "exists (select 1 from json_each(case entry.type when 'array' then entry.value else '[]' end) as item where item.type = 'text' and " \
            f"{self.lower('item.atom', value)} = {bound})"
        return self.json(name, f"(entry.type = 'text' and instr({self.lower('entry.atom', value)}, {bound}) > 0 or {inside})")

    def lower(self, text: str, wanted: str) -> str:
        """A text of SQL in lower case, as far as letters of `wanted` are in it: SQLite's lower() knows those of ASCII alone."""
        made = f"lower({text})"
        for letter in sorted(set(wanted.lower())):
            if letter > "\x7f" and len(letter.upper()) == 1 and letter.upper() != letter:
                made = f"replace({made}, {self.bind(letter.upper())}, {self.bind(letter)})"
        return made

    def contained(self, name: str, value: Any) -> Any:
        """The same, by the json."""
        bound = self.bind(value if not isinstance(value, bool) else "true" if value else "false")
        if isinstance(value, bool):
            item = f"item.type = {bound}"
        else:
            item = ("item.type = 'text'" if isinstance(value, str) else f"item.type in {NUMBERS}") + f" and item.atom = {bound}"
        inside = f"exists (select 1 from json_each(case entry.type when 'array' then entry.value else '[]' end) as item where {item})"
        if isinstance(value, str):
            inside = f"(entry.type = 'text' and instr(entry.atom, {bound}) > 0 or {inside})"
        return self.json(name, inside)

    def json(self, name: str, condition: Any) -> str:
        """The value of that name in the json fulfils a condition over its key, type, value and atom."""
        return f"exists (select 1 from json_each(metadata) as entry where entry.key = {self.bind(name)} and {condition})"


def quick_kind(value: Any) -> Any:
    """The type of the attribute that tells the truth about this value; None: none does."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, str):
        return TEXT
    return REAL if abs(value) < EXACT else None


def checked(value: Any, label: str) -> Any:
    """A value as it can be bound."""
    if value is None or isinstance(value, (bool, str)):
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{label} holds a NUL character")
        return value
    if not isinstance(value, (int, float)):
        raise TypeError(f"{label} is {describe(value)}, not a number, a text, a bool or None")
    if value != value:
        raise ValueError(f"{label} is NaN, which nothing is equal to")
    return value if isinstance(value, float) or INT_MIN <= value <= INT_MAX else real_of(value)


def real_of(value: Any) -> Any:
    """The real number that is nearest to a whole one, however large."""
    try:
        return float(value)
    except OverflowError:
        return LARGEST if value > 0 else -LARGEST

"""What comes back: rows with an id, values, and after a search a distance and a score.
The library's table is read where it lies, when somebody asks. Arrays of numpy's that come from here keep the table alive.
"""
from __future__ import annotations

import array
import ctypes
import json
import operator
import struct
import sys
from collections.abc import Sequence
from typing import Any, overload

from . import _arrays
from ._arrays import BF16, BIT, ELEMENT_BYTES, F16, F32, I8
from ._columns import BLOB, BOOL, DENSE, INT, JSON, REAL, SPARSE, TAGS, TEXT, TYPE_NAMES
from ._errors import call
from ._library import api
from ._process import Owner

EXACT, DEGRADED, UNREFINED, MEMORY, PARTIAL = 1, 2, 4, 8, 16
STATS = {"bytes_read": 1, "vectors_scored": 2, "vectors_refined": 3, "vectors_read": 4, "memory_needed": 5, "recall": 6, "matches": 7,
         "nulls": 8, "values": 9, "lists": 10, "hits": 11, "looked_up": 12, "left_out": 13, "postings": 14, "blocks": 15, "blocks_opened": 16,
         "cells_opened": 17, "cells_passed": 18, "cells_guided": 19, "total_ns": 20, "filter_ns": 21, "search_ns": 22, "refine_ns": 23,
         "lookup_ns": 24, "fuse_ns": 25, "fetch_ns": 26, "chunks_read": 27, "pages_cached": 28, "vectors_cached": 29, "scored_by_walks": 30,
         "scored_by_codes": 31, "scored_in_cells": 32}
NUMPY_TYPES = {F32: "f4", F16: "f2", BF16: "u2", I8: "i1", BIT: "u1"}
FREE_RESULT, KEYS_INT, DISTANCES, SCORES = api.quern_result_free, api.quern_result_keys_int, api.quern_result_distances, api.quern_result_scores
FEW = 1024


class Numpy:
    """What the quick ways want of numpy, from the first array on."""

    frombuffer: Any = None
    i8: Any = None
    f4: Any = None


class Memory:
    """BYTES_AT[start:stop] is a copy of these bytes of the process."""

    def __getitem__(self, span: Any) -> Any:
        return ctypes.string_at(span.start, span.stop - span.start)


BYTES_AT: Any = Memory()
if hasattr(ctypes, "pythonapi") and sys.maxsize > 2 ** 32:  # a quarter of the time of ctypes.string_at
    BYTES_AT = (ctypes.c_char * sys.maxsize).from_address(0)


class Table(Owner):
    """A quern_result, freed with the last that looks at it. keyed: has it keys? (Facets and SQL have none.)"""

    __slots__ = ("handle", "keyed", "text_keys", "columns_", "wholes", "__weakref__")

    def __init__(self, handle: Any, keyed: Any) -> None:
        self.handle = handle
        self.keyed = keyed

    def __del__(self, free: Any = FREE_RESULT) -> None:
        free(self.handle)

    def __getattr__(self, name: str) -> Any:
        """What is only known when somebody asks for the first time: most results are read by ids and distances alone.

        text_keys: are its keys texts? None: it has none. The result is asked: its collection may have been made anew since it was opened.
        columns_: [(name, type)]
        wholes: columns that have been read, for the next query of the same search"""
        handle = self.handle
        if name == "text_keys":
            self.text_keys = api.quern_result_key_type(handle) == TEXT if self.keyed else None
        elif name == "columns_":
            names = [api.quern_result_column_name(handle, i).decode() for i in range(api.quern_result_columns(handle))]
            self.columns_ = [(name, api.quern_result_column_type(handle, i)) for i, name in enumerate(distinct(names))]
        elif name == "wholes":
            self.wholes: dict[Any, Any] = {}
        return object.__getattribute__(self, name)

    def columns(self) -> list[tuple[str, int]]:
        """[(name, type)]; of columns with one name (SQL) the second is called NAME_2."""
        return self.columns_

    # ---- Of a row: these and those below are what _copies.CopiedTable has, too.

    def key(self, row: int) -> Any:
        handle, texts = self.handle, self.text_keys
        return None if texts is None else api.quern_result_key_text(handle, row).decode() if texts else api.quern_result_key_int(handle, row)

    def distance(self, row: int) -> Any:
        return api.quern_result_distance(self.handle, row)

    def score(self, row: int) -> Any:
        return api.quern_result_score(self.handle, row)

    def group(self, row: int) -> Any:
        return api.quern_result_group(self.handle, row)

    def leg_scores(self, row: int) -> Any:
        return [api.quern_result_leg_score(self.handle, row, leg) for leg in range(api.quern_result_legs(self.handle))]

    def leg_parts(self, row: int) -> Any:
        return [api.quern_result_leg_part(self.handle, row, leg) for leg in range(api.quern_result_legs(self.handle))]

    # ---- Of a span of rows, as columns

    def keys(self, start: int, stop: int) -> Any:
        first, count = KEYS_INT(self.handle), stop - start
        if first and Numpy.frombuffer is not None and 0 < count <= FEW:
            return Numpy.frombuffer(BYTES_AT[first + 8 * start:first + 8 * stop], Numpy.i8)
        if first or not self.text_keys:
            return self.numbers((first or 0) + 8 * start, count, "i8", ctypes.c_int64)
        if not count:
            return []
        texts: Any = (ctypes.c_char_p * count).from_address(api.quern_result_keys_text(self.handle) + start * ctypes.sizeof(ctypes.c_void_p))
        return [key.decode() for key in texts]

    def distances(self, start: int, stop: int) -> Any:
        first = DISTANCES(self.handle)
        if Numpy.frombuffer is not None and 0 < stop - start <= FEW:
            return Numpy.frombuffer(BYTES_AT[first + 4 * start:first + 4 * stop], Numpy.f4)
        return self.numbers((first or 0) + 4 * start, stop - start, "f4", ctypes.c_float)

    def scores(self, start: int, stop: int) -> Any:
        first = SCORES(self.handle)
        if Numpy.frombuffer is not None and 0 < stop - start <= FEW:
            return Numpy.frombuffer(BYTES_AT[first + 4 * start:first + 4 * stop], Numpy.f4)
        return self.numbers((first or 0) + 4 * start, stop - start, "f4", ctypes.c_float)

    # ---- Of the whole

    def offsets(self, queries: int) -> Any:
        return (ctypes.c_size_t * (queries + 1)).from_address(api.quern_result_offsets(self.handle))[:]

    def flags(self) -> Any:
        return api.quern_result_flags(self.handle)

    def bookmark(self) -> Any:
        text = api.quern_result_bookmark(self.handle)
        return None if text is None else text.decode()

    def stats(self) -> Any:
        return {name: api.quern_result_stat(self.handle, number) for name, number in STATS.items()}

    def leg_stats(self) -> Any:
        return [{name: api.quern_result_leg_stat(self.handle, leg, number) for name, number in STATS.items()}
                for leg in range(api.quern_result_legs(self.handle))]

    def value(self, row: int, column: int, kind: int) -> Any:
        """The value of a cell, or None."""
        handle = self.handle
        kind = api.quern_result_type(handle, row, column) if kind != DENSE and kind != SPARSE else kind
        if kind == 0:
            return None
        if kind in READERS:
            return READERS[kind](handle, row, column)
        raise TypeError(f"a value of type {kind}, which this version does not know")

    def numbers(self, pointer: int, count: int, kind: str, c_type: Any) -> Any:
        """Numbers that lie in the table as an array of numpy's that cannot be written, or as a list. Few are copied, which is quicker than a
        tie to the table (keys, distances and scores do that themselves, in one step: most searches end there)."""
        numpy = _arrays.numpy_of()
        if numpy is None:
            return (c_type * count).from_address(pointer)[:] if count else []
        if Numpy.frombuffer is None:
            Numpy.i8, Numpy.f4, Numpy.frombuffer = numpy.dtype("i8"), numpy.dtype("f4"), numpy.frombuffer
        if 0 < count <= FEW:
            return numpy.frombuffer(BYTES_AT[pointer:pointer + count * ctypes.sizeof(c_type)], kind)
        if not count:
            return numpy.empty(0, kind)
        owner = (c_type * count).from_address(pointer)
        owner.table = self  # whoever holds the array holds the table
        made = numpy.frombuffer(owner, kind)
        made.flags.writeable = False
        return made

    def whole_column(self, column: int, kind: int) -> Any:
        """The values of all rows of an int, bool, real or text column, and a byte for each that tells whether it is there; None for
        columns of other kinds."""
        if column not in self.wholes:
            self.wholes[column] = self.read_column(column, kind)
        return self.wholes[column]

    def read_column(self, column: int, kind: int) -> Any:
        handle = self.handle
        rows = api.quern_result_rows(handle)
        valid = ctypes.create_string_buffer(max(rows, 1))
        if kind in (INT, BOOL, REAL):
            values = ((ctypes.c_double if kind == REAL else ctypes.c_int64) * max(rows, 1))()
            (api.quern_result_column_real if kind == REAL else api.quern_result_column_int)(handle, column, values, valid)
            return values, valid.raw[:rows]
        if kind in (TEXT, JSON, TAGS, BLOB):
            offsets = (ctypes.c_int64 * (rows + 1))()
            api.quern_result_column_text(handle, column, offsets, None, valid)
            data = ctypes.create_string_buffer(max(offsets[rows], 1))
            api.quern_result_column_text(handle, column, None, data, None)
            return (offsets, data.raw[:offsets[rows]]), valid.raw[:rows]
        return None

    def whole_matrix(self, column: int) -> Any:
        """(bytes of all rows of a dense column, element type, bytes of a row, a byte for each that tells whether it is there)"""
        if ("matrix", column) not in self.wholes:
            self.wholes["matrix", column] = self.read_matrix(column)
        return self.wholes["matrix", column]

    def read_matrix(self, column: int) -> Any:
        handle = self.handle
        rows, element, dim = api.quern_result_rows(handle), api.quern_result_dense_type(handle, column), api.quern_result_dense_dim(handle, column)
        valid = ctypes.create_string_buffer(max(rows, 1))
        width = (dim + 7) // 8 if element == BIT else dim * ELEMENT_BYTES[element]
        data = ctypes.create_string_buffer(max(rows * width, 1))
        api.quern_result_column_dense(handle, column, data, valid)
        return data.raw[:rows * width], element, width, valid.raw[:rows]


def distinct(names: Any, taken: Any = ()) -> list[str]:
    """The names, each once: one that is there, or taken, gets _2, _3, ..."""
    made, there = [], set(taken)
    for name in names:
        number, found = 2, name
        while found in there:
            found = f"{name}_{number}"
            number += 1
        there.add(found)
        made.append(found)
    return made


def read_text(handle: Any, row: int, column: int) -> Any:
    return read_bytes(handle, row, column).decode("utf-8", "replace")


def read_bytes(handle: Any, row: int, column: int) -> Any:
    size = ctypes.c_size_t()
    pointer = api.quern_result_text(handle, row, column, ctypes.byref(size))
    return ctypes.string_at(pointer, size.value) if pointer else b""


def read_json(handle: Any, row: int, column: int) -> Any:
    return json.loads(read_text(handle, row, column))


def read_bool(handle: Any, row: int, column: int) -> bool:
    return bool(api.quern_result_int(handle, row, column))


def read_dense(handle: Any, row: int, column: int) -> Any:
    """A vector, a copy."""
    dim = ctypes.c_size_t()
    pointer = api.quern_result_dense(handle, row, column, ctypes.byref(dim))
    if not pointer:
        return None
    element = api.quern_result_dense_type(handle, column)
    count = (dim.value + 7) // 8 if element == BIT else dim.value
    return vector_of(ctypes.string_at(pointer, count * ELEMENT_BYTES[element]), element)


def vector_of(data: bytes, element: int) -> Any:
    """A vector of these bytes: an array of numpy's (bf16 as f32, bits packed), else an array.array (f16, too, as f32; bits as bytes)."""
    if element == BF16:
        data, element = _arrays.widened_bytes(data).tobytes(), F32
    numpy = _arrays.numpy_of()
    if numpy is not None:
        return numpy.frombuffer(data, NUMPY_TYPES[element]).copy()
    if element == BIT:
        return data
    if element == F16:
        return array.array("f", struct.unpack(f"{len(data) // 2}e", data))
    return array.array("f" if element == F32 else "b", data)


def read_sparse(handle: Any, row: int, column: int) -> Any:
    """A sparse vector as {dim: weight}."""
    weights: Any = ctypes.c_void_p()
    count = ctypes.c_size_t()
    dims = api.quern_result_sparse(handle, row, column, ctypes.byref(weights), ctypes.byref(count))
    if not dims:
        return None
    if not count.value:
        return {}
    return dict(zip((ctypes.c_uint32 * count.value).from_address(dims), (ctypes.c_float * count.value).from_address(weights.value)))


def values_of(table: Any, column: int, kind: int, start: int, stop: int) -> list[Any]:
    """The values of a column as a list."""
    whole = table.whole_column(column, kind) if stop - start > 1 and kind not in FIELD_TYPES else None
    if whole is None:
        return [table.value(row, column, kind) for row in range(start, stop)]
    values, valid = whole
    rows = range(start, stop)
    if kind in (INT, BOOL, REAL):
        found = values[start:stop]
        found = [bool(value) for value in found] if kind == BOOL else found
        return [value if there else None for value, there in zip(found, valid[start:stop])]
    offsets, data = values
    parts = (data[offsets[row]:offsets[row + 1]] if valid[row] else None for row in rows)
    if kind == BLOB:
        return list(parts)
    texts = [None if part is None else part.decode("utf-8", "replace") for part in parts]
    return texts if kind == TEXT else [None if text is None else json.loads(text) for text in texts]


READERS = {INT: api.quern_result_int, REAL: api.quern_result_real, TEXT: read_text, BOOL: read_bool, BLOB: read_bytes, JSON: read_json,
           TAGS: read_json, DENSE: read_dense, SPARSE: read_sparse}
# Columns of fields are no metadata: hits have them in `fields`.
FIELD_TYPES = (DENSE, SPARSE)


class Hit:
    """One row: id, metadata (its attributes that have a value, a dict), and after a search score (larger is better) and distance."""

    __slots__ = ("_rows", "_row")

    def __init__(self, rows: Any, row: int) -> None:
        self._rows = rows
        self._row = row

    @property
    def id(self) -> Any:
        return self._rows._table.key(self._row)

    @property
    def distance(self) -> float:
        found: float = self._rows._table.distance(self._row)
        return found

    @property
    def score(self) -> float:
        found: float = self._rows._table.score(self._row)
        return found

    @property
    def group(self) -> int:
        """The number of its group, from 0; -1 without groups."""
        found: int = self._rows._table.group(self._row)
        return found

    @property
    def leg_scores(self) -> list[float]:
        """Its score in each leg of the search, NaN where the leg does not match it."""
        found: list[float] = self._rows._table.leg_scores(self._row)
        return found

    @property
    def leg_parts(self) -> list[float]:
        """What each leg adds to the score."""
        found: list[float] = self._rows._table.leg_parts(self._row)
        return found

    @property
    def metadata(self) -> dict[str, Any]:
        table, fields = self._rows._table, self._rows._text_fields
        values = ((name, table.value(self._row, i, kind)) for i, (name, kind) in enumerate(table.columns())
                  if kind not in FIELD_TYPES and name not in fields)
        return {name: value for name, value in values if value is not None}

    def __getitem__(self, name: str) -> Any:
        """The value of a column that was asked for, None where the record has none."""
        table = self._rows._table
        for i, (column, kind) in enumerate(table.columns()):
            if column == name:
                return table.value(self._row, i, kind)
        raise KeyError(f"there is no column {name!r} here: ask for it with columns=[...]")

    def to_dict(self) -> dict[str, Any]:
        """Everything in one dict: id, distance and score first. An attribute that is called so has the name score_2 there."""
        rows = self._rows
        made = {} if rows._table.text_keys is None else {"id": self.id}
        if rows._scored:
            made.update(distance=self.distance, score=self.score)
        columns = rows._table.columns()
        made.update((name, rows._table.value(self._row, i, columns[i][1])) for i, name in enumerate(rows._names()))
        return made

    def __reduce__(self) -> Any:
        """As plain data, that of this row."""
        from ._copies import hit_of_copy
        return hit_of_copy, (Rows._copied(self._rows, self._row, self._row + 1),)

    def __copy__(self) -> Any:
        return self  # it cannot be changed

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __repr__(self) -> str:
        scored = f", score={self.score:.6g}, distance={self.distance:.6g}" if self._rows._scored else ""
        return f"Hit(id={self.id!r}{scored}, metadata={self.metadata!r})" if self.id is not None else f"Row({self.to_dict()!r})"


def item_of(sequence: Any, index: Any, what: Any, make: Any) -> Any:
    """sequence[index]: make(i) of a place from 0, or a list of a slice's."""
    if isinstance(index, slice):
        return [make(i) for i in range(*index.indices(len(sequence)))]
    place = operator.index(index)
    if place < 0:
        place += len(sequence)
    if not 0 <= place < len(sequence):
        raise IndexError(f"{what} {index} of {len(sequence)}")
    return make(place)


class Rows(Sequence[Hit]):
    """A table of rows: of get, list, scan, facet and sql, and (as Hits) of a search. A sequence of Hit objects, and columns beside it."""

    __slots__ = ("_table", "_start", "_stop", "_text_fields")
    _scored = False

    def __init__(self, table: Any, start: int, stop: int, text_fields: tuple[str, ...] = ()) -> None:
        self._table = table
        self._start = start
        self._stop = stop
        self._text_fields = text_fields

    def __len__(self) -> int:
        return self._stop - self._start

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> list[Hit]: ...

    def __getitem__(self, index: Any) -> Any:
        return item_of(self, index, "row", lambda i: Hit(self, self._start + i))

    @property
    def ids(self) -> Any:
        """The keys: an array of numpy's if they are numbers and numpy is there, else a list."""
        table = self._table
        if not table.keyed:
            raise TypeError("these rows have no ids")
        return table.keys(self._start, self._stop)

    @property
    def columns(self) -> list[str]:
        """The names of the columns. Where SQL gives one name twice, the second is NAME_2."""
        return [name for name, _ in self._table.columns()]

    def _names(self) -> list[str]:
        """The names of the columns beside id, distance and score."""
        taken = () if self._table.text_keys is None else ("id", "distance", "score") if self._scored else ("id",)
        return distinct([name for name, _ in self._table.columns()], taken)

    def types(self) -> dict[str, str]:
        """{column: name of its type}"""
        return {name: TYPE_NAMES.get(kind, "") for name, kind in self._table.columns()}

    def _place(self, name: str) -> tuple[int, int]:
        """(number, type) of a column."""
        for i, (column, kind) in enumerate(self._table.columns()):
            if column == name:
                return i, kind
        raise KeyError(f"there is no column {name!r} here, there are: {', '.join(self.columns)}")

    def column(self, name: str) -> list[Any]:
        """The values of a column, None where there is none."""
        i, kind = self._place(name)
        return values_of(self._table, i, kind, self._start, self._stop)

    def array(self, name: str) -> Any:
        """The values of a column as an array of numpy's: numbers (of ints and bools, with values missing, a masked array; of reals NaN), vectors
        as the rows of a matrix (zeros where there are none; bf16 as f32, bits packed), anything else as objects."""
        numpy = _arrays.numpy_of()
        if numpy is None:
            raise ImportError("array() needs the package numpy; column() does not")
        i, kind = self._place(name)
        span = slice(self._start, self._stop)
        if kind == DENSE:
            data, element, width, _ = self._table.whole_matrix(i)
            if element == BF16:
                data, element, width = _arrays.widened_bytes(data).tobytes(), F32, 2 * width
            size = ELEMENT_BYTES[element]
            return numpy.frombuffer(data, NUMPY_TYPES[element]).reshape(-1, width // size)[span]
        if kind not in (INT, BOOL, REAL):
            made = numpy.empty(len(self), object)
            made[:] = self.column(name)
            return made
        values, valid = self._table.whole_column(i, kind)
        numbers = numpy.frombuffer(values, "f8" if kind == REAL else "i8")[span].astype({INT: "i8", BOOL: "?", REAL: "f8"}[kind])
        missing = numpy.frombuffer(valid, "u1")[span] == 0
        if kind == REAL:
            numbers[missing] = numpy.nan
            return numbers
        return numpy.ma.masked_array(numbers, missing) if missing.any() else numbers

    @property
    def metadata(self) -> list[dict[str, Any]]:
        """The metadata of each row."""
        return [hit.metadata for hit in self]

    @property
    def flags(self) -> int:
        return int(self._table.flags())

    @property
    def exact(self) -> bool:
        """Is every answer the exact one?"""
        return bool(self.flags & EXACT)

    @property
    def partial(self) -> bool:
        """Has a budget ended the search?"""
        return bool(self.flags & PARTIAL)

    @property
    def degraded(self) -> bool:
        """Was a derived part missing or damaged? Answers are right, but slower; Database.rebuild mends it."""
        return bool(self.flags & DEGRADED)

    def explain(self) -> dict[str, Any]:
        """Of a search: how it was done, the plan of each segment beside what was counted there, as a dict; see quern_result_explain."""
        from ._database import take_text  # which needs this module

        out = ctypes.c_void_p()
        call(api.quern_result_explain, self._table.handle, ctypes.byref(out))
        found: dict[str, Any] = json.loads(take_text(out))
        return found

    @property
    def bookmark(self) -> str | None:
        """Of a list, or a search for one vector: what `after` takes to go on behind it; None at the end of an empty list."""
        found: str | None = self._table.bookmark()
        return found

    def stats(self) -> dict[str, Any]:
        """What it has cost, {name: number}, over all queries of the search; see QUERN_RESULT_* in quern.h. recall: from 0 to 1."""
        return with_share(self._table.stats())

    def leg_stats(self) -> list[dict[str, Any]]:
        """The same of each leg of a search: what it has cost, over all queries."""
        return [with_share(stats) for stats in self._table.leg_stats()]

    def to_list(self) -> list[dict[str, Any]]:
        """A dict for each row."""
        return [hit.to_dict() for hit in self]

    def to_columns(self) -> dict[str, Any]:
        """{name: values}: id, distance and score first. An attribute that is called so has the name score_2 there."""
        made = {} if self._table.text_keys is None else {"id": self.ids}
        if self._scored:
            made.update(distance=self.distances, score=self.scores)  # type: ignore[attr-defined]
        columns = self._table.columns()
        made.update((name, values_of(self._table, i, columns[i][1], self._start, self._stop)) for i, name in enumerate(self._names()))
        return made

    def to_pandas(self) -> Any:
        """A pandas.DataFrame. Whole numbers with nulls among them are of its type Int64: float64 would round those beyond 2^53."""
        try:
            import pandas  # type: ignore[import]
        except ImportError:
            raise ImportError("to_pandas() needs the package pandas") from None
        columns = self.to_columns()
        for name, values in columns.items():
            if isinstance(values, list) and None in values and {type(value) for value in values} == {int, type(None)}:
                columns[name] = pandas.array(values, dtype="Int64")
        return pandas.DataFrame(columns)

    def to_arrow(self) -> Any:
        """A pyarrow.Table. Other libraries take this object as it is: it has the Arrow PyCapsule interface."""
        try:
            import pyarrow  # type: ignore[import]
        except ImportError:
            raise ImportError("to_arrow() needs the package pyarrow; polars, duckdb and pandas read this object without it") from None
        return pyarrow.table(self)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        from ._arrow import stream_of
        return stream_of(self)

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        from ._arrow import array_of
        return array_of(self)

    def _copied(self, start: int, stop: int) -> Any:
        """These rows in plain data."""
        from ._copies import copy_of
        return type(self), copy_of(self._table, start, stop), stop - start, self._text_fields

    def __reduce__(self) -> Any:
        """As plain data, those of these rows."""
        from ._copies import rows_of_copy
        return rows_of_copy, Rows._copied(self, self._start, self._stop)

    def __copy__(self) -> Any:
        return self  # they cannot be changed

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __repr__(self) -> str:
        shown = ", ".join(repr(hit) for hit in self[:10])
        return f"{type(self).__name__}([{shown}{', ...' if len(self) > 10 else ''}])"


class Hits(Rows):
    """The hits of one query, best first. ids, distances and scores are columns; metadata and others are read when asked for."""

    __slots__ = ()
    _scored = True

    @property
    def distances(self) -> Any:
        """Smaller is nearer; an array of numpy's, or a list."""
        return self._table.distances(self._start, self._stop)

    @property
    def scores(self) -> Any:
        """Larger is better."""
        return self._table.scores(self._start, self._stop)


class HitsOfQueries(Sequence[Hits]):
    """The hits of several queries: a sequence with Hits for each. ids, distances and scores have a row for each query; shorter rows are
    filled up with -1 (None for texts), infinity and -infinity; counts tells how long they are."""

    __slots__ = ("_table", "_offsets", "_text_fields")

    def __init__(self, table: Any, queries: int, text_fields: tuple[str, ...] = ()) -> None:
        self._table = table
        self._offsets = table.offsets(queries)
        self._text_fields = text_fields

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Hits: ...

    @overload
    def __getitem__(self, index: slice) -> list[Hits]: ...

    def __getitem__(self, index: Any) -> Any:
        return item_of(self, index, "query", lambda i: Hits(self._table, self._offsets[i], self._offsets[i + 1], self._text_fields))

    @property
    def all(self) -> Hits:
        """The hits of all queries, one after the other."""
        return Hits(self._table, 0, self._offsets[-1], self._text_fields)

    @property
    def counts(self) -> list[int]:
        """How many hits each query has."""
        return [after - before for before, after in zip(self._offsets, self._offsets[1:])]

    def _matrix(self, values: Any, filler: Any) -> Any:
        offsets, numpy = self._offsets, _arrays.numpy_of()
        width = offsets[1] if len(self) else 0
        if offsets == (list(range(0, offsets[-1] + 1, width)) if width else [0] * len(offsets)):
            if numpy is None or isinstance(values, list):
                rows = [values[start:start + width] for start in offsets[:-1]]
                return numpy.array(rows, object).reshape(len(self), width) if numpy is not None else rows
            return values.reshape(len(self), width)
        width = max(self.counts)
        rows = [list(values[start:stop]) + [filler] * (width - stop + start) for start, stop in zip(self._offsets, self._offsets[1:])]
        return rows if numpy is None else numpy.array(rows, object if isinstance(values, list) else values.dtype)

    @property
    def ids(self) -> Any:
        return self._matrix(self.all.ids, None if self._table.text_keys else -1)

    @property
    def distances(self) -> Any:
        return self._matrix(self.all.distances, float("inf"))

    @property
    def scores(self) -> Any:
        return self._matrix(self.all.scores, float("-inf"))

    flags = Rows.flags
    exact = Rows.exact
    partial = Rows.partial
    degraded = Rows.degraded
    explain = Rows.explain
    stats = Rows.stats
    leg_stats = Rows.leg_stats

    def __reduce__(self) -> Any:
        """As plain data."""
        from ._copies import copy_of, hits_of_copy
        return hits_of_copy, (copy_of(self._table, 0, self._offsets[-1], self._offsets), len(self), self._text_fields)

    def __copy__(self) -> Any:
        return self  # they cannot be changed

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def to_list(self) -> list[list[dict[str, Any]]]:
        """A list of dicts for each query."""
        return [hits.to_list() for hits in self]

    def __repr__(self) -> str:
        return f"HitsOfQueries({len(self)} queries, {self._offsets[-1]} hits)"


def with_share(stats: dict[str, Any]) -> dict[str, Any]:
    stats["recall"] /= 1e6
    return stats

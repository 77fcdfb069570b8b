"""Copies of results, which go to other processes and into files: rows in plain data, and a table that reads them as _result.Table does its own."""
from __future__ import annotations

import ctypes
import json
from typing import Any

from . import _arrays
from ._columns import BLOB, BOOL, DENSE, INT, JSON, REAL, TAGS, TEXT
from ._result import Hit, HitsOfQueries, values_of, vector_of


def copy_of(table: Any, start: int, stop: int, offsets: Any = None) -> dict[str, Any]:
    """Some rows of a table in plain data, that CopiedTable reads."""
    rows, columns = range(start, stop), table.columns()
    cells: list[Any] = []
    for i, (_, kind) in enumerate(columns):
        if kind == DENSE:
            data, element, width, valid = table.whole_matrix(i)
            cells.append((data[start * width:stop * width], element, width, valid[start:stop]))
        else:
            cells.append(values_of(table, i, kind, start, stop))
    scored = [(table.distance(row), table.score(row), table.group(row), table.leg_scores(row), table.leg_parts(row)) for row in rows]
    return {"keys": [table.key(row) for row in rows], "text_keys": table.text_keys, "columns": columns, "cells": cells, "scored": scored,
            "offsets": offsets, "flags": table.flags(), "bookmark": table.bookmark(), "stats": table.stats(), "leg_stats": table.leg_stats()}


def rows_of_copy(kind: Any, copy: Any, count: int, text_fields: tuple[str, ...]) -> Any:
    return kind(CopiedTable(copy), 0, count, text_fields)


def hit_of_copy(copied: Any) -> Hit:
    return Hit(rows_of_copy(*copied), 0)


def hits_of_copy(copy: Any, queries: int, text_fields: tuple[str, ...]) -> HitsOfQueries:
    return HitsOfQueries(CopiedTable(copy), queries, text_fields)


class CopiedTable:
    """What copy_of has taken from a Table, with the same methods."""

    __slots__ = ("copy",)
    keyed = True  # of others no copies are made by rows

    def __init__(self, copy: Any) -> None:
        self.copy = copy

    @property
    def text_keys(self) -> Any:
        return self.copy["text_keys"]

    def columns(self) -> Any:
        return self.copy["columns"]

    def key(self, row: int) -> Any:
        return self.copy["keys"][row]

    def distance(self, row: int) -> Any:
        return self.copy["scored"][row][0]

    def score(self, row: int) -> Any:
        return self.copy["scored"][row][1]

    def group(self, row: int) -> Any:
        return self.copy["scored"][row][2]

    def leg_scores(self, row: int) -> Any:
        return list(self.copy["scored"][row][3])

    def leg_parts(self, row: int) -> Any:
        return list(self.copy["scored"][row][4])

    def keys(self, start: int, stop: int) -> Any:
        found = self.copy["keys"][start:stop]
        return found if self.text_keys else as_numbers(found, "i8")

    def distances(self, start: int, stop: int) -> Any:
        return as_numbers([row[0] for row in self.copy["scored"][start:stop]], "f4")

    def scores(self, start: int, stop: int) -> Any:
        return as_numbers([row[1] for row in self.copy["scored"][start:stop]], "f4")

    def offsets(self, queries: int) -> Any:
        return self.copy["offsets"]

    def flags(self) -> Any:
        return self.copy["flags"]

    def bookmark(self) -> Any:
        return self.copy["bookmark"]

    def stats(self) -> Any:
        return dict(self.copy["stats"])

    def leg_stats(self) -> Any:
        return [dict(stats) for stats in self.copy["leg_stats"]]

    def value(self, row: int, column: int, kind: Any) -> Any:
        cells = self.copy["cells"][column]
        if kind != DENSE:
            return cells[row]
        data, element, width, valid = cells
        return vector_of(data[row * width:(row + 1) * width], element) if valid[row] else None

    def whole_matrix(self, column: int) -> Any:
        return self.copy["cells"][column]

    def whole_column(self, column: int, kind: Any) -> Any:
        cells = self.copy["cells"][column]
        valid = bytes(value is not None for value in cells)
        if kind in (INT, BOOL, REAL):
            number: Any = ctypes.c_double if kind == REAL else ctypes.c_int64
            return (number * max(len(cells), 1))(*(value or 0 for value in cells)), valid
        if kind not in (TEXT, JSON, TAGS, BLOB):
            return None
        texts = cells if kind in (TEXT, BLOB) else [None if value is None else json.dumps(value, ensure_ascii=False) for value in cells]
        parts = [b"" if value is None else value if kind == BLOB else value.encode() for value in texts]
        offsets = [0]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        return (offsets, b"".join(parts)), valid


def as_numbers(values: Any, kind: Any) -> Any:
    numpy = _arrays.numpy_of()
    return values if numpy is None else numpy.array(values, kind)

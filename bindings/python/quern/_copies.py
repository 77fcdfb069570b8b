"""Copies of results, which go to other processes and into files: rows in plain data, and a table that reads them as _result.Table does its own."""
from __future__ import annotations

import ctypes
import json

from . import _arrays
from ._columns import BLOB, BOOL, DENSE, INT, JSON, REAL, TAGS, TEXT
from ._result import Hit, HitsOfQueries, values_of, vector_of


def copy_of(table, start, stop, offsets=None):
    """Some rows of a table in plain data, that CopiedTable reads."""
    rows, columns = range(start, stop), table.columns()
    cells = []
    for i, (_, kind) in enumerate(columns):
        if kind == DENSE:
            data, element, width, valid = table.whole_matrix(i)
            cells.append((data[start * width:stop * width], element, width, valid[start:stop]))
        else:
            cells.append(values_of(table, i, kind, start, stop))
    scored = [(table.distance(row), table.score(row), table.group(row), table.leg_scores(row), table.leg_parts(row)) for row in rows]
    return {"keys": [table.key(row) for row in rows], "text_keys": table.text_keys, "columns": columns, "cells": cells, "scored": scored,
            "offsets": offsets, "flags": table.flags(), "bookmark": table.bookmark(), "stats": table.stats(), "leg_stats": table.leg_stats()}


def rows_of_copy(kind, copy, count, text_fields):
    return kind(CopiedTable(copy), 0, count, text_fields)


def hit_of_copy(copied):
    return Hit(rows_of_copy(*copied), 0)


def hits_of_copy(copy, queries, text_fields):
    return HitsOfQueries(CopiedTable(copy), queries, text_fields)


class CopiedTable:
    """What copy_of has taken from a Table, with the same methods."""

    __slots__ = ("copy",)
    keyed = True  # of others no copies are made by rows

    def __init__(self, copy):
        self.copy = copy

    @property
    def text_keys(self):
        return self.copy["text_keys"]

    def columns(self):
        return self.copy["columns"]

    def key(self, row):
        return self.copy["keys"][row]

    def distance(self, row):
        return self.copy["scored"][row][0]

    def score(self, row):
        return self.copy["scored"][row][1]

    def group(self, row):
        return self.copy["scored"][row][2]

    def leg_scores(self, row):
        return list(self.copy["scored"][row][3])

    def leg_parts(self, row):
        return list(self.copy["scored"][row][4])

    def keys(self, start, stop):
        found = self.copy["keys"][start:stop]
        return found if self.text_keys else as_numbers(found, "i8")

    def distances(self, start, stop):
        return as_numbers([row[0] for row in self.copy["scored"][start:stop]], "f4")

    def scores(self, start, stop):
        return as_numbers([row[1] for row in self.copy["scored"][start:stop]], "f4")

    def offsets(self, queries):
        return self.copy["offsets"]

    def flags(self):
        return self.copy["flags"]

    def bookmark(self):
        return self.copy["bookmark"]

    def stats(self):
        return dict(self.copy["stats"])

    def leg_stats(self):
        return [dict(stats) for stats in self.copy["leg_stats"]]

    def value(self, row, column, kind):
        cells = self.copy["cells"][column]
        if kind != DENSE:
            return cells[row]
        data, element, width, valid = cells
        return vector_of(data[row * width:(row + 1) * width], element) if valid[row] else None

    def whole_matrix(self, column):
        return self.copy["cells"][column]

    def whole_column(self, column, kind):
        cells = self.copy["cells"][column]
        valid = bytes(value is not None for value in cells)
        if kind in (INT, BOOL, REAL):
            return ((ctypes.c_double if kind == REAL else ctypes.c_int64) * max(len(cells), 1))(*(value or 0 for value in cells)), valid
        if kind not in (TEXT, JSON, TAGS, BLOB):
            return None
        texts = cells if kind in (TEXT, BLOB) else [None if value is None else json.dumps(value, ensure_ascii=False) for value in cells]
        parts = [b"" if value is None else value if kind == BLOB else value.encode() for value in texts]
        offsets = [0]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        return (offsets, b"".join(parts)), valid


def as_numbers(values, kind):
    numpy = _arrays.numpy_of()
    return values if numpy is None else numpy.array(values, kind)

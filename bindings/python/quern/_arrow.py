"""Rows for Arrow: the Arrow PyCapsule interface over the C data and C stream interfaces, without any library of Arrow's.

pyarrow, polars, pandas and duckdb take an object with __arrow_c_stream__. Types: keys and texts are large_utf8 (or int64), tags lists of
it, JSON texts; vectors fixed-size lists of their elements (bf16 as float, bits as fixed-size binary); sparse vectors structs of two lists.

Each struct that is handed out has an entry in ALIVE with what it points to; its release function takes that entry away. A consumer may
move a struct, or one of its children, and release it from any thread: so every child has an entry of its own.
"""
from __future__ import annotations

import array
import ctypes
import errno
import itertools
from typing import Any

from ._arrays import BF16, BIT, ELEMENT_BYTES, F16, F32, I8, widened_bytes
from ._columns import BLOB, BOOL, DENSE, INT, JSON, REAL, SPARSE, TAGS, TEXT
from ._result import values_of

NULLABLE = 2
ALIVE: dict[int, Any] = {}
numbers = itertools.count(1)
ELEMENT_FORMATS = {F32: "f", F16: "e", I8: "c"}


class ArrowSchema(ctypes.Structure):
    pass


class ArrowArray(ctypes.Structure):
    pass


class ArrowArrayStream(ctypes.Structure):
    pass


RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
GET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
LAST_ERROR = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)

ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(ArrowSchema))), ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)]
ArrowArray._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64), ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)), ("children", ctypes.POINTER(ctypes.POINTER(ArrowArray))),
    ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)]
ArrowArrayStream._fields_ = [("get_schema", GET), ("get_next", GET), ("get_last_error", LAST_ERROR), ("release", ctypes.c_void_p),
                             ("private_data", ctypes.c_void_p)]


def release(kind: Any) -> Any:
    """The release function of a schema or an array: that of its children, then its own entry."""
    def run(address: Any) -> None:
        node = kind.from_address(address)
        for i in range(node.n_children):
            child = node.children[i].contents
            if child.release:
                RELEASE(child.release)(ctypes.addressof(child))
        ALIVE.pop(node.private_data, None)
        node.release = None
    return RELEASE(run)


def release_stream(address: Any) -> None:
    stream = ArrowArrayStream.from_address(address)
    ALIVE.pop(stream.private_data, None)
    stream.release = None


RELEASE_SCHEMA, RELEASE_ARRAY, RELEASE_STREAM = release(ArrowSchema), release(ArrowArray), RELEASE(release_stream)


def address_of(function: Any) -> Any:
    return ctypes.cast(function, ctypes.c_void_p).value


def register(node: Any, *kept: Any) -> None:
    number = next(numbers)
    ALIVE[number] = (node, *kept)
    node.private_data = number


class Column:
    """A column in the making: its format, buffers (bytes-like, or None) and children, and which rows have a value."""

    def __init__(self, name: str, form: str, length: Any, buffers: Any, children: Any = (), nulls: int = 0) -> None:
        self.name = name
        self.form = form
        self.length = length
        self.buffers = buffers
        self.children = list(children)
        self.nulls = nulls

    def schema(self, node: Any = None) -> Any:
        node = node or ArrowSchema()
        node.format, node.name, node.flags = self.form.encode(), self.name.encode(), NULLABLE
        children = [child.schema() for child in self.children]
        pointers = (ctypes.POINTER(ArrowSchema) * max(len(children), 1))(*[ctypes.pointer(child) for child in children])
        node.n_children, node.children = len(children), pointers
        node.release = address_of(RELEASE_SCHEMA)
        register(node, pointers, children)
        return node

    def array(self, node: Any = None) -> Any:
        node = node or ArrowArray()
        kept = [None if data is None else as_buffer(data) for data in self.buffers]
        pointers = (ctypes.c_void_p * max(len(kept), 1))(*(None if data is None else ctypes.addressof(data) for data in kept))
        children = [child.array() for child in self.children]
        child_pointers = (ctypes.POINTER(ArrowArray) * max(len(children), 1))(*[ctypes.pointer(child) for child in children])
        node.length, node.null_count, node.offset, node.n_buffers = self.length, self.nulls, 0, len(kept)
        node.buffers, node.n_children, node.children = pointers, len(children), child_pointers
        node.release = address_of(RELEASE_ARRAY)
        register(node, kept, pointers, children, child_pointers)
        return node


def as_buffer(data: Any) -> Any:
    data = bytes(data) if not isinstance(data, array.array) else data.tobytes()
    return ctypes.create_string_buffer(data, max(len(data), 8))


def bits(flags: Any) -> Any:
    """A bitmap, the lowest bit first."""
    made = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        if flag:
            made[i >> 3] |= 1 << (i & 7)
    return made


def validity(values: Any) -> Any:
    """(bitmap or None, how many are missing)"""
    missing = sum(value is None for value in values)
    return (bits([value is not None for value in values]) if missing else None), missing


def texts(name: str, values: Any, form: str = "U") -> Any:
    valid, nulls = validity(values)
    encoded = [b"" if value is None else value.encode() if isinstance(value, str) else bytes(value) for value in values]
    offsets = array.array("q", itertools.accumulate(map(len, encoded), initial=0))
    return Column(name, form, len(values), [valid, offsets, b"".join(encoded)], nulls=nulls)


def plain_numbers(name: str, values: Any, form: str, letter: str) -> Any:
    valid, nulls = validity(values)
    return Column(name, form, len(values), [valid, array.array(letter, (0 if value is None else value for value in values))], nulls=nulls)


def lists(name: str, values: Any, child: Any) -> Any:
    """child: makes the column of all the lists' items from their list."""
    valid, nulls = validity(values)
    offsets = array.array("q", itertools.accumulate((len(value or ()) for value in values), initial=0))
    items = [item for value in values for item in value or ()]
    return Column(name, "+L", len(values), [valid, offsets], [child(items)], nulls)


def vectors(name: str, rows: Any, column: int) -> Any:
    """A dense column."""
    data, element, width, valid = rows._table.whole_matrix(column)
    valid, data = valid[rows._start:rows._stop], data[rows._start * width:rows._stop * width]
    nulls = valid.count(0)
    there = bits(valid) if nulls else None
    if element == BIT:
        return Column(name, f"w:{max(width, 1)}", len(valid), [there, data], nulls=nulls)
    if element == BF16:  # which Arrow has not
        data, element, width = widened_bytes(data).tobytes(), F32, 2 * width
    dim = width // ELEMENT_BYTES[element]
    items = Column("item", ELEMENT_FORMATS[element], len(valid) * dim, [None, data])
    return Column(name, f"+w:{dim}", len(valid), [there], [items], nulls)


def whole(rows: Any, column: int, name: str, kind: Any) -> Any:
    """A column of numbers, bools or texts, as the library lays it out."""
    values, valid = rows._table.whole_column(column, kind)
    start, stop = rows._start, rows._stop
    valid = valid[start:stop]
    nulls = valid.count(0)
    there = bits(valid) if nulls else None
    if kind == BOOL:
        return Column(name, "b", len(valid), [there, bits(values[start:stop])], nulls=nulls)
    if kind in (INT, REAL):
        return Column(name, "l" if kind == INT else "g", len(valid), [there, bytes(values)[8 * start:8 * stop]], nulls=nulls)
    offsets, data = values
    moved = array.array("q", (offset - offsets[start] for offset in offsets[start:stop + 1]))
    return Column(name, "Z" if kind == BLOB else "U", len(valid), [there, moved, data[offsets[start]:offsets[stop]]], nulls=nulls)


def sparse_vectors(name: str, values: Any) -> Any:
    valid, nulls = validity(values)
    parts = [lists("dims", [list(value or ()) for value in values], lambda items: plain_numbers("item", items, "I", "I")),
             lists("weights", [list((value or {}).values()) for value in values], lambda items: plain_numbers("item", items, "f", "f"))]
    return Column(name, "+s", len(values), [valid], parts, nulls)


def column_of(rows: Any, column: int, name: str, kind: Any) -> Any:
    if kind == DENSE:
        return vectors(name, rows, column)
    if kind in (INT, REAL, BOOL, TEXT, JSON, BLOB):
        return whole(rows, column, name, kind)
    values = values_of(rows._table, column, kind, rows._start, rows._stop)
    if kind not in (TAGS, SPARSE):  # of SQL: what its values are
        found = {type(value) for value in values if value is not None}
        kind = INT if found == {int} else REAL if found and found <= {int, float} else BLOB if found == {bytes} else TEXT
        values = [value if value is None or kind != TEXT else str(value) for value in values]
    if kind == TAGS:
        return lists(name, values, lambda items: texts("item", items))
    if kind == SPARSE:
        return sparse_vectors(name, values)
    if kind == INT:
        return plain_numbers(name, values, "l", "q")
    if kind == REAL:
        return plain_numbers(name, values, "g", "d")
    return texts(name, values, "Z" if kind == BLOB else "U")


def record_batch(rows: Any) -> Any:
    """All columns of rows as one struct."""
    columns = []
    if rows._table.text_keys is not None:
        ids = list(rows.ids)
        columns.append(texts("id", ids) if rows._table.text_keys else plain_numbers("id", ids, "l", "q"))
    if rows._scored:
        columns += [plain_numbers("distance", list(rows.distances), "f", "f"), plain_numbers("score", list(rows.scores), "f", "f")]
    names = rows._names()
    columns += [column_of(rows, i, names[i], kind) for i, (_, kind) in enumerate(rows._table.columns())]
    return Column("", "+s", len(rows), [None], columns)


def stream_of(rows: Any) -> Any:
    """A capsule with a stream of one batch."""
    return stream_of_pages(iter([rows]))


def stream_of_pages(pages: Any) -> Any:
    """A capsule with a stream of a batch for each of the Rows that an iterator gives: one at the least, which has the schema. They are read
    as the consumer asks for them; releasing the stream closes the iterator."""
    first = record_batch(next(pages))
    state = {"next": first}

    def get_schema(_: Any, out: Any) -> int:
        first.schema(ArrowSchema.from_address(out))
        return 0

    def get_next(_: Any, out: Any) -> Any:
        node = ArrowArray.from_address(out)
        node.release = None  # the end, unless there is more
        try:
            made = state.pop("next", None)
            if made is None:
                rows = next(pages, None)
                made = None if rows is None else record_batch(rows)
            if made is not None:
                made.array(node)
        except Exception as error:  # pylint: disable=broad-except    # C waits for an answer
            state["problem"] = ctypes.create_string_buffer(str(error).encode())
            return errno.EIO
        return 0

    def get_last_error(_: Any) -> Any:
        return ctypes.addressof(state["problem"]) if "problem" in state else None

    stream = ArrowArrayStream(GET(get_schema), GET(get_next), LAST_ERROR(get_last_error), address_of(RELEASE_STREAM))
    register(stream)
    return capsule(stream, b"arrow_array_stream")


def array_of(rows: Any) -> Any:
    """(schema capsule, array capsule)"""
    batch = record_batch(rows)
    return capsule(batch.schema(), b"arrow_schema"), capsule(batch.array(), b"arrow_array")


DESTRUCTOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, DESTRUCTOR)(("PyCapsule_New", ctypes.pythonapi))
# By address: the capsule is being destroyed, and no reference to it may come back to life.
capsule_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(("PyCapsule_GetName", ctypes.pythonapi))
capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
HELD: dict[int, Any] = {}  # the structs that lie in capsules, and their names
KINDS = {b"arrow_schema": ArrowSchema, b"arrow_array": ArrowArray, b"arrow_array_stream": ArrowArrayStream}


def destroy(address: Any) -> None:
    """Releases what nobody has taken out of a capsule."""
    name = capsule_name(address)
    pointer = capsule_pointer(address, name)
    node = KINDS[name].from_address(pointer)
    if node.release:
        RELEASE(node.release)(pointer)
    HELD.pop(pointer, None)


DESTROY = DESTRUCTOR(destroy)


def capsule(node: Any, name: bytes) -> Any:
    address = ctypes.addressof(node)
    held = ctypes.create_string_buffer(name)
    HELD[address] = (node, held)
    return new_capsule(address, ctypes.cast(held, ctypes.c_char_p), DESTROY)

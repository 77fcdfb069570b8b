"""Reads what an Arrow stream capsule holds into lists, by the C data interface alone: the consumer that the tests need."""
import ctypes
import struct

import python_case  # noqa: F401, finds the package
from quern import _arrow

get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
NUMBERS = {"l": "q", "g": "d", "f": "f", "e": "e", "c": "b", "S": "H", "I": "I"}


def read_stream(capsule):
    """({name: format}, {name: values}) of all batches; releases them."""
    stream = _arrow.ArrowArrayStream.from_address(get_pointer(capsule, b"arrow_array_stream"))
    schema, columns = _arrow.ArrowSchema(), {}
    assert stream.get_schema(ctypes.addressof(stream), ctypes.addressof(schema)) == 0
    formats = {schema.children[i].contents.name.decode(): schema.children[i].contents.format.decode() for i in range(schema.n_children)}
    while True:
        batch = _arrow.ArrowArray()
        assert stream.get_next(ctypes.addressof(stream), ctypes.addressof(batch)) == 0
        if not batch.release:
            break
        for i in range(batch.n_children):
            node = schema.children[i].contents
            columns.setdefault(node.name.decode(), []).extend(read(node, batch.children[i].contents))
        _arrow.RELEASE(batch.release)(ctypes.addressof(batch))
    _arrow.RELEASE(schema.release)(ctypes.addressof(schema))
    _arrow.RELEASE(stream.release)(ctypes.addressof(stream))
    return formats, columns


def buffer(node, i, form, count):
    pointer = node.buffers[i]
    return struct.unpack(f"={count}{form}", ctypes.string_at(pointer, struct.calcsize(f"={count}{form}"))) if count else ()


def read(schema, node):
    form, n = schema.format.decode(), node.length
    valid = [True] * n
    if node.buffers[0]:
        bitmap = ctypes.string_at(node.buffers[0], (n + 7) // 8)
        valid = [bool(bitmap[i >> 3] >> (i & 7) & 1) for i in range(n)]
    assert valid.count(False) == node.null_count
    children = [read(schema.children[i].contents, node.children[i].contents) for i in range(schema.n_children)]
    if form in NUMBERS:
        values = buffer(node, 1, NUMBERS[form], n)
    elif form == "b":
        bitmap = ctypes.string_at(node.buffers[1], (n + 7) // 8)
        values = [bool(bitmap[i >> 3] >> (i & 7) & 1) for i in range(n)]
    elif form in "UZ":
        ends = buffer(node, 1, "q", n + 1)
        data = ctypes.string_at(node.buffers[2], ends[-1])
        values = [data[start:stop].decode() if form == "U" else data[start:stop] for start, stop in zip(ends, ends[1:])]
    elif form == "+L":
        ends = buffer(node, 1, "q", n + 1)
        values = [children[0][start:stop] for start, stop in zip(ends, ends[1:])]
    elif form.startswith("+w:"):
        width = int(form[3:])
        values = [list(children[0][i * width:(i + 1) * width]) for i in range(n)]
    elif form.startswith("w:"):
        width = int(form[2:])
        values = [ctypes.string_at(node.buffers[1] + i * width, width) for i in range(n)]
    else:
        assert form == "+s", form
        values = list(zip(*children))
    return [value if there else None for value, there in zip(values, valid)]

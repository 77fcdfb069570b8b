"""Vectors and columns of numbers: from whatever a caller has to an address that the library can read.

What already lies in memory as the library wants it (numpy arrays, array.array, memoryviews, anything with __array_interface__) is
not copied. Arrays of other numbers, or with gaps between their elements, are copied once; lists are packed. numpy is used where the
caller's array is one, and imported nowhere else.
"""
from __future__ import annotations

import array
import ctypes
import struct
import sys
from typing import Any

F32, F16, BF16, I8, BIT = 1, 2, 3, 4, 5
ELEMENTS = {"f32": F32, "f16": F16, "bf16": BF16, "i8": I8, "bit": BIT}
ELEMENT_NAMES = {number: name for name, number in ELEMENTS.items()}
ELEMENT_BYTES = {F32: 4, F16: 2, BF16: 2, I8: 1, BIT: 1}
# What a typestr of __array_interface__ holds, as the field's own elements.
RAW = {"f2": F16, "u2": BF16, "i1": I8, "u1": BIT}
NATIVE = "<" if sys.byteorder == "little" else ">"
# Letters of memoryview.format (native sizes) as typestrs.
FORMATS = {"f": "f4", "d": "f8", "e": "f2", "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "?": "b1",
           "l": f"i{ctypes.sizeof(ctypes.c_long)}", "L": f"u{ctypes.sizeof(ctypes.c_long)}", "q": "i8", "Q": "u8"}


def numpy_of() -> Any:
    """numpy where the program uses it (or has it), else None."""
    module = sys.modules.get("numpy")
    if module is None:
        try:
            import numpy as module
        except ImportError:
            return None
    return module


class Block:
    """Numbers that lie in memory one after the other. kind: a typestr without byte order; owner: what keeps them there."""

    __slots__ = ("address", "shape", "kind", "owner")

    def __init__(self, address: Any, shape: Any, kind: Any, owner: Any) -> None:
        self.address = address
        self.shape = shape
        self.kind = kind
        self.owner = owner


def block_of(value: Any, name: str) -> Block | None:
    """The numbers of an array, contiguous and in the machine's byte order; None if it is no array."""
    if isinstance(value, (str, bytes, list, tuple, dict, set)):
        return None
    interface = getattr(value, "__array_interface__", None)
    if (interface is None and hasattr(value, "__array__")) or (interface is not None and not has_address(interface)):
        value = array_of(value, name)  # tensors; and images, whose interface has bytes in place of an address
        interface = getattr(value, "__array_interface__", None)
    if interface is not None:
        return block_of_interface(value, interface, name)
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError):
        return None
    return block_of_view(view, name)


def has_address(interface: Any) -> bool:
    """Does an __array_interface__ say where its numbers lie? "data" may also be bytes, or None for the buffer protocol."""
    data, shape = (interface.get("data"), interface.get("shape")) if isinstance(interface, dict) else (None, None)
    return (isinstance(data, tuple) and len(data) == 2 and type(data[0]) is int and isinstance(shape, tuple) and isinstance(interface.get("typestr"), str)
            and len(interface["typestr"]) > 2 and (data[0] > 0 or 0 in shape))


def array_of(value: Any, name: str) -> Any:
    """What numpy makes of it. Without numpy it is left to the buffer protocol, and must be no array of another kind."""
    numpy = numpy_of()
    if numpy is None:
        if getattr(value, "__array_interface__", None) is None:
            return value
        raise TypeError(f"{name} has an __array_interface__ without an address")
    try:
        return numpy.asarray(value)
    except Exception as error:
        raise TypeError(f"{name} cannot be made an array: {error}") from None


def is_masked(value: Any) -> bool:
    """Is it an array of numpy's with values that are masked?"""
    numpy = sys.modules.get("numpy") if hasattr(value, "mask") else None
    return numpy is not None and numpy.ma.isMaskedArray(value) and bool(numpy.ma.is_masked(value))


def block_of_interface(value: Any, interface: Any, name: str) -> Block:
    if is_masked(value):
        raise ValueError(f"{name} has masked values")
    kind = interface["typestr"]
    if kind[1] == "V" and getattr(getattr(value, "dtype", None), "name", "") == "bfloat16":
        kind = kind[0] + "u2"
    if kind[1] not in "fiub":
        raise TypeError(f"{name} is an array of {getattr(value, 'dtype', kind)}, not of numbers")
    foreign = kind[0] in "<>" and kind[0] != NATIVE
    if interface.get("strides") is not None or foreign:
        numpy = numpy_of()
        if numpy is None:
            raise ValueError(f"{name} is not contiguous")
        value = numpy.ascontiguousarray(value)
        value = value.astype(value.dtype.newbyteorder("=")) if foreign else value
        interface = value.__array_interface__
    return Block(interface["data"][0], tuple(interface["shape"]), kind[1:], value)


def block_of_view(view: Any, name: str) -> Block:
    # ctypes writes its byte order before the letter; "l" has then its standard size.
    letter, ordered = view.format.lstrip("@"), view.format[:1] in (NATIVE, "=")
    kind = FORMATS.get(letter[1:] if ordered else letter)
    if ordered and kind is not None and int(kind[1:]) != view.itemsize:
        kind = f"{kind[0]}{view.itemsize}"
    if kind is None:
        raise TypeError(f"{name} has elements of format {view.format!r}, not numbers")
    if view.nbytes == 0:
        return Block(0, view.shape, kind, view)
    if view.readonly or not view.c_contiguous:  # tobytes() closes gaps
        address, owner = address_of_bytes(view.tobytes())
        return Block(address, view.shape, kind, owner)
    owner = (ctypes.c_char * view.nbytes).from_buffer(view)
    return Block(ctypes.addressof(owner), view.shape, kind, owner)


def address_of_bytes(data: bytes) -> tuple[int, Any]:
    owner = ctypes.create_string_buffer(data, max(len(data), 1))
    return ctypes.addressof(owner), owner


def pack(block: Block, letter: str, name: str) -> Block:
    """The same numbers in an array.array of another type."""
    letters = {kind: letter for letter, kind in FORMATS.items()}
    source = letters.get(block.kind)
    numpy = numpy_of() if hasattr(block.owner, "astype") else None
    if source is None and (numpy is None or block.kind[0] not in "fiu"):
        raise TypeError(f"{name} has elements of type {block.kind}")
    count = 1
    for length in block.shape:
        count *= length
    if numpy is not None:
        with numpy.errstate(over="ignore"):  # the library tells what became infinite
            made = block.owner.astype({"f": "f4", "d": "f8", "q": "i8"}[letter])
        return Block(made.__array_interface__["data"][0], block.shape, FORMATS[letter], made)
    size = count * int(block.kind[1:])
    values = struct.unpack(f"{count}{source}", ctypes.string_at(block.address, size) if size else b"")
    made = pack_list(values, letter, name)
    return Block(made.buffer_info()[0], block.shape, FORMATS[letter], made)


def pack_list(values: Any, letter: str, name: str) -> array.array[Any]:
    """A list of numbers as an array.array; TypeError names the first that is none."""
    try:
        return array.array(letter, values)
    except (TypeError, ValueError, OverflowError) as error:
        for i, value in enumerate(values):
            try:
                array.array(letter, (value,))
            except OverflowError:
                raise ValueError(f"{name}[{i}] is {value!r}: out of range") from None
            except (TypeError, ValueError):
                raise TypeError(f"{name}[{i}] is {describe(value)}, not a number") from None
        raise TypeError(f"{name}: {error}") from None


def describe(value: Any) -> str:
    """A value's type for a message, with its article."""
    if value is None:
        return "None"
    kind = type(value).__name__
    return ("an " if kind[:1].lower() in "aeiou" else "a ") + kind


class Matrix:
    """rows x dim elements of a dense field, row-major. element: F32, or that of the field (then raw). valid: a byte a row, or None."""

    __slots__ = ("address", "rows", "dim", "element", "raw", "valid", "single", "owner")

    def __init__(self, address: Any, rows: Any, dim: int, element: int, owner: Any, single: bool = False, valid: Any = None) -> None:
        self.address = address
        self.rows = rows
        self.dim = dim
        self.element = element
        self.raw = element != F32
        self.valid = valid
        self.single = single
        self.owner = owner


def widened(block: Block) -> Block:
    """Numbers of bf16, which are the upper halves of those of f32, as these."""
    if hasattr(block.owner, "astype"):
        made = (block.owner.astype("u4") << 16).view("f4")
        return Block(made.__array_interface__["data"][0], block.shape, "f4", made)
    count = 1
    for length in block.shape:
        count *= length
    made = widened_bytes(ctypes.string_at(block.address, 2 * count) if count else b"")
    return Block(made.buffer_info()[0], block.shape, "f4", made)


def widened_bytes(data: bytes) -> array.array[float]:
    """The same of bytes, as an array.array."""
    made = array.array("f")
    made.frombytes(array.array("I", (half << 16 for half in array.array("H", data))).tobytes())
    return made


def unpacked(data: bytes, dim: int) -> array.array[float]:
    """Bits, the lowest of a byte first, as numbers 0 and 1."""
    return array.array("f", (data[i >> 3] >> (i & 7) & 1 for i in range(dim)))


def matrix_of(value: Any, name: str, element: int = F32, dim: int | None = None, keep: bool = True) -> Matrix:
    """Vectors as a Matrix. One vector is a matrix of one row that says it is single. element, dim: those of the field.

    Arrays of the field's own element type are taken as they are (bf16 as u2; bits as u1, eight to a byte); others become f32. keep=False:
    bf16 becomes f32, too. Of a masked array rows that are masked whole are no vectors.
    """
    valid = None
    if is_masked(value):
        value, valid = unmasked(value, name)
    if element == BIT and isinstance(value, (bytes, bytearray)) and dim is not None:
        value = memoryview(value)
    block = block_of(value, name)
    if block is None:
        return matrix_of_lists(value, name, dim, element)
    if len(block.shape) not in (1, 2):
        raise ValueError(f"{name} has {len(block.shape)} dimensions, not 1 (one vector) or 2 (a vector a row)")
    single = len(block.shape) == 1
    rows, width = (1, block.shape[0]) if single else block.shape
    raw = RAW.get(block.kind) == element
    if raw and element == BIT and dim is not None and width == (dim + 7) // 8 and width != dim:
        return Matrix(block.address, rows, dim, element, block.owner, single, valid)
    raw = raw and element != BIT
    if raw and element == BF16 and not keep:
        block, raw = widened(block), False
    elif block.kind != "f4" and not raw:
        block = pack(block, "f", name)
    if dim is not None and width != dim:
        raise ValueError(f"{name} has vectors of {width} numbers, the field has {dim}")
    return Matrix(block.address, rows, width, element if raw else F32, block.owner, single, valid)


def unmasked(value: Any, name: str) -> tuple[Any, bytes]:
    """(array, a byte for each row: is it there?) of a masked array of two dimensions."""
    numpy = numpy_of()
    mask = numpy.ma.getmaskarray(value)
    if mask.ndim != 2 or not (mask.all(axis=1) == mask.any(axis=1)).all():
        raise ValueError(f"{name} has masked values: a vector is there or is not, it has no gaps")
    return numpy.ascontiguousarray(value.filled(0)), (~mask.any(axis=1)).astype("u1").tobytes()


def matrix_of_lists(value: Any, name: str, dim: int | None, element: int = F32) -> Matrix:
    try:
        rows = list(value) if not isinstance(value, (str, bytes, dict)) else None
    except TypeError:
        rows = None
    if rows is None:
        raise TypeError(f"{name} is {describe(value)}, not an array or a list of numbers")
    if not rows:
        return Matrix(0, 0, dim or 0, F32, None)
    if isinstance(rows[0], (int, float)) or (hasattr(rows[0], "__float__") and not hasattr(rows[0], "__len__")):
        numbers = pack_list(rows, "f", name)
        if dim is not None and len(numbers) != dim:
            raise ValueError(f"{name} has {len(numbers)} numbers, the field has {dim}")
        return Matrix(numbers.buffer_info()[0], 1, len(numbers), F32, numbers, True)
    packed = [None if row is None else row_numbers(row, f"{name}[{i}]", element, dim) for i, row in enumerate(rows)]
    width = dim if dim is not None else next((len(row) for row in packed if row is not None), 0)
    numbers, valid = array.array("f"), bytearray(len(packed))
    for i, row in enumerate(packed):
        if row is None:
            numbers.frombytes(bytes(4 * width))
            continue
        if len(row) != width:
            raise ValueError(f"{name}[{i}] has {len(row)} numbers, not {width}")
        valid[i] = 1
        numbers.extend(row)
    return Matrix(numbers.buffer_info()[0], len(packed), width, F32, numbers, False, None if all(valid) else bytes(valid))


def row_numbers(row: int, name: str, element: int = F32, dim: int | None = None) -> array.array[float]:
    """The numbers of one vector of a list. What is in the field's own elements (bf16 as u2, packed bits) is understood as that."""
    if element == BIT and isinstance(row, (bytes, bytearray)) and dim is not None:
        row = memoryview(row)
    block = block_of(row, name)
    if block is None:
        if isinstance(row, (str, bytes, dict, set)) or not hasattr(row, "__iter__"):
            raise TypeError(f"{name} is {describe(row)}, not a list of numbers")
        return pack_list(list(row), "f", name)
    if len(block.shape) != 1:
        raise ValueError(f"{name} has {len(block.shape)} dimensions, not 1")
    if block.kind == "u1" and element == BIT and dim is not None and block.shape[0] == (dim + 7) // 8 and block.shape[0] != dim:
        return unpacked(ctypes.string_at(block.address, block.shape[0]), dim)
    if block.kind == "u2" and element == BF16:
        block = widened(block)
    if block.kind != "f4":
        block = pack(block, "f", name)
    numbers = array.array("f")
    numbers.frombytes(ctypes.string_at(block.address, 4 * block.shape[0]) if block.shape[0] else b"")
    return numbers


def numbers_of(value: Any, letter: str, name: str) -> Block:
    """A list or array of numbers, one dimension, as a Block of exactly this array.array type."""
    block = block_of(value, name)
    if block is None:
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
            raise TypeError(f"{name} is {describe(value)}, not a list of numbers")
        made = pack_list(list(value), letter, name)
        return Block(made.buffer_info()[0], (len(made),), FORMATS[letter], made)
    if len(block.shape) != 1:
        raise ValueError(f"{name} has {len(block.shape)} dimensions, not 1")
    if block.kind == FORMATS[letter]:
        return block
    if letter not in "fd" and block.kind[0] == "f":
        raise TypeError(f"{name} holds fractions, not whole numbers")
    if letter in "qQIL" and hasattr(block.owner, "astype"):
        target = FORMATS[letter]
        low, high = (0, 2 ** (8 * int(target[1:])) - 1) if target[0] == "u" else (-(2 ** 63), 2 ** 63 - 1)
        if block.shape[0] and (int(block.owner.min()) < low or int(block.owner.max()) > high):
            raise ValueError(f"{name} holds numbers out of range: they are from {low} to {high}")
        if block.kind[1:] == target[1:]:  # with a sign or without it is the same number
            return Block(block.address, block.shape, target, block.owner)
        other = block.owner.astype(target)
        return Block(other.__array_interface__["data"][0], block.shape, target, other)
    if letter in "fd":
        return pack(block, letter, name)
    source = {kind: letter for letter, kind in FORMATS.items()}[block.kind]
    values = array.array("B" if source == "?" else source)
    values.frombytes(ctypes.string_at(block.address, int(block.kind[1:]) * block.shape[0]) if block.shape[0] else b"")
    made = pack_list(values, letter, name)
    return Block(made.buffer_info()[0], block.shape, FORMATS[letter], made)

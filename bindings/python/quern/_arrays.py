"""Vectors and columns of numbers: from whatever a caller has to an address that the library can read.

What already lies in memory as the library wants it (numpy arrays, array.array, memoryviews, anything with __array_interface__) is
not copied. Arrays of other numbers, or with gaps between their elements, are copied once; lists are packed. numpy is used where the
caller's array is one, and imported nowhere else.
"""
import array
import ctypes
import struct
import sys

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


def numpy_of():
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

    def __init__(self, address, shape, kind, owner):
        self.address = address
        self.shape = shape
        self.kind = kind
        self.owner = owner


def block_of(value, name):
    """The numbers of an array, contiguous and in the machine's byte order; None if it is no array."""
    if isinstance(value, (str, bytes, list, tuple, dict, set)):
        return None
    interface = getattr(value, "__array_interface__", None)
    if interface is None and hasattr(value, "__array__") and numpy_of() is not None:
        try:
            value = numpy_of().asarray(value)  # tensors
        except Exception as error:
            raise TypeError(f"{name} cannot be made an array: {error}") from None
        interface = value.__array_interface__
    if isinstance(interface, dict):
        return block_of_interface(value, interface, name)
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError):
        return None
    return block_of_view(view, name)


def block_of_interface(value, interface, name):
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


def block_of_view(view, name):
    kind = FORMATS.get(view.format.lstrip("@"))
    if kind is None:
        raise TypeError(f"{name} has elements of format {view.format!r}, not numbers")
    if view.nbytes == 0:
        return Block(0, view.shape, kind, view)
    if view.readonly or not view.c_contiguous:  # tobytes() closes gaps
        address, owner = address_of_bytes(view.tobytes())
        return Block(address, view.shape, kind, owner)
    owner = (ctypes.c_char * view.nbytes).from_buffer(view)
    return Block(ctypes.addressof(owner), view.shape, kind, owner)


def address_of_bytes(data):
    owner = ctypes.create_string_buffer(data, max(len(data), 1))
    return ctypes.addressof(owner), owner


def pack(block, letter, name):
    """The same numbers in an array.array of another type."""
    letters = {kind: letter for letter, kind in FORMATS.items()}
    source = letters.get(block.kind)
    if source is None:
        raise TypeError(f"{name} has elements of type {block.kind}")
    count = 1
    for length in block.shape:
        count *= length
    numpy = numpy_of()
    if numpy is not None and hasattr(block.owner, "astype"):
        with numpy.errstate(over="ignore"):  # the library tells what became infinite
            made = block.owner.astype({"f": "f4", "d": "f8", "q": "i8"}[letter])
        return Block(made.__array_interface__["data"][0], block.shape, FORMATS[letter], made)
    size = count * int(block.kind[1:])
    values = struct.unpack(f"{count}{source}", ctypes.string_at(block.address, size) if size else b"")
    made = pack_list(values, letter, name)
    return Block(made.buffer_info()[0], block.shape, FORMATS[letter], made)


def pack_list(values, letter, name):
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


def describe(value):
    """A value's type for a message, with its article."""
    if value is None:
        return "None"
    kind = type(value).__name__
    return ("an " if kind[:1].lower() in "aeiou" else "a ") + kind


class Matrix:
    """rows x dim elements of a dense field, row-major. element: F32, or that of the field (then raw). valid: a byte a row, or None."""

    __slots__ = ("address", "rows", "dim", "element", "raw", "valid", "single", "owner")

    def __init__(self, address, rows, dim, element, owner, single=False, valid=None):
        self.address = address
        self.rows = rows
        self.dim = dim
        self.element = element
        self.raw = element != F32
        self.valid = valid
        self.single = single
        self.owner = owner


def matrix_of(value, name, element=F32, dim=None):
    """Vectors as a Matrix. One vector is a matrix of one row that says it is single. element, dim: those of the field.

    Arrays of the field's own element type are taken as they are (bf16 as u2; bits as u1, eight to a byte); others become f32.
    """
    block = block_of(value, name)
    if block is None:
        return matrix_of_lists(value, name, dim)
    if len(block.shape) not in (1, 2):
        raise ValueError(f"{name} has {len(block.shape)} dimensions, not 1 (one vector) or 2 (a vector a row)")
    single = len(block.shape) == 1
    rows, width = (1, block.shape[0]) if single else block.shape
    raw = RAW.get(block.kind) == element
    if raw and element == BIT and dim is not None and width == (dim + 7) // 8 and width != dim:
        return Matrix(block.address, rows, dim, element, block.owner, single)
    raw = raw and element != BIT
    if block.kind != "f4" and not raw:
        block = pack(block, "f", name)
    if dim is not None and width != dim:
        raise ValueError(f"{name} has vectors of {width} numbers, the field has {dim}")
    return Matrix(block.address, rows, width, element if raw else F32, block.owner, single)


def matrix_of_lists(value, name, dim):
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
    packed = [None if row is None else row_numbers(row, f"{name}[{i}]") for i, row in enumerate(rows)]
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


def row_numbers(row, name):
    block = block_of(row, name)
    if block is None:
        if isinstance(row, (str, bytes, dict, set)) or not hasattr(row, "__iter__"):
            raise TypeError(f"{name} is {describe(row)}, not a list of numbers")
        return pack_list(list(row), "f", name)
    if len(block.shape) != 1:
        raise ValueError(f"{name} has {len(block.shape)} dimensions, not 1")
    if block.kind != "f4":
        block = pack(block, "f", name)
    numbers = array.array("f")
    numbers.frombytes(ctypes.string_at(block.address, 4 * block.shape[0]) if block.shape[0] else b"")
    return numbers


def numbers_of(value, letter, name):
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
        made = block.owner.astype(target)
        return Block(made.__array_interface__["data"][0], block.shape, target, made)
    if letter in "fd":
        return pack(block, letter, name)
    source = {kind: letter for letter, kind in FORMATS.items()}[block.kind]
    values = array.array("B" if source == "?" else source)
    values.frombytes(ctypes.string_at(block.address, int(block.kind[1:]) * block.shape[0]) if block.shape[0] else b"")
    made = pack_list(values, letter, name)
    return Block(made.buffer_info()[0], block.shape, FORMATS[letter], made)

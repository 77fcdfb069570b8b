"""Keys, attributes, texts and sparse vectors by columns, as quern_batch_* wants them, each checked with the name of its argument."""
from __future__ import annotations

import array
import ctypes
import json
import re
import sys
from collections.abc import KeysView, Set
from typing import Any

from ._arrays import Block, block_of, describe, is_masked, numbers_of
from ._library import api

INT, REAL, TEXT, BOOL, BLOB, JSON, TAGS, DENSE, SPARSE = range(1, 10)
TYPES = {"int": INT, "real": REAL, "text": TEXT, "bool": BOOL, "blob": BLOB, "json": JSON, "tags": TAGS}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
TYPE_NAMES.update({DENSE: "dense", SPARSE: "sparse"})
PYTHON_TYPES = {int: INT, float: REAL, str: TEXT, bool: BOOL, bytes: BLOB, dict: JSON, list: TAGS, set: TAGS}
INT_MIN, INT_MAX = -(2 ** 63), 2 ** 63 - 1
NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def encode(text: Any, name: str) -> bytes:
    """UTF-8 of a text that C can end with a NUL."""
    try:
        data: bytes = text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds half a character (a surrogate), which UTF-8 has not") from None
    except AttributeError:
        raise TypeError(f"{name} is {describe(text)}, not a text") from None
    if b"\0" in data:
        raise ValueError(f"{name} holds a NUL character")
    return data


def texts_of(values: Any, name: str) -> Any:
    """A list of texts, None among them, as a C array."""
    try:
        encoded = [None if value is None else value.encode() for value in values]
    except (AttributeError, UnicodeEncodeError):
        encoded = [None if value is None else encode(value if isinstance(value, str) else plain(value), f"{name}[{i}]")
                   for i, value in enumerate(values)]
    for i, data in enumerate(encoded):
        if data is not None and b"\0" in data:
            raise ValueError(f"{name}[{i}] holds a NUL character")
    return (ctypes.c_char_p * max(len(encoded), 1))(*encoded)


def plain(value: Any) -> Any:
    """A number or text of numpy's as one of Python's."""
    item = getattr(value, "item", None)
    return item() if item is not None and getattr(value, "shape", None) == () else value


def absent_values() -> tuple[Any, ...]:
    """What stands for a missing value in arrays and tables: None, and those of numpy and pandas where a program uses them."""
    numpy: Any = sys.modules.get("numpy")
    pandas: Any = sys.modules.get("pandas")
    return (None, *((numpy.ma.masked,) if hasattr(numpy, "ma") else ()), *((pandas.NA, pandas.NaT) if hasattr(pandas, "NaT") else ()))


def with_gaps(values: Any) -> Any:
    """Values in which nothing but None stands for a missing one: masked arrays, and arrays of pandas' that know missing values, as lists."""
    if is_masked(values):
        return values.tolist()
    if hasattr(values, "isna") and hasattr(getattr(values, "dtype", None), "na_value"):
        return [None if missing else value for value, missing in zip(values.tolist(), values.isna())]
    return values


def list_of(values: Any, name: str) -> list[Any]:
    """Values as a list; arrays give plain Python values."""
    if isinstance(values, list):
        return values
    if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} is {describe(values)}, not a list")
    tolist = getattr(values, "tolist", None)
    made = tolist() if tolist is not None else list(values)
    if not isinstance(made, list):
        raise TypeError(f"{name} is a single value, not a list")
    return made


def in_order(values: Any, name: str) -> Any:
    """The values; TypeError if they are a set, whose order is nobody's. (The keys of a dict have one.)"""
    if isinstance(values, Set) and not isinstance(values, KeysView):
        raise TypeError(f"{name} is {describe(values)}, which has no order to match records by; give a list")
    return values


def columns_of_frame(frame: Any, name: str) -> dict[str, Any]:
    """The columns of a DataFrame of pandas', as a dict."""
    names = list(frame.columns)
    if len(set(names)) < len(names):
        raise ValueError(f"{name} has two columns of one name")
    made = {}
    for attribute in names:
        column = frame[attribute]
        missing = column.isna()
        made[attribute] = [None if gone else value for value, gone in zip(column.tolist(), missing)] if missing.any() else column
    return made


class Keys:
    """The keys of a batch or query: n of them in a C array. is_text tells of which type."""

    __slots__ = ("n", "is_text", "array", "address")

    def __init__(self, values: Any, name: str = "ids", is_text: Any = None) -> None:
        """is_text: of which type keys are if there are none."""
        values = plain(values)  # numpy.int64(7) is 7
        if isinstance(values, (str, int)) and not isinstance(values, bool):
            values = [values]
        block = block_of(values, name) if not is_texts_array(values) else None
        if block is not None and block.shape == (0,):
            block, values = None, []
        if block is not None:
            if block.kind == "b1":
                raise TypeError(f"{name} holds bools, not keys")
            self.is_text = False
            self.array: Any = numbers_of(values, "q", name)
            self.n, self.address = self.array.shape[0], self.array.address
        else:
            self.take_list([plain(value) for value in list_of(values, name)], name, is_text)

    def check(self, name: str, is_text: Any) -> None:
        """TypeError if there are keys, of another type than the collection's."""
        if self.n and is_text != self.is_text:
            wanted, got = ("texts", "numbers") if is_text else ("whole numbers", "texts")
            hint = '; make it with key="int" for numbers' if is_text else ""
            raise TypeError(f"{name} are {got}, the keys of this collection are {wanted}{hint}")

    def take_list(self, values: Any, name: str, is_text: Any) -> None:
        self.n = len(values)
        self.is_text = isinstance(values[0], str) if values else bool(is_text)
        for i, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                raise TypeError(f"{name}[{i}] is {describe(value)}, not a text or a whole number")
            if isinstance(value, str) != self.is_text:
                raise TypeError(f"{name}[{i}] is {describe(value)}, the ones before are not: all are texts, or all are numbers")
        if self.is_text:
            self.array = texts_of(values, name)
            self.address = ctypes.addressof(self.array)
        else:
            self.array = numbers_of(values, "q", name)
            self.address = self.array.address

    def set(self, batch: Any) -> None:
        (api.quern_batch_key_text if self.is_text else api.quern_batch_key_int)(batch, self.address)


def is_texts_array(values: Any) -> bool:
    """numpy's arrays of texts or of objects, which are lists to us."""
    return getattr(getattr(values, "dtype", None), "kind", "") in ("U", "O", "S")


def infer_type(values: Any, name: str) -> int | None:
    """The type of an attribute that holds these values; None if all of them are None."""
    dtype = getattr(values, "dtype", None)
    if dtype is not None and getattr(dtype, "kind", "") in "iufb":
        return {"i": INT, "u": INT, "f": REAL, "b": BOOL}[dtype.kind]
    found = set()
    for i, value in enumerate(list_of(values, name)):
        if value is None:
            continue
        value = plain(value)
        kind = PYTHON_TYPES.get(type(value))
        if isinstance(value, (list, tuple, set, frozenset)):
            kind = TAGS if all(isinstance(tag, str) for tag in value) else JSON
        if kind is None:
            raise TypeError(f"{name}[{i}] is {describe(value)}, which no attribute can hold")
        found.add(kind)
    if found == {INT, REAL}:
        return REAL
    if found == {TAGS, JSON}:
        return JSON
    if len(found) > 1:
        raise TypeError(f"{name} holds values of several types: {', '.join(sorted(TYPE_NAMES[kind] for kind in found))}")
    return found.pop() if found else None


def folded(name: str) -> bytes:
    """What the spellings of one name have in common: they differ only in the case of ASCII letters."""
    return name.encode("utf-8", "surrogatepass").lower()


class Spelling:
    """One spelling for each name: the one that is known, else the first that comes."""

    __slots__ = ("names",)

    def __init__(self, known: Any) -> None:
        self.names: dict[bytes, str] = {folded(name): name for name in known}

    def of(self, name: str) -> str:
        return self.names.setdefault(folded(name), name)

    def respelled(self, values: dict[str, Any], label: str) -> dict[str, Any]:
        """A dict with these spellings."""
        made: dict[str, Any] = {}
        for name, value in values.items():
            if self.of(name) in made:
                other = next(other for other in values if folded(other) == folded(name))
                raise ValueError(f"{label} has {other!r} and {name!r}, which are one attribute")
            made[self.of(name)] = value
        return made


def columns_of(metadata: Any, n: int, spelling: Spelling, name: str = "metadata", ragged: bool = True) -> dict[str, Any]:
    """Metadata as {attribute: values of all n records}: a dict of columns, a DataFrame, or a list with a dict (or None) for each record."""
    if metadata is None:
        return {}
    if hasattr(metadata, "columns") and hasattr(metadata, "iloc"):
        metadata = columns_of_frame(metadata, name)
    if isinstance(metadata, dict):
        for attribute, values in metadata.items():
            check_name(attribute, name)
            label = f"{name}[{attribute!r}]"
            in_order(values, label)
            if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__len__"):
                raise TypeError(f"{label} is {describe(values)}, not a list with a value for each record")
            if len(values) != n:
                raise ValueError(f"{label} has {len(values)} values for {n} records")
        return {attribute: with_gaps(values) for attribute, values in spelling.respelled(metadata, name).items()}
    rows = list_of(in_order(metadata, name), name)
    if len(rows) != n:
        raise ValueError(f"{name} has {len(rows)} entries for {n} records")
    names = {}
    for i, row in enumerate(rows):
        if row is not None and not isinstance(row, dict):
            raise TypeError(f"{name}[{i}] is {describe(row)}, not a dict")
        for attribute in row or ():
            check_name(attribute, f"{name}[{i}]")
            names[attribute] = True
    if any(spelling.of(attribute) != attribute for attribute in names):
        rows = [row and spelling.respelled(row, f"{name}[{i}]") for i, row in enumerate(rows)]
        names = {spelling.of(attribute): True for attribute in names}
    if not ragged:
        for i, row in enumerate(rows):
            lacking = names.keys() - (row or {}).keys()
            if lacking:
                raise ValueError(f"{name}[{i}] has no {sorted(lacking)[0]!r}, which others have: give each record all that is to change")
    made = {attribute: [None if row is None else row.get(attribute) for row in rows] for attribute in names}
    absent = {id(value) for value in absent_values()}
    return made if len(absent) == 1 else {attribute: [None if id(value) in absent else value for value in values] for attribute, values in made.items()}


def check_name(attribute: str, name: str) -> None:
    if not isinstance(attribute, str):
        raise TypeError(f"{name} has the name {attribute!r}, which is no text")
    encode(attribute, f"a name in {name}")


def set_attribute(batch: Any, attribute: bytes, kind: int, values: Any, name: str) -> Any:
    """Sets an attribute column; returns what has to stay alive until the batch is used."""
    setter = SETTERS.get(kind)
    if setter is None:
        raise TypeError(f"{name}: no attribute has this type")
    return setter(batch, attribute, values, name)


# An attribute gets its type by the first values that are seen.
FRACTION_HINT = ": the attribute is of type int; declare it before its first value, with attributes={name: float} or add_attribute(name, float)"


def valid_of(values: Any) -> bytes | None:
    """(bytes of 0 and 1, or None when nothing is missing)."""
    return bytes(value is not None for value in values) if any(value is None for value in values) else None


def set_numbers(batch: Any, attribute: bytes, values: Any, name: str, letter: str, setter: Any) -> Any:
    block = block_of(values, name) if not is_texts_array(values) else None
    if block is not None:
        if letter == "q" and block.kind[0] == "f":
            raise TypeError(f"{name} holds fractions, not whole numbers{FRACTION_HINT}")
        block, valid = numbers_of(values, letter, name), None
    else:
        values = list_of(values, name)
        valid = valid_of(values)
        filled = [0 if value is None else plain(value) for value in values] if valid else [plain(value) for value in values]
        for i, value in enumerate(filled):
            if isinstance(value, bool) or not isinstance(value, (int, float) if letter == "d" else int):
                wanted = "a number" if letter == "d" else "a whole number" + (FRACTION_HINT if isinstance(value, float) else "")
                raise TypeError(f"{name}[{i}] is {describe(value)}, not {wanted}")
            if letter == "q" and not INT_MIN <= value <= INT_MAX:
                raise ValueError(f"{name}[{i}] is {value}: out of range of 64 bits")
        block = numbers_of(filled, letter, name)
    setter(batch, attribute, block.address, valid)
    return block, valid


def set_int(batch: Any, attribute: bytes, values: Any, name: str) -> Any:
    return set_numbers(batch, attribute, values, name, "q", api.quern_batch_int)


def set_real(batch: Any, attribute: bytes, values: Any, name: str) -> Any:
    return set_numbers(batch, attribute, values, name, "d", api.quern_batch_real)


def set_bool(batch: Any, attribute: bytes, values: Any, name: str) -> Any:
    values = [plain(value) for value in list_of(values, name)]
    for i, value in enumerate(values):
        if value is not None and not (isinstance(value, bool) or value in (0, 1) and isinstance(value, int)):
            raise TypeError(f"{name}[{i}] is {describe(value)}, not a bool")
    data, valid = bytes(bool(value) for value in values), valid_of(values)
    kept = ctypes.create_string_buffer(data, len(data) + 1)
    api.quern_batch_bool(batch, attribute, ctypes.addressof(kept), valid)
    return kept, valid


def set_text(batch: Any, attribute: bytes, values: Any, name: str) -> Any:
    kept = texts_of(list_of(values, name), name)
    api.quern_batch_text(batch, attribute, kept, None)
    return kept


def set_json(batch: Any, attribute: bytes, values: Any, name: str) -> Any:
    made = []
    for i, value in enumerate(list_of(values, name)):
        if isinstance(value, (set, frozenset)):
            value = sorted(value)
        try:
            text = None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{name}[{i}] cannot be JSON: {error}") from None
        if text is not None and "\\u0000" in text and NUL_IN_JSON.search(text):
            raise ValueError(f"{name}[{i}] holds a NUL character in a text or name")  # where SQLite's functions of JSON would end it
        made.append(text)
    return set_text(batch, attribute, made, name)


def set_blob(batch: Any, attribute: bytes, values: Any, name: str) -> Any:
    values = list_of(values, name)
    for i, value in enumerate(values):
        if value is not None and not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"{name}[{i}] is {describe(value)}, not bytes")
    kept = [None if value is None else bytes(value) for value in values]
    pointers = (ctypes.c_char_p * len(kept))(*kept)
    sizes = (ctypes.c_size_t * len(kept))(*(len(value or b"") for value in kept))
    valid = valid_of(kept)
    api.quern_batch_blob(batch, attribute, pointers, sizes, valid)
    return kept, pointers, sizes, valid


def set_tags(batch: Any, attribute: bytes, values: Any, name: str) -> Any:
    values = list_of(values, name)
    offsets, flat = array.array("Q", (0,)), []
    for i, value in enumerate(values):
        if value is not None:
            if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__iter__"):
                raise TypeError(f"{name}[{i}] is {describe(value)}, not a list of texts")
            for tag in value:
                flat.append(encode(plain(tag), f"{name}[{i}]"))
        offsets.append(len(flat))
    tags, valid = (ctypes.c_char_p * max(len(flat), 1))(*flat), valid_of(values)
    api.quern_batch_tags(batch, attribute, offsets.buffer_info()[0], tags, valid)
    return offsets, tags, valid


SETTERS = {INT: set_int, REAL: set_real, TEXT: set_text, BOOL: set_bool, BLOB: set_blob, JSON: set_json, TAGS: set_tags}


class SparseRows:
    """Sparse vectors as offsets, dimensions and weights. Taken from

        (offsets, dims, weights)     three arrays of numpy's, not copied if they are of 64, 32 and (f32) 32 bits; weights may be None
        a sparse matrix of scipy's                  a csr_matrix lends its dims and weights, others become one
        {dim: weight} or (dims, weights)            one vector
        a list of such vectors, None among them
    """

    __slots__ = ("n", "offsets", "dims", "weights", "valid", "single")

    def __init__(self, value: Any, name: str = "sparse") -> None:
        self.valid: bytes | None = None
        if is_sparse_matrix(value):
            value = triple_of(value, name)
        self.single = isinstance(value, dict) or is_pair(value)
        if isinstance(value, tuple) and len(value) == 3 and block_like(value[0]):
            self.take_triple(value[0], value[1], value[2], name)
            return
        rows = [value] if self.single else value
        if isinstance(rows, (str, bytes)) or not hasattr(rows, "__iter__"):
            raise TypeError(f"{name} is {describe(value)}, not sparse vectors")
        self.take_rows(list(rows), name, self.single)

    def take_triple(self, offsets: Any, dims: Any, weights: Any, name: str) -> None:
        self.offsets = numbers_of(offsets, "Q", f"{name}: offsets")
        self.dims = numbers_of(dims, "I", f"{name}: dims")
        self.weights = None if weights is None else numbers_of(weights, "f", f"{name}: weights")
        self.n = self.offsets.shape[0] - 1
        if self.n < 0:
            raise ValueError(f"{name}: offsets is empty; it has an entry more than there are vectors")
        ends = (ctypes.c_uint64 * self.offsets.shape[0]).from_address(self.offsets.address)
        entries = self.dims.shape[0]
        if self.weights is not None and self.weights.shape[0] != entries:
            raise ValueError(f"{name} has {entries} dims and {self.weights.shape[0]} weights")
        if ends[self.n] != entries or ends[0] != 0:
            raise ValueError(f"{name}: offsets go from {ends[0]} to {ends[self.n]}, there are {entries} entries")
        # The library would see this, too, but perhaps behind a row that leads outside.
        if falls(self.offsets):
            raise ValueError(f"{name}: offsets go down")

    def take_rows(self, rows: Any, name: str, single: Any) -> None:
        offsets, dims, weights, valid = array.array("Q", (0,)), array.array("I"), array.array("f"), bytearray(len(rows))
        for i, row in enumerate(rows):
            label = name if single else f"{name}[{i}]"
            if row is not None:
                valid[i] = 1
                if isinstance(row, dict):
                    row = (list(row.keys()), list(row.values()))
                if not is_pair(row):
                    raise TypeError(f"{label} is {describe(row)}, not {{dim: weight}} or (dims, weights)")
                row_dims = pack_dims(row[0], f"{label}: dims")
                row_weights = numbers_of(row[1], "f", f"{label}: weights")
                if row_weights.shape[0] != len(row_dims):
                    raise ValueError(f"{label} has {len(row_dims)} dims and {row_weights.shape[0]} weights")
                dims.extend(row_dims)
                if len(row_dims):
                    weights.frombytes(ctypes.string_at(row_weights.address, 4 * len(row_dims)))
            offsets.append(len(dims))
        self.n = len(rows)
        packed: tuple[array.array[Any], ...] = (offsets, dims, weights)
        self.offsets, self.dims, self.weights = (Block(made.buffer_info()[0], (len(made),), "", made) for made in packed)
        self.valid = None if all(valid) else bytes(valid)

    def addresses(self) -> Any:
        return self.offsets.address, self.dims.address or None, None if self.weights is None else self.weights.address or None


def is_sparse_matrix(value: Any) -> bool:
    """One of scipy's, or with the same names. (A dok_matrix is a dict, too.)"""
    return hasattr(value, "tocsr") or hasattr(value, "indptr") and hasattr(value, "indices")


def settled(value: Any) -> Any:
    """What can be read twice: iterators, also those in dicts and lists, as lists."""
    if isinstance(value, dict):
        return value if is_sparse_matrix(value) else {name: settled(part) for name, part in value.items()}
    if hasattr(value, "__next__"):
        value = list(value)
    if isinstance(value, list) and any(hasattr(part, "__next__") for part in value):
        return [list(part) if hasattr(part, "__next__") else part for part in value]
    return value


def triple_of(matrix: Any, name: str) -> Any:
    """Offsets, dims and weights of a sparse matrix, row by row. That of columns has the same names, and means something else."""
    if hasattr(matrix, "tocsr"):
        if getattr(matrix, "format", "csr") != "csr" or not hasattr(matrix, "indptr"):
            matrix = matrix.tocsr()
    elif getattr(matrix, "format", "csr") != "csr":
        raise TypeError(f"{name} is a sparse matrix of the format {matrix.format!r}, not csr")
    shape = getattr(matrix, "shape", None)
    if isinstance(shape, tuple) and len(shape) == 2 and shape[0] + 1 != len(matrix.indptr):
        raise ValueError(f"{name} has {len(matrix.indptr)} offsets for {shape[0]} rows")
    return matrix.indptr, matrix.indices, matrix.data


def falls(offsets: Any) -> bool:
    """Is any number of a Block of u64 less than the one before?"""
    values = offsets.owner
    if not hasattr(values, "dtype"):
        values = (ctypes.c_uint64 * offsets.shape[0]).from_address(offsets.address)
        return any(values[i] > values[i + 1] for i in range(len(values) - 1))
    return bool((values[1:] < values[:-1]).any())


def pack_dims(values: Any, name: str) -> array.array[int]:
    if isinstance(values, (list, tuple)):
        for i, value in enumerate(values):
            value = plain(value)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2 ** 32:
                raise ValueError(f"{name}[{i}] is {value!r}, not a whole number from 0 to 4294967295")
    block = numbers_of(values, "I", name)
    made = array.array("I")
    made.frombytes(ctypes.string_at(block.address, 4 * block.shape[0]) if block.shape[0] else b"")
    return made


def is_pair(value: Any) -> bool:
    """(dims, weights), and not two vectors in a tuple."""
    return isinstance(value, tuple) and len(value) == 2 and all(block_like(part) for part in value)


def block_like(value: Any) -> bool:
    return isinstance(value, (list, tuple, array.array)) and not (len(value) and isinstance(value[0], (dict, list, tuple))) \
        or hasattr(value, "__array_interface__")

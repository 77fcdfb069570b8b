"""What a collection holds: Schema to make one, and to tell what one has."""
from __future__ import annotations

import ctypes
from typing import Any

from ._arrays import ELEMENT_NAMES, ELEMENTS, describe
from ._columns import INT, PYTHON_TYPES, TEXT, TYPE_NAMES, TYPES, encode
from ._errors import OutOfMemoryError, call
from ._library import api

METRICS = {"l2": 1, "ip": 2, "cosine": 3, "hamming": 4}
METRIC_NAMES = {number: name for name, number in METRICS.items()}
KEYS = {"text": True, str: True, "int": False, int: False}


def option_text(options: Any, name: str) -> bytes | None:
    """Options of quern.h, "key=value key=value", from such a text or a dict."""
    if options is None:
        return None
    if isinstance(options, dict):
        options = " ".join(f"{key}={option_value(value)}" for key, value in options.items() if value is not None)
    if not isinstance(options, str):
        raise TypeError(f"{name} is {describe(options)}, not a text key=value or a dict")
    return encode(options, name)


def option_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (list, tuple)):
        return ",".join(str(part) for part in value)
    return value


def whole(value: Any, name: str, least: int = 0, most: Any = 2 ** 63 - 1) -> int:
    """A whole number in its bounds."""
    if isinstance(value, bool) or not isinstance(value, int):
        value = getattr(value, "item", lambda: value)()
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} is {describe(value)}, not a whole number")
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}, not between {least} and {most}")
    return value


class Field:
    """A field of vectors or texts. kind: dense, sparse or text. dim, metric, type: of dense ones. options: as quern.h has them."""

    __slots__ = ("kind", "dim", "metric", "type", "options")

    def __init__(self, kind: str, dim: int = 0, metric: str | None = None, type: str | None = None, options: Any = None) -> None:
        self.kind = kind
        self.dim = dim
        self.metric = metric
        self.type = type
        self.options = options

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Field) and (self.kind, self.dim, self.metric, self.type) == (other.kind, other.dim, other.metric, other.type)

    def __hash__(self) -> int:
        return hash((self.kind, self.dim, self.metric, self.type))

    def __repr__(self) -> str:
        told = {"dim": self.dim, "metric": self.metric, "type": self.type, "options": self.options}
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value in told.items() if value)})"


def dense(dim: int, metric: str = "cosine", **options: Any) -> Field:
    """A field of vectors of dim elements under "l2", "ip", "cosine" or "hamming". Options are those of quern_schema_dense:
    type="f16", index="graph", codes="4bit", m=16, ..."""
    whole(dim, "dim", 1, 65536)
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}, not one of {', '.join(METRICS)}")
    return Field("dense", dim, metric, options.get("type") or ("bit" if metric == "hamming" else "f32"), options)


def sparse(**options: Any) -> Field:
    """A field of sparse vectors; options of quern_schema_sparse: dims=30522, weights="none", index="none"."""
    return Field("sparse", options=options)


def text(options: str | None = None) -> Field:
    """A field of texts that are searched by their words; options of quern_schema_text: "porter stop=english"."""
    return Field("text", options=options)


class Schema:
    """key: "text" or "int", or str or int. fields: {name: dense(384), sparse(), text()}. attributes: {name: type}, types being "int", "real",
    "text", "bool", "blob", "json", "tags", or int, float, str, bool, bytes, dict, list."""

    def __init__(self, fields: dict[str, Field] | None = None, attributes: dict[str, Any] | None = None, key: Any = "text",
                 key_name: str = "id") -> None:
        if key not in ("text", "int", str, int):
            raise ValueError(f'key is {key!r}, not "text" or "int"')
        self.key = "text" if KEYS[key] else "int"
        self.key_name = key_name
        self.fields = dict(fields or {})
        for name, field in self.fields.items():
            if not isinstance(field, Field):
                raise TypeError(f"fields[{name!r}] is {describe(field)}; make it with dense(), sparse() or text()")
        self.attributes = {name: type_number(kind, f"attributes[{name!r}]") for name, kind in dict(attributes or {}).items()}

    @property
    def text_keys(self) -> bool:
        return self.key == "text"

    def tells(self) -> Any:
        """What two schemas differ in."""
        return self.key, self.key_name, self.fields, self.attributes

    def names_of(self, kind: Any) -> list[str]:
        return [name for name, field in self.fields.items() if field.kind == kind]

    def types(self) -> dict[str, int]:
        """{name: type} of all that a filter may name."""
        return {self.key_name: TEXT if self.text_keys else INT, **self.attributes}

    def to_c(self) -> Any:
        """A quern_schema, to be freed by the caller."""
        made = api.quern_schema_new()
        if not made:
            raise OutOfMemoryError("out of memory")
        try:
            (api.quern_schema_key_text if self.text_keys else api.quern_schema_key_int)(made, encode(self.key_name, "key_name"))
            for name, kind in self.attributes.items():
                api.quern_schema_attr(made, encode(name, "attributes"), kind, None)
            for name, field in self.fields.items():
                label = f"fields[{name!r}]"
                options = option_text(field.options, f"{label}: options")
                if field.kind == "dense":
                    api.quern_schema_dense(made, encode(name, label), field.dim, METRICS[field.metric or ""], options)
                else:
                    add = api.quern_schema_sparse if field.kind == "sparse" else api.quern_schema_text
                    add(made, encode(name, label), options)
        except BaseException:
            api.quern_schema_free(made)
            raise
        return made

    @classmethod
    def of_c(cls, handle: Any) -> Schema:
        """What a quern_schema tells."""
        attributes = {api.quern_schema_attr_name(handle, i).decode(): api.quern_schema_attr_type(handle, i)
                      for i in range(api.quern_schema_attr_count(handle))}
        fields = {}
        for i in range(api.quern_schema_dense_count(handle)):
            fields[api.quern_schema_dense_name(handle, i).decode()] = Field(
                "dense", api.quern_schema_dense_dim(handle, i), METRIC_NAMES.get(api.quern_schema_dense_metric(handle, i)),
                ELEMENT_NAMES.get(api.quern_schema_dense_type(handle, i)))
        for i in range(api.quern_schema_sparse_count(handle)):
            fields[api.quern_schema_sparse_name(handle, i).decode()] = Field("sparse", options=sparse_options(handle, i))
        for i in range(api.quern_schema_text_count(handle)):
            fields[api.quern_schema_text_name(handle, i).decode()] = Field("text", options=(api.quern_schema_text_options(handle, i) or b"").decode())
        made = cls(fields, None, "text" if api.quern_schema_key_type(handle) == 2 else "int", api.quern_schema_key_name(handle).decode())
        made.attributes = attributes
        return made

    def __repr__(self) -> str:
        attributes = {name: TYPE_NAMES[kind] for name, kind in self.attributes.items()}
        return f"Schema(fields={self.fields!r}, attributes={attributes!r}, key={self.key!r}, key_name={self.key_name!r})"


def sparse_options(handle: Any, i: int) -> str:
    """Those of a sparse field in a quern_schema that are not defaults."""
    dims = api.quern_schema_sparse_dims(handle, i)
    told = [f"dims={dims}"] if dims != 2 ** 32 else []
    told += ["weights=none"] if api.quern_schema_sparse_type(handle, i) == ELEMENTS["bit"] else []
    others = (api.quern_schema_sparse_options(handle, i) or b"").decode().split()
    told += [option for option in others if option != "index=auto"]
    return " ".join(told if "index=auto" in others else [*told, "index=none"])


def type_number(kind: Any, name: str) -> int:
    number = TYPES.get(kind) if isinstance(kind, str) else PYTHON_TYPES.get(kind) if isinstance(kind, type) else kind if isinstance(kind, int) else None
    if number not in TYPE_NAMES or number > max(TYPES.values()):
        raise ValueError(f"{name} is {kind!r}, not one of {', '.join(TYPES)}")
    return number


def describe_collection(db: Any, name: bytes) -> Schema:
    """The Schema of a collection in an open database (its handle)."""
    out = ctypes.c_void_p()
    call(api.quern_describe, db, name, ctypes.byref(out))
    try:
        return Schema.of_c(out)
    finally:
        api.quern_schema_free(out)

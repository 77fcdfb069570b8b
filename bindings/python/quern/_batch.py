"""Records by columns on their way to the library: a quern_batch, what is written with it, and how mistakes in it are told."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ._arrays import ELEMENTS, F32, matrix_of
from ._columns import SparseRows, folded, in_order, is_sparse_matrix, list_of, set_attribute, texts_of, with_gaps
from ._errors import Error, OutOfMemoryError, call, relabel
from ._library import api
from ._process import Owner
from ._work import run_slow

# From here on a write is lent to a thread so that Ctrl-C can stop it (see _work), as it is with a progress function. Not below: what another
# thread allocates comes from fresh pages, which costs a write of 100,000 vectors some tenths of its time.
SLOW_RECORDS = 1000000


class Batch(Owner):
    """A quern_batch with its keys, freed at the end of a with block. labels: what the arguments of its columns are called."""

    __slots__ = ("collection", "keys", "handle", "kept", "labels")

    def __init__(self, collection: Any, keys: Any) -> None:
        self.collection = collection
        self.keys = keys
        self.kept: list[Any] = []
        self.labels: dict[str, str] = {}

    def __enter__(self) -> Any:
        with self.collection._db._using as db:
            self.handle = api.quern_batch_new(db, self.collection._encoded, self.keys.n)
        if not self.handle:
            raise OutOfMemoryError("out of memory")
        self.keys.set(self.handle)
        return self

    def __exit__(self, *_: Any) -> None:
        api.quern_batch_free(self.handle)

    def fill(self, columns: Any, vectors: Any, text: Any, sparse: Any) -> None:
        """What it writes, beside its keys."""
        for name, values in columns.items():
            kind = self.attribute_type(name)
            if kind is not None:
                label = self.labels[name] = f"metadata[{name!r}]"
                self.kept.append(set_attribute(self.handle, name.encode(), kind, values, label))
        for label, name, value in self.by_field("dense", vectors, "vectors"):
            self.set_vectors(name, value, label)
        for label, name, value in self.by_field("text", text, "text"):
            self.set_texts(name, value, label)
        for label, name, value in self.by_field("sparse", sparse, "sparse"):
            self.set_sparse(name, value, label)

    def send(self, function: Any, transaction: Any, progress: Any) -> None:
        try:
            if self.keys.n < SLOW_RECORDS and progress is None:
                call(function, self.handle, transaction)
            else:
                run_slow(self.collection._db, progress, function, self.handle, transaction)
        except Error as error:
            # The library knows fields and attributes, a caller the arguments.
            named = re.search(r"(?:field|attribute) '([^']+)'", str(error))
            if named is not None and named[1] in self.labels:
                relabel(error, self.labels[named[1]])
            raise

    def by_field(self, kind: str, value: Any, argument: str) -> Iterator[tuple[str, str, Any]]:
        """(what to call it, field, values) of an argument that is one field's, or {field: values}."""
        if value is None:
            return
        if isinstance(value, dict) and not is_sparse_matrix(value) and (not value or isinstance(next(iter(value)), str)):
            told = [(f"{argument}[{name!r}]", name, values) for name, values in value.items()]
        else:
            told = [(argument, None, value)]
        for label, name, values in told:
            found = self.collection._field(kind, name, argument)[0].decode()
            self.labels[found] = label
            yield label, found, values

    def set_vectors(self, name: str, value: Any, label: str) -> None:
        field = self.collection._schema.fields[name]
        matrix = matrix_of(value, label, ELEMENTS.get(field.type or "", F32), field.dim)
        self.check_rows(matrix.rows, label)
        self.kept.append((matrix.owner, matrix.valid))
        if matrix.raw:
            api.quern_batch_dense_raw(self.handle, name.encode(), matrix.address, matrix.element, matrix.dim, matrix.valid)
        else:
            api.quern_batch_dense(self.handle, name.encode(), matrix.address, matrix.dim, matrix.valid)

    def set_texts(self, name: str, value: Any, label: str) -> None:
        values = list_of(with_gaps(in_order(value, label)), label)
        self.check_rows(len(values), label)
        texts = texts_of(values, label)
        self.kept.append(texts)
        api.quern_batch_text(self.handle, name.encode(), texts, None)

    def set_sparse(self, name: str, value: Any, label: str) -> None:
        rows = SparseRows(value, label)
        self.check_rows(rows.n, label)
        self.kept.append(rows)
        api.quern_batch_sparse(self.handle, name.encode(), *rows.addresses(), rows.valid)

    def check_rows(self, count: int, label: str) -> None:
        if count != self.keys.n:
            raise ValueError(f"{label} has {count} rows for {self.keys.n} ids")

    def attribute_type(self, name: str) -> int | None:
        schema = self.collection._schema
        kind: int | None = schema.attributes.get(name)
        if kind is not None:
            return kind
        if folded(name) == folded(schema.key_name):
            raise ValueError(f"metadata names {name!r}, which is the key: give it as ids")
        for known in schema.attributes:
            if folded(known) == folded(name):  # others have added it meanwhile
                return int(schema.attributes[known])
        if folded(name) in map(folded, schema.fields):
            raise ValueError(f"metadata names {name!r}, which is a field: give it as vectors, text or sparse")
        return None  # all its values are None, and nothing has been made of it

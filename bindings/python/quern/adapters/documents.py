"""Documents as LangChain and LlamaIndex have them, an id, a text, a vector and any metadata, in a collection of quern's.

Metadata are kept whole in the json attribute "metadata", which is what comes back. What filters can use stands beside it, in attributes
called "meta." and the name: numbers (as real), texts, bools and lists of texts. A value of another type than its attribute has, or of none
of these types, is only in the json.
"""
from __future__ import annotations

from typing import Any

from .._arrays import describe
from .._columns import BOOL, JSON, REAL, TAGS, TEXT
from .._database import Database, open_database
from .._errors import NotFoundError
from .._query import Leg, words
from .._schema import Schema, dense
from .._schema import text as text_field

PREFIX = "meta."
NAME_BYTES_MAX = 255  # of an attribute


def kind_of(value: Any):
    """The type of the attribute that filters find a value by, or None."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, (int, float)):
        return REAL
    if isinstance(value, str):
        return TEXT
    if isinstance(value, (list, tuple)) and value and all(isinstance(tag, str) for tag in value):
        return TAGS
    return None


def filter_of(where: Any):
    """A filter over metadata as one over attributes. SQL stays as it is."""
    if not isinstance(where, dict):
        return where
    made = {}
    for key, value in where.items():
        if isinstance(key, str) and key.startswith("$"):
            made[key] = [filter_of(part) for part in value] if isinstance(value, (list, tuple)) else filter_of(value)
        else:
            made[PREFIX + str(key)] = value
    return made


class Documents:
    """A collection of documents, made when the first comes, since only then the dimension is known."""

    def __init__(self, database: Any, name: str, metric: str = "cosine", options: dict[str, Any] | None = None):
        self.owns = not isinstance(database, Database)
        self.db = open_database(database) if self.owns else database
        self.name = name
        self.metric = metric
        self.options = options or {}
        try:
            self.collection = self.db.collection(name)
        except NotFoundError:
            self.collection = None

    def close(self):
        if self.owns:
            self.db.close()

    def add(self, ids, vectors, texts, metadata, sources=None):
        """Writes documents, replacing those with the same ids; of an id that comes twice the last counts."""
        if not ids:
            return
        if self.collection is None:
            schema = Schema({"vector": dense(len(vectors[0]), self.metric, **self.options), "content": text_field()},
                            {"metadata": JSON, "source": TEXT}, "text")
            self.collection = self.db.collection(self.name, schema)
        last = {key: i for i, key in enumerate(ids)}
        order = list(last.values())
        columns = {"metadata": [dict(metadata[i] or {}) for i in order], "source": [sources[i] if sources else None for i in order]}
        columns.update(self.filterable(columns["metadata"]))
        self.collection.upsert([ids[i] for i in order], [vectors[i] for i in order], columns, [clean(texts[i]) for i in order])

    def filterable(self, metadata):
        """{attribute: values} of what filters can use."""
        known, made = self.collection.schema.attributes, {}
        for i, entry in enumerate(metadata):
            for key, value in entry.items():
                name, kind = PREFIX + str(key), kind_of(value)
                if kind is None or len(name.encode("utf-8", "replace")) > NAME_BYTES_MAX or not name.isprintable():
                    continue
                if name not in known:
                    self.collection.add_attribute(name, kind)
                    known = self.collection.schema.attributes
                if known[name] == kind and not (kind == TEXT and "\0" in value) and not (kind == REAL and value - value != 0):
                    made.setdefault(name, [None] * len(metadata))[i] = float(value) if kind == REAL else value
        return made

    def get(self, ids):
        """The hits of these ids, without those that are not there."""
        if self.collection is None or not ids:
            return []
        return [hit for hit in self.collection.get(list(ids), ["content", "metadata"]) if hit is not None]

    def delete(self, ids=None, where=None):
        if self.collection is None:
            return
        if ids is not None:
            self.collection.delete(list(ids))
        else:
            self.collection.delete(where=where)

    def clear(self):
        if self.collection is not None:
            self.db.drop(self.name)
            self.collection = None

    def search(self, k, vector=None, query=None, alpha=None, where=None, only=None, diversity=None, pool=None):
        """The hits for a vector, a text, or both: alpha is the vector's share, from 0 to 1. diversity: lambda of maximal marginal
        relevance over the `pool` best."""
        if self.collection is None or k < 1:
            return []
        known = {name: value for name, value in {"where": where, "only": only}.items() if value is not None}
        columns = ["content", "metadata"]
        if diversity is not None:
            known["diversify"] = {"lambda": diversity, "pool": max(pool or 0, k), "scale": "none"}
        if query is None:
            return self.collection.search(vector, k, columns=columns, **known)
        found = words(query)
        if vector is None:
            return self.collection.search(text=found, k=k, columns=columns, **known) if found else []
        legs = [Leg(vector, weight=alpha if alpha is not None else 0.5), Leg(text=found, weight=1 - alpha if alpha is not None else 0.5)]
        return self.collection.search(legs=legs if found else legs[:1], k=k, fusion="normalize=minmax", columns=columns, **known)


def clean(text):
    """A text as the library takes it."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"a document's text is {describe(text)}")
    return text.replace("\0", " ").encode("utf-8", "replace").decode()

"""Documents as LangChain and LlamaIndex have them, an id, a text, a vector and any metadata, in a collection of quern's.

Metadata are kept whole in the json attribute "metadata", which is what comes back. What filters find quickly stands beside it, in attributes
called "meta." and the name: numbers (as real), texts, bools and lists of texts. A value of another type than its attribute has, or of none
of these types, is only in the json, as are names beyond the number of attributes that a collection can have; metadata.py knows when to look there.
"""
from __future__ import annotations

from typing import Any

from .._arrays import describe
from .._columns import BOOL, JSON, REAL, TAGS, TEXT
from .._database import Database, open_database
from .._errors import LimitError, NotFoundError
from .._query import Leg, words
from .._schema import Schema, dense
from .._schema import text as text_field
from .metadata import PREFIX, Condition, attribute_of, names_nothing, real_of, spelled, tree_of

NAME_BYTES_MAX = 255  # of an attribute
KEY_BYTES_MAX = 1024
COLUMNS_MAX = 1000  # attributes and fields of a collection
POOL_MAX = 65536  # of what diversity is chosen from


def kind_of(value: Any) -> Any:
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


def listed(ids: Any) -> list[Any]:
    """Ids as a list: a text is one id, not its letters."""
    return [ids] if isinstance(ids, str) else list(ids)


def possible(ids: Any) -> list[str]:
    """Of these ids those that a document can have: the others are not there."""
    return [key for key in listed(ids) if isinstance(key, str) and key and "\0" not in key and 0 < len(key.encode("utf-8", "surrogatepass")) <= KEY_BYTES_MAX
            and not any("\ud800" <= letter <= "\udfff" for letter in key)]


class Documents:
    """A collection of documents, made when the first comes, since only then the dimension is known."""

    def __init__(self, database: Any, name: str, metric: str = "cosine", options: dict[str, Any] | None = None) -> None:
        self.owns = not isinstance(database, Database)
        self.db = open_database(database) if self.owns else database
        self.name = name
        self.metric = metric
        self.options = options or {}
        try:
            self.collection = self.db.collection(name)
        except NotFoundError:
            self.collection = None

    def close(self) -> None:
        if self.owns:
            self.db.close()

    def add(self, ids: Any, vectors: Any, texts: Any, metadata: Any, sources: Any = None) -> None:
        """Writes documents, replacing those with the same ids; of an id that comes twice the last counts."""
        if not ids:
            return
        if self.collection is None:
            schema = Schema({"vector": dense(len(vectors[0]), self.metric, **self.options), "content": text_field()},
                            {"metadata": JSON, "source": TEXT}, "text")
            self.collection = self.db.collection(self.name, schema)
        last = {key: i for i, key in enumerate(ids)}
        order = list(last.values())
        columns = {"metadata": [whole(metadata[i], i) for i in order], "source": [sources[i] if sources else None for i in order]}
        columns.update(self.filterable(columns["metadata"]))
        self.collection.upsert([ids[i] for i in order], [vectors[i] for i in order], columns, [clean(texts[i]) for i in order])

    def filterable(self, metadata: Any) -> Any:
        """{attribute: values} of what filters find quickly."""
        known = self.collection.schema.attributes
        made: dict[str, list[Any]] = {}
        for i, entry in enumerate(metadata):
            for key, value in entry.items():
                kind = kind_of(value)
                name = None if kind is None else self.attribute(str(key), kind)
                known = self.collection.schema.attributes
                if name is not None and known[name] == kind:
                    made.setdefault(name, [None] * len(metadata))[i] = real_of(value) if kind == REAL else value
        return made

    def attribute(self, key: Any, kind: Any) -> Any:
        """The attribute of a name in the metadata, made if there is none; None if there can be none."""
        known = self.collection.schema.attributes
        name = attribute_of(key, known)
        if name is not None:
            return name
        name = PREFIX + key
        if not name.isprintable():
            return None
        if name.lower() in {other.lower() for other in known}:
            name = spelled(key)
        if len(name.encode("utf-8", "replace")) > NAME_BYTES_MAX or len(known) + len(self.collection.schema.fields) >= COLUMNS_MAX:
            return None
        try:
            self.collection.add_attribute(name, kind)
        except LimitError:
            return None
        return name

    def condition(self, where: Any = None, sources: Any = None) -> Any:
        """A filter of the collection's: of a dict over metadata, a tree of metadata.py, or SQL, which stays as it is; and the sources."""
        if where is None and sources is None:
            return None
        if is_sql(where):
            return where
        tree = ("and", []) if where is None else tree_of(where) if isinstance(where, dict) else where
        made = Condition(tree, self.collection.schema.attributes)
        if sources is not None:
            made.text = f"({made.text}) and source in {made.bind(listed(sources))}" if sources else "0"
            made.values = made.values if sources else []
        return made.text, made.values

    def get(self, ids: Any) -> Any:
        """The hits of these ids, without those that are not there."""
        if self.collection is None or not ids:
            return []
        return [hit for hit in self.collection.get(possible(ids), ["content", "metadata"]) if hit is not None]

    def matching(self, where: Any = None) -> Any:
        """The hits of all that match."""
        check_filter(where)
        return [] if self.collection is None else self.collection.list(self.condition(where), k=0, columns=["content", "metadata"])

    def delete(self, ids: Any = None, where: Any = None, sources: Any = None) -> None:
        check_filter(where)
        if ids is None and sources is None and (not where or not is_sql(where) and names_nothing(tree_of(where) if isinstance(where, dict) else where)):
            raise ValueError("filter has no condition: it would delete all")
        if self.collection is None:
            return
        if ids is not None:
            self.collection.delete(possible(ids))
        else:
            self.collection.delete(where=self.condition(where, sources))

    def clear(self) -> None:
        if self.collection is not None:
            self.db.drop(self.name)
            self.collection = None

    def search(self, k: int, vector: Any = None, query: Any = None, alpha: Any = None, where: Any = None, only: Any = None, diversity: Any = None,
               pool: Any = None, sources: Any = None) -> Any:
        """The hits for a vector, a text, or both: alpha is the vector's share, from 0 to 1. diversity: lambda of maximal marginal
        relevance over the `pool` best."""
        check_filter(where)
        if self.collection is None or k < 1:
            return []
        only = None if only is None else possible(only)
        known = {name: value for name, value in {"where": self.condition(where, sources), "only": only}.items() if value is not None}
        columns = ["content", "metadata"]
        if diversity is not None:
            known["diversify"] = {"lambda": diversity, "pool": min(max(pool or 0, k), POOL_MAX), "scale": "none"}
        if query is None:
            return self.collection.search(vector, k, columns=columns, **known)
        found = words(query)
        if vector is None:
            return self.collection.search(text=found, k=k, columns=columns, **known) if found else []
        legs = [Leg(vector, weight=alpha if alpha is not None else 0.5), Leg(text=found, weight=1 - alpha if alpha is not None else 0.5)]
        return self.collection.search(legs=legs if found else legs[:1], k=k, fusion="normalize=minmax", columns=columns, **known)


def whole(metadata: Any, i: int) -> Any:
    """Metadata as they are kept; of what JSON cannot hold, or filters would not see whole, the message tells where it is."""
    made = dict(metadata or {})
    for name, value in made.items():
        if isinstance(value, float) and value - value != 0:
            raise ValueError(f"metadatas[{i}][{name!r}] is {value}, which JSON cannot hold: leave it out, or give None")
        if has_nul(name) or has_nul(value):
            raise ValueError(f"metadatas[{i}][{name!r}] holds a NUL character, where filters would end the text")
    return made


def has_nul(value: Any, depth: int = 64) -> bool:
    """Is a NUL in a text of it? Deeper than json attributes go nobody looks."""
    if isinstance(value, str):
        return "\0" in value
    if depth and isinstance(value, dict):
        return any(has_nul(key) or has_nul(part, depth - 1) for key, part in value.items())
    return bool(depth) and isinstance(value, (list, tuple)) and any(has_nul(part, depth - 1) for part in value)


def check_filter(where: Any) -> None:
    if where is not None and not isinstance(where, (dict, str, tuple)):
        raise TypeError(f"filter is {describe(where)}, not a dict of conditions or a text of SQL")


def is_sql(where: Any) -> Any:
    """A text, or a pair of such a text and its parameters; and no tree of metadata.py."""
    return isinstance(where, str) or isinstance(where, tuple) and where[:1] not in (("and",), ("or",), ("not",), ("is",))


def clean(text: Any) -> Any:
    """A text as the library takes it."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"a document's text is {describe(text)}")
    return text.replace("\0", " ").encode("utf-8", "replace").decode()

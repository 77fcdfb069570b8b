"""Searches: what is asked for becomes a quern_query."""
from __future__ import annotations

import ctypes
import math
import re
import threading
from typing import Any, NoReturn

from . import _errors
from ._arrays import BF16, BIT, ELEMENTS, F32, Matrix, describe, matrix_of
from ._columns import Keys, SparseRows, encode, list_of, plain, texts_of
from ._errors import NOT_FINITE, CError, OutOfMemoryError, UsageError, call, local, new_error, relabel
from ._filters import bind, sql_of
from ._library import api
from ._process import Owner, Process
from ._result import Hits, HitsOfQueries, Table
from ._schema import option_text, whole

# Settings that are keys of quern_query_options.
OPTIONS = ("recall", "ef", "nprobe", "refine", "timeout_ms", "max_scored", "max_bytes", "threads", "filter_ms", "bound", "superblocks", "terms", "bucket_weights")
TARGETS = ("text", "sparse", "keys", "compose", "legs")
SETTINGS = ("field", *TARGETS, *OPTIONS, "where", "params", "params_of", "only", "exclude", "columns", "snapshot", "fusion", "formula", "formula_params",
            "candidates", "feedback", "max_distance", "min_score", "offset", "group_by", "per_group", "diversify", "order", "after",
            "include_self", "options", "compose_options")
POOLED = frozenset(("recall", "columns", "where", "field", "ef", "nprobe", "threads"))  # settings whose searches are kept for the next one
SEARCH = api.quern_search
ALL = slice(None)
# What assigning anything but a vector of f32 to a memoryview of one raises.
NOT_THAT_VECTOR = (TypeError, ValueError, NotImplementedError, BufferError)


class Leg:
    """A search that is part of another one: a leg of it (legs=[...]), or the search for its candidates (candidates=...).

    What it looks for and how are those of Collection.search: vectors, text, sparse, keys, field, k, recall, max_distance, ...; filters and
    columns are the whole search's. weight, name, absent, against and guide are the leg's part in the fusion; see quern_query_leg.
    """

    __slots__ = ("vectors", "k", "weight", "name", "absent", "against", "guide", "settings")

    def __init__(self, vectors: Any = None, *, weight: float = 1.0, k: int | None = None, name: str | None = None, absent: Any = None,
                 against: bool = False, guide: str | None = None, **settings: Any) -> None:
        for setting in settings:
            if setting not in SETTINGS or setting in ("where", "params", "columns", "snapshot", "only", "exclude", "params_of"):
                raise TypeError(f"a leg has no {setting!r}")
        self.vectors = vectors
        self.k = k
        self.weight = number(weight, "weight")
        self.name = name
        self.absent = absent
        self.against = against
        self.guide = guide
        self.settings = settings

    def options(self) -> bytes | None:
        told = {"absent": self.absent, "against": 1 if self.against else None, "name": self.name, "guide": self.guide}
        return option_text(told, "a leg's options") or None


def words(query: str) -> str:
    """A text as words to search for, without the signs that mean something in a text query: what people type, titles, sentences."""
    if not isinstance(query, str):
        raise TypeError(f"query is {describe(query)}, not a text")
    return re.sub(r"\bOR\b", "or", re.sub(r"[^\w]+", " ", query)).strip()


def number(value: Any, name: str) -> float:
    try:
        made = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {describe(value)}, not a number") from None
    if isinstance(value, str) or math.isnan(made):
        raise ValueError(f"{name} is {value!r}, not a number")
    return made


class KeySet(Owner):
    """A set of ids for many searches: `only=` and `exclude=`. From ids, or from bytes: a roaring bitmap of 32- or 64-bit numbers."""

    __slots__ = ("handle", "__weakref__")

    def __init__(self, ids: Any, bits: int | None = None) -> None:
        self.handle = None
        out = ctypes.c_void_p()
        if bits is not None:
            if not isinstance(ids, (bytes, bytearray)):
                raise TypeError(f"ids is {describe(ids)}, not the bytes of a roaring bitmap")
            call(api.quern_keys_roaring, bytes(ids), len(ids), whole(bits, "bits", 0, 2 ** 31 - 1), ctypes.byref(out))
        else:
            keys = ids if isinstance(ids, Keys) else Keys(ids)
            call(api.quern_keys_text if keys.is_text else api.quern_keys_int, keys.address or None, keys.n, ctypes.byref(out))
        self.handle = out.value

    def __len__(self) -> int:
        count: int = api.quern_keys_count(self.handle)
        return count

    def __del__(self, free: Any = api.quern_keys_free) -> None:
        free(getattr(self, "handle", None))


class Built(Owner):
    """A quern_query, what its buffers need to stay alive, and whether it asks one thing or several. arguments: what it was asked by, of legs
    one for each."""

    __slots__ = ("collection", "handle", "kept", "single", "queries", "arguments", "__weakref__")

    def __init__(self, collection: Any) -> None:
        self.collection = collection
        self.kept: list[Any] = []
        self.single = True
        self.queries = 1
        self.arguments: list[str] = []
        with collection._db._using as db:
            self.handle = api.quern_query_new(db, collection._encoded)
        if not self.handle:
            raise OutOfMemoryError("out of memory")

    def __del__(self, free: Any = api.quern_query_free) -> None:
        free(getattr(self, "handle", None))


def build(collection: Any, vectors: Any, k: Any, settings: dict[str, Any], columns: bytes | None = None) -> Built:
    """The query of a search. settings: those of SETTINGS that are not None."""
    built = Built(collection)
    for name in settings:
        if name not in SETTINGS:
            raise TypeError(f"a search has no setting {name!r}; there are {', '.join(SETTINGS)}")
    settings = {name: value for name, value in settings.items() if value is not None}
    if k is not None:
        api.quern_query_limit(built.handle, whole(k, "k", 0, 2 ** 63 - 1))
    set_target(built, vectors, settings)
    set_filter(built, settings)
    set_bounds(built, settings)
    if columns:
        api.quern_query_columns(built.handle, columns)
    if "snapshot" in settings:
        from ._database import Snapshot, borrow
        with borrow(settings["snapshot"], collection._db, Snapshot) as snapshot:
            api.quern_query_snapshot(built.handle, snapshot)
    return built


def set_target(built: Built, vectors: Any, settings: dict[str, Any]) -> None:
    """What is looked for. Vectors, text and sparse together are legs, whose scores are brought to one scale."""
    if "field" in settings and not isinstance(settings["field"], str):
        raise TypeError(f"field is {describe(settings['field'])}, not a text")
    given = [name for name in TARGETS if name in settings]
    if vectors is not None:
        given.insert(0, "vectors")
    if len(given) > 1:
        if "legs" in given or "keys" in given or "compose" in given or "field" in settings:
            raise ValueError(f"{given[0]} and {given[1]} at once: say with legs=[...] how they go together")
        parts = [Leg(vectors)] if vectors is not None else []
        parts += [Leg(**{name: settings[name]}) for name in ("text", "sparse") if name in settings]
        set_legs(built, parts, {"fusion": "normalize=minmax", **settings})
        built.arguments = [name for name in ("vectors", "text", "sparse") if name in given]
    elif given == ["legs"]:
        set_legs(built, settings["legs"], settings)
    elif given:
        for name in ("fusion", "formula_params"):
            if name in settings:
                raise ValueError(f"{name} is for a search with legs")
        if "formula" in settings:
            shared = {"field": settings["field"]} if "field" in settings else {}
            if "compose_options" in settings:
                shared["compose_options"] = settings["compose_options"]
            part = Leg(vectors, **shared) if vectors is not None else Leg(**{given[0]: settings[given[0]]}, **shared)
            set_legs(built, [part], settings)
            built.arguments = given
        elif given == ["compose"]:
            set_sums(built, settings["compose"], settings.get("field"), settings.get("compose_options"))
        else:
            set_one(built, given[0], vectors if given[0] == "vectors" else settings[given[0]], settings.get("field"))
    if given and given != ["legs"] and not built.arguments:
        built.arguments = given
    if "feedback" in settings:
        told = settings["feedback"]
        api.quern_query_feedback(built.handle, None if told is True else option_text(told, "feedback"))
    if "compose_options" in settings and given != ["compose"]:
        raise ValueError("compose_options without compose")
    if "candidates" in settings:
        inner = built_leg(built, settings["candidates"], "candidates")
        if not given:
            built.single, built.queries = inner.single, inner.queries
        api.quern_query_candidates(built.handle, inner.handle)


def set_one(built: Built, kind: str, value: Any, field: Any) -> None:
    collection, handle = built.collection, built.handle
    if kind == "vectors":
        name, field = collection._field("dense", field, "vectors")
        matrix = matrix_of(value, "vectors", query_element(field), field.dim, False)
        check_queries(matrix)
        built.kept.append(matrix.owner)
        built.single, built.queries = matrix.single, matrix.rows
        set_matrix(handle, name, matrix)
    elif kind == "text":
        of_sparse = field in collection._schema.names_of("sparse")
        name, _ = collection._field("sparse" if of_sparse else "text", field, "text")
        built.single = isinstance(value, str)
        value = [value] if built.single else list_of(value, "text")
        texts, count = texts_of(value, "text"), len(value)
        if any(text is None for text in texts[:count]):
            raise TypeError("text holds None: a query has a text")
        built.queries = count
        (api.quern_query_sparse_text if of_sparse else api.quern_query_text)(handle, name, texts, count)
    elif kind == "sparse":
        name, _ = collection._field("sparse", field, "sparse")
        rows = SparseRows(value)
        if rows.valid is not None:
            raise ValueError("sparse holds None: a query has a vector")
        built.kept.append(rows)
        built.single, built.queries = rows.single, rows.n
        api.quern_query_sparse(handle, name, *rows.addresses(), rows.n)
    else:
        name, _ = collection._field(kind_of_keys(collection._schema, field), field, "keys")
        value = plain(value)
        keys = collection._keys(value, "keys")
        built.single, built.queries = isinstance(value, (str, int)), keys.n
        set_keys = api.quern_query_key_text if keys.is_text else api.quern_query_key_int
        set_keys(handle, name, keys.address or None, keys.n)


def kind_of_keys(schema: Any, field: Any) -> str:
    """What records are like each other in: the field that is named; else vectors, where there are any."""
    sparse, dense = schema.names_of("sparse"), schema.names_of("dense")
    return "sparse" if field in sparse or (field is None and sparse and not dense) else "dense"


def set_sums(built: Built, sums: Any, field: Any, options: Any) -> None:
    """Queries that are sums of vectors and of stored records: a list of pairs (weight, vector or id), or a list of such lists."""
    name, found = built.collection._field("dense", field, "compose")
    sums = list_of(sums, "compose") if not isinstance(sums, tuple) else list(sums)
    built.single = not sums or is_term(sums[0])
    queries = [sums] if built.single else sums
    built.queries = len(queries)
    api.quern_query_compose(built.handle, name, len(queries), option_text(options, "compose_options"))
    for i, terms in enumerate(queries):
        label = "compose" if built.single else f"compose[{i}]"
        for j, term in enumerate(list_of(terms, label) if not isinstance(terms, tuple) else terms):
            if not is_term(term):
                raise TypeError(f"{label}[{j}] is {describe(term)}, not a pair (weight, vector or id)")
            weight, value = number(term[0], f"{label}[{j}]: the weight"), plain(term[1])
            if isinstance(value, (str, int)) and not isinstance(value, bool):
                key = built.collection._keys(value, f"{label}[{j}]")
                add = api.quern_query_term_key_text if key.is_text else api.quern_query_term_key_int
                add(built.handle, i, weight, str(value).encode() if key.is_text else value)
                continue
            matrix = matrix_of(value, f"{label}[{j}]", BF16 if found.type == "bf16" else F32, found.dim, False)
            if not matrix.single:
                raise ValueError(f"{label}[{j}] has {matrix.rows} vectors, not one")
            api.quern_query_term_dense(built.handle, i, weight, matrix.address, matrix.dim)


def is_term(value: Any) -> bool:
    """(weight, vector or id)"""
    return isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], (str, tuple, list)) and hasattr(value[0], "__float__")


def check_queries(matrix: Matrix) -> None:
    if matrix.valid is not None:
        raise ValueError("vectors holds None: a query has a vector")
    if not matrix.rows:
        raise ValueError("vectors has no rows")


def set_matrix(handle: Any, name: bytes, matrix: Matrix) -> None:
    if matrix.element == BIT:
        api.quern_query_dense_raw(handle, name, matrix.address, matrix.element, matrix.rows, matrix.dim)
    else:
        api.quern_query_dense(handle, name, matrix.address, matrix.rows, matrix.dim)


def query_element(field: Any) -> int:
    """Bits may come packed, and bf16 as u2, which becomes f32; queries of other fields are f32."""
    element = ELEMENTS.get(field.type, F32)
    return element if element in (BIT, BF16) else F32


def built_leg(built: Built, leg: Any, name: str) -> Built:
    if not isinstance(leg, Leg):
        raise TypeError(f"{name} is {describe(leg)}, not a quern.Leg")
    inner = build(built.collection, leg.vectors, leg.k, leg.settings)
    built.kept.append(inner.kept)
    return inner


def set_legs(built: Built, legs: Any, settings: dict[str, Any]) -> None:
    for i, leg in enumerate(list_of(legs, "legs") if not isinstance(legs, tuple) else legs):
        inner = built_leg(built, leg, f"legs[{i}]")
        built.single, built.queries = inner.single and (built.single or not i), inner.queries
        api.quern_query_leg(built.handle, inner.handle, leg.weight, leg.options())
        built.arguments.append(f"legs[{i}]")
    if "fusion" in settings:
        fusion = option_text(settings["fusion"], "fusion") or b""
        if "formula" in settings and any(part.partition(b"=")[0] != b"normalize" for part in fusion.split()):
            raise ValueError(f"a formula goes with a fusion of normalize=... alone: {fusion.decode()!r} says otherwise how legs are fused")
        api.quern_query_fusion(built.handle, fusion)
    if "formula" in settings:
        api.quern_query_formula(built.handle, encode(settings["formula"], "formula"))
        told = settings.get("formula_params", {})
        named = told.items() if isinstance(told, dict) else ((f"?{i + 1}", value) for i, value in enumerate(list_of(told, "formula_params")))
        for parameter, value in named:
            prefixed = parameter if str(parameter)[:1] in ":@$?" else f":{parameter}"
            value = math.nan if value is None else number(value, f"formula_params[{parameter!r}]")
            api.quern_query_formula_bind(built.handle, encode(prefixed, "formula_params"), value)


def set_filter(built: Built, settings: dict[str, Any]) -> None:
    if "where" in settings:
        text, values = sql_of(settings["where"], built.collection._schema.types())
        api.quern_query_filter(built.handle, encode(text, "where"))
        if "params" in settings:
            if values:
                raise ValueError("params and where both have values")
            values = settings["params"]
        bind(built.handle, values, "params")
    elif "params" in settings:
        raise ValueError("params without where")
    for i, values in enumerate(settings.get("params_of", ())):
        api.quern_query_bind_for(built.handle, i)
        bind(built.handle, values, f"params_of[{i}]")
    for name, function in (("only", api.quern_query_only_keys), ("exclude", api.quern_query_except_keys)):
        if name in settings:
            keys = settings[name]
            if not isinstance(keys, KeySet):
                keys = KeySet(built.collection._keys(keys, name))
            elif not len(keys):  # which has no type
                keys = KeySet(Keys([], name, built.collection._schema.text_keys))
            built.kept.append(keys)
            function(built.handle, keys.handle)


def set_bounds(built: Built, settings: dict[str, Any]) -> None:
    handle = built.handle
    told = {name: settings[name] for name in OPTIONS if name in settings}
    if settings.get("include_self"):
        told["self"] = "include"
    if told:
        api.quern_query_options(handle, option_text(told, "options"))
    if "options" in settings:
        api.quern_query_options(handle, option_text(settings["options"], "options"))
    if "max_distance" in settings:
        api.quern_query_max_distance(handle, number(settings["max_distance"], "max_distance"))
    if "min_score" in settings:
        api.quern_query_min_score(handle, number(settings["min_score"], "min_score"))
    if "offset" in settings:
        api.quern_query_offset(handle, whole(settings["offset"], "offset"))
    if "group_by" in settings:
        api.quern_query_group(handle, encode(settings["group_by"], "group_by"), whole(settings.get("per_group", 1), "per_group"))
    elif "per_group" in settings:
        raise ValueError("per_group without group_by")
    if "diversify" in settings:
        told = settings["diversify"]
        told = {"lambda": told} if isinstance(told, (int, float)) else told
        field = told.get("field") if isinstance(told, dict) else None
        options = {name: value for name, value in told.items() if name != "field"} if isinstance(told, dict) else told
        api.quern_query_diversify(handle, built.collection._field("dense", field, "diversify")[0], option_text(options, "diversify"))
    if "order" in settings:
        api.quern_query_order(handle, encode(settings["order"], "order"))
    if "after" in settings:
        api.quern_query_after(handle, encode(settings["after"], "after"))


def run(built: Built, text_fields: tuple[str, ...] = ()) -> Any:
    """Searches; Hits of one query, or HitsOfQueries."""
    out = ctypes.c_void_p()
    status = SEARCH(built.handle, ctypes.byref(out), local.reference)
    if status:
        raised(built, status)
    table = Table(out.value, True)
    if built.single:
        return Hits(table, 0, api.quern_result_rows(out.value), text_fields)
    return HitsOfQueries(table, built.queries, text_fields)


def raised(built: Built, status: int, error: CError | None = None) -> NoReturn:
    built.collection._db._check_process()
    try:
        _errors.throw(status, error)
    except UsageError as told:
        # The library knows queries and limits, a caller the arguments.
        leg = re.match(r"leg (\d+): ", str(told))
        arguments = built.arguments or ["vectors"]
        argument = arguments[int(leg[1]) if leg and int(leg[1]) < len(arguments) else 0]
        if status == NOT_FINITE:
            relabel(told, argument)
        elif "limit 0" in str(told):
            relabel(told, f"k of {argument} is 0" if leg else "k is 0")
        raise


class Query(Owner):
    """A search with everything said but what to look for: made once by Collection.query, run often. A thread that finds it in use waits;
    one that is in it already (a signal handler) gets a UsageError.

    A vector is copied into a buffer that the library knows already, so its search is a single call.
    """

    def __init__(self, collection: Any, k: int, settings: dict[str, Any], columns: bytes | None) -> None:
        self.collection = collection
        self._forks = Process.forks
        self._lock = threading.RLock()
        self._busy = False
        self._name, field = collection._field("dense", settings.get("field"), "vectors")
        self._element = query_element(field)
        self._built = build(collection, None, k, {key: value for key, value in settings.items() if key != "field"}, columns)
        self._buffer = (ctypes.c_float * field.dim)()
        self._view = memoryview(self._buffer).cast("B").cast("f")
        self._dim = field.dim
        self._handle = ctypes.c_void_p(self._built.handle)
        self._out = ctypes.c_void_p()
        self._reference = ctypes.byref(self._out)
        self._error = new_error()  # quicker to find than that of the thread
        self._error_reference = ctypes.byref(self._error)
        self._text_fields = collection._text_fields
        self._use_buffer()

    def search(self, vectors: Any) -> Any:
        """The Hits of one vector, or the HitsOfQueries of a matrix."""
        if self._forks != Process.forks:
            self.collection._db._check_process()
        with self._lock:
            if self._busy:
                raise UsageError("this query is in use: by a call of the same thread", -100)
            self._busy = True
            try:
                try:
                    self._view[ALL] = vectors
                except NOT_THAT_VECTOR:
                    pass
                else:
                    return self._search_buffer()
            finally:
                self._busy = False
        # What a caller's own objects do while they become a matrix is not done under the lock.
        matrix = self._matrix(vectors)
        with self._lock:
            if self._busy:
                raise UsageError("this query is in use: by a call of the same thread", -100)
            self._busy = True
            try:
                return self._search_with_matrix(matrix)
            finally:
                self._busy = False

    def _use_buffer(self) -> None:
        api.quern_query_dense(self._handle, self._name, self._buffer, 1, self._dim)

    def _search_buffer(self, search: Any = SEARCH, rows: Any = api.quern_result_rows) -> Hits:
        status = search(self._handle, self._reference, self._error_reference)
        if status:
            raised(self._built, status, self._error)
        handle = self._out.value
        return Hits(Table(handle, True), 0, rows(handle), self._text_fields)

    def _search_matrix(self, vectors: Any) -> Any:
        """Whatever is no vector of f32: other numbers, lists, matrices."""
        return self._search_with_matrix(self._matrix(vectors))

    def _matrix(self, vectors: Any) -> Matrix:
        matrix = matrix_of(vectors, "vectors", self._element, self._dim, False)
        check_queries(matrix)
        return matrix

    def _search_with_matrix(self, matrix: Matrix) -> Any:
        if matrix.single and not matrix.raw:
            ctypes.memmove(self._buffer, matrix.address, 4 * self._dim)
            return self._search_buffer()
        set_matrix(self._handle, self._name, matrix)
        try:
            status = SEARCH(self._handle, self._reference, local.reference)
        finally:
            self._use_buffer()
        if status:
            raised(self._built, status)
        table = Table(self._out.value, True)
        if matrix.single:
            return Hits(table, 0, api.quern_result_rows(table.handle), self._text_fields)
        return HitsOfQueries(table, matrix.rows, self._text_fields)


def pool_key(k: int, settings: dict[str, Any]) -> Any:
    """What tells apart searches that are kept; None for one that is not."""
    if type(k) is not int:
        return None
    try:
        return (k, *((name, frozen(value)) for name, value in settings.items())) if POOLED.issuperset(settings) else None
    except TypeError:
        return None


def frozen(value: Any) -> Any:
    """A setting as part of a key. 1, 1.0 and True are equal to Python, and not to a filter: each goes with its type."""
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is tuple:
        return tuple(map(frozen, value))
    if kind in (int, bool, float):
        return kind, repr(value)
    raise TypeError

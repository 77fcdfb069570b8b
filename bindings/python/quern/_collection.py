"""A collection: writing, reading and searching its records."""
from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Sequence
from functools import wraps
from typing import Any, Callable, Dict, Tuple, TypeVar, Union, cast, overload

from ._arrays import BF16, F32, describe, matrix_of, numbers_of, pack_list
from ._batch import Batch
from ._columns import (Keys, SparseRows, Spelling, columns_of, encode, folded, in_order, infer_type, is_sparse_matrix, list_of, pack_dims, plain, settled,
                       texts_of)
from ._database import Snapshot, Transaction, borrow, take_text
from ._errors import Error, ExistsError, NotFoundError, UsageError, call
from ._filters import quote, says_nothing, set_assignments
from ._library import api
from ._process import Owner, Process
from ._query import ALL, NOT_THAT_VECTOR, KeySet, Query, build, pool_key, run
from ._result import Hit, Hits, HitsOfQueries, Rows, Table, values_of
from ._schema import METRICS, Field, Schema, describe_collection, option_text, type_number, whole
from ._schema import text as text_field
from ._work import run_slow

POOL_MAX = 64


# Arrays of numpy's are taken wherever these are; they have no name here, since numpy need not be there.
Ids = Any  # texts or whole numbers, one or many
Where = Union[str, Dict[str, Any], Tuple[str, Any]]
Columns = Union[str, Sequence[str], None]
Progress = Union[bool, Callable[[str, int, int], Any], None]
Method = TypeVar("Method", bound=Callable[..., Any])


class Facet(Dict[Any, Any]):
    """{value: how many records have it}, most frequent first. matches: how many records match; nulls: how many of them have no value;
    values_there: how many values there are, also beyond these."""

    matches = nulls = values_there = 0


def fresh(method: Method) -> Method:
    """A method that is called again if it fails and the schema is no longer what its collection remembers: others may have changed it, or made
    the collection anew. What was given as an iterator has gone by; the next call sees the new schema."""
    @wraps(method)
    def with_new_schema(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return method(self, *arguments, **named)
        except (TypeError, ValueError):
            if not self._changed() or any(hasattr(value, "__next__") for value in (*arguments, *named.values())):
                raise
        return method(self, *arguments, **named)
    return cast(Method, with_new_schema)


class Collection(Owner):
    """See Database.collection. Any number of threads may use it."""

    def __init__(self, db: Any, name: str, schema: Schema, grow: Any) -> None:
        self._db = db
        self._name = name
        self._encoded = encode(name, "name")
        self._grow = grow
        self._take(schema)

    def _take(self, schema: Schema) -> None:
        self._schema = schema
        self._columns = encode(",".join(quote(attribute) for attribute in schema.attributes), "a name") or None
        self._text_fields = tuple(schema.names_of("text"))
        self._pool: dict[Any, list[Query]] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def schema(self) -> Schema:
        """The Schema, as it was when this collection was opened, refreshed or last written to."""
        return self._schema

    def refresh(self) -> None:
        """Looks at the schema again: others may have changed it."""
        with self._db._using as handle:
            self._take(describe_collection(handle, self._encoded))

    def _changed(self) -> bool:
        """Is the schema another one than this remembers? Then it remembers that one."""
        try:
            with self._db._using as handle:
                found = describe_collection(handle, self._encoded)
        except Error:
            return False
        if found.tells() == self._schema.tells():
            return False
        self._take(found)
        return True

    def __repr__(self) -> str:
        return f"<quern.Collection {self._name!r} {self._schema!r}>"

    def __len__(self) -> int:
        return self.count()

    # ---- Schema

    def add_attribute(self, name: str, type: Any, **options: Any) -> None:
        """Adds an attribute; it is null in all records there are."""
        with self._db._using as handle:
            call(api.quern_add_attr, handle, self._encoded, encode(name, "name"), type_number(type, "type"), option_text(options, "options"))
        self.refresh()

    def index_attribute(self, name: str, wanted: bool = True) -> None:
        """Whether the file keeps an attribute's values ready for filters: with True (as attributes are made, unless they are added with
        index="none") the next optimize builds what is missing, with False what is there goes. Answers are the same either way."""
        if not isinstance(wanted, bool):
            raise TypeError(f"wanted is {describe(wanted)}, not True or False")
        with self._db._using as handle:
            call(api.quern_set_attr, handle, self._encoded, encode(name, "name"), b"index=auto" if wanted else b"index=none")

    def add_field(self, name: str, field: Field) -> None:
        """Adds a field: dense(384), sparse() or text()."""
        if not isinstance(field, Field):
            raise TypeError(f"field is {describe(field)}; make it with dense(), sparse() or text()")
        options, encoded = option_text(field.options, "options"), encode(name, "name")
        with self._db._using as handle:
            if field.kind == "dense":
                call(api.quern_add_dense, handle, self._encoded, encoded, field.dim, METRICS[field.metric or ""], options)
            else:
                call(api.quern_add_sparse if field.kind == "sparse" else api.quern_add_text, handle, self._encoded, encoded, options)
        self.refresh()

    def _add_missing(self, asked: Any) -> None:
        """Adds what another schema has and this collection lacks."""
        known = {folded(name) for name in (*self._schema.fields, *self._schema.attributes)}
        fields = {name: field for name, field in asked.fields.items() if folded(name) not in known}
        attributes = {name: kind for name, kind in asked.attributes.items() if folded(name) not in known}
        if (fields or attributes) and not self._grow:
            raise NotFoundError(f"{self._name!r} has no {next(iter(fields or attributes))!r}, and may not grow", -104)
        for name, field in fields.items():
            self.add_field(name, field)
        for name, kind in attributes.items():
            self.add_attribute(name, kind)

    def drop_column(self, name: str) -> None:
        """Drops an attribute or field with all its values."""
        with self._db._using as handle:
            call(api.quern_drop_column, handle, self._encoded, encode(name, "name"))
        self.refresh()

    def _field(self, kind: str, name: str | None, argument: str) -> tuple[bytes, Field]:
        """(encoded name, Field): the one that is named, or the only one of its kind."""
        names = self._schema.names_of(kind)
        if name is None:
            if len(names) != 1:
                told = f"has no {kind} field" if not names else f"has several {kind} fields: say which, {', '.join(names)}"
                raise ValueError(f"{argument}: the collection {self._name!r} {told}")
            name = names[0]
        field = self._schema.fields.get(name) if isinstance(name, str) else None
        if field is None or field.kind != kind:
            raise ValueError(f"{argument}: {self._name!r} has no {kind} field {name!r}{', it has ' + ', '.join(names) if names else ''}")
        return name.encode(), field

    # ---- Writing

    def insert(self, ids: Ids, vectors: Any = None, metadata: Any = None, text: Any = None, sparse: Any = None, *,
               txn: Transaction | None = None, progress: Progress = None) -> int:
        """Adds records: ExistsError if one of the ids is there. Arguments are those of upsert."""
        return self._write(api.quern_insert, ids, vectors, metadata, text, sparse, txn, progress)

    def upsert(self, ids: Ids, vectors: Any = None, metadata: Any = None, text: Any = None, sparse: Any = None, *,
               txn: Transaction | None = None, progress: Progress = None) -> int:
        """Writes records, replacing those that are there, all or none of them; durable when it returns. Returns how many.

        ids: texts or whole numbers (a list, or an array of numpy's); one id is one record
        vectors: a matrix with a row for each id (f32, or the field's own type, is not copied; other numbers become f32), or a list of
            vectors, in which None stands for none. Of a collection with several dense fields: {field: matrix}
        metadata: a dict (or None) for each record, or a dict {attribute: values of all records}. Names that differ only in the case of
            ASCII letters are one attribute; two of them in one record are a ValueError
        text: texts for the field of texts, or {field: texts}
        sparse: (offsets, dims, weights) or a scipy csr_matrix, or a list of {dim: weight}; or {field: these}
        txn: the transaction it is a part of
        progress: True, or a function (task, done, total); what it raises stops the work, which is rolled back"""
        return self._write(api.quern_upsert, ids, vectors, metadata, text, sparse, txn, progress)

    def update(self, ids: Ids, vectors: Any = None, metadata: Any = None, text: Any = None, sparse: Any = None, *,
               txn: Transaction | None = None, progress: Progress = None) -> int:
        """Changes records that are there (else NotFoundError): what is given, and nothing else of them. Arguments are those of upsert."""
        return self._write(api.quern_update, ids, vectors, metadata, text, sparse, txn, progress)

    @fresh
    def _write(self, function: Any, ids: Any, vectors: Any, metadata: Any, text: Any, sparse: Any, txn: Any, progress: Any) -> int:
        ids = in_order(plain(ids), "ids")
        one = isinstance(ids, (str, int))
        keys = self._keys(ids, "ids")
        if one and isinstance(metadata, dict):
            metadata = [metadata]
        if one and isinstance(text, str):
            text = [text]
        spelling = Spelling((*self._schema.attributes, *self._schema.fields, self._schema.key_name))
        columns = columns_of(metadata, keys.n, spelling, ragged=function is not api.quern_update)
        if not keys.n:
            return 0
        wanted, needs = self._missing(columns, text, sparse)
        if wanted or needs:
            self._check_growth(wanted, needs, txn)
            columns, vectors, text, sparse = settled(columns), settled(vectors), settled(text), settled(sparse)
            self._try(function, keys, (columns, vectors, text, sparse), wanted, needs, progress)
            self._grow_by(wanted, needs)
        with Batch(self, keys) as batch, borrow(txn, self._db, Transaction, "txn") as transaction:
            batch.fill(columns, vectors, text, sparse)
            batch.send(function, transaction, progress)
            count: int = api.quern_batch_affected(batch.handle)
            return count

    def _keys(self, values: Any, name: str) -> Keys:
        """Keys of the collection's type. Before it says that they are of another it looks whether the collection is still the same."""
        keys = Keys(values, name, self._schema.text_keys)
        if keys.n and keys.is_text != self._schema.text_keys:
            self.refresh()
            keys.check(name, self._schema.text_keys)
        return keys

    def _missing(self, columns: Any, text: Any, sparse: Any) -> tuple[list[Any], list[Any]]:
        """([(attribute, type)], [(name, field)]) of what is written and not there."""
        known = {folded(name) for name in (*self._schema.attributes, *self._schema.fields, self._schema.key_name)}
        wanted = [(name, infer_type(values, f"metadata[{name!r}]")) for name, values in columns.items() if folded(name) not in known]
        wanted = [(name, kind) for name, kind in wanted if kind is not None]
        needs = [("text", text_field())] if text is not None and not isinstance(text, dict) and not self._schema.names_of("text") else []
        if sparse is not None and not self._schema.names_of("sparse") and not is_by_field(sparse):
            needs.append(("sparse", Field("sparse")))
        return wanted, needs

    def _check_growth(self, wanted: Any, needs: Any, txn: Any) -> None:
        first = wanted[0][0] if wanted else needs[0][0]
        if not self._grow:
            raise NotFoundError(f"{'metadata' if wanted else first}: {self._name!r} has no {first!r}, and may not grow", -104)
        if txn is not None:
            raise UsageError(f"{self._name!r} has no {first!r}: add it before the transaction, which a change of the schema would wait for", -100)

    def _try(self, function: Any, keys: Any, content: Any, wanted: Any, needs: Any, progress: Any) -> None:
        """A change of the schema is a transaction of its own. So that a write that fails leaves none behind, it is tried first: what is new in a
        database in memory, the rest in a transaction that is rolled back."""
        from ._database import open_database
        columns, vectors, text, sparse = content
        new, kinds = {name for name, _ in wanted}, {field.kind for _, field in needs}
        with open_database(":memory:", maintenance="off") as db:
            schema = Schema({**self._schema.fields, **dict(needs)}, {**self._schema.attributes, **dict(wanted)}, self._schema.key, self._schema.key_name)
            copy = db.create(self._name, schema)
            with Batch(copy, keys) as batch:
                batch.fill({name: values for name, values in columns.items() if name in new}, None, text if "text" in kinds else None,
                           sparse if "sparse" in kinds else None)
                batch.send(api.quern_upsert, None, None)
        with Batch(self, keys) as batch:
            batch.fill({name: values for name, values in columns.items() if name not in new}, vectors, None if "text" in kinds else text,
                       None if "sparse" in kinds else sparse)
            txn = Transaction(self._db)
            try:
                with borrow(txn, self._db) as transaction:
                    batch.send(function, transaction, progress)
            finally:
                txn.rollback()

    def _grow_by(self, wanted: Any, needs: Any) -> None:
        """Adds attributes and fields."""
        with self._db._using as handle:
            for name, kind in wanted:
                try:
                    call(api.quern_add_attr, handle, self._encoded, encode(name, "metadata"), kind, None)
                except ExistsError:
                    pass  # another thread was quicker; a different type will be told by the write
            for name, field in needs:
                try:
                    call(api.quern_add_text if field.kind == "text" else api.quern_add_sparse, handle, self._encoded, name.encode(),
                         option_text(field.options, "options"))
                except ExistsError:
                    pass
        self.refresh()

    def delete(self, ids: Ids | None = None, *, where: Where | None = None, params: Any = None, only: Ids | KeySet | None = None,
               exclude: Ids | KeySet | None = None, txn: Transaction | None = None) -> int:
        """Deletes records by their ids (those that are not there are passed over), or those that match a filter, or that are in a set of ids.
        only, exclude: as those of search. Returns how many. A dict without any condition is refused: where="1" deletes all."""
        chosen = where is not None or only is not None or exclude is not None
        if (ids is None) != chosen:
            raise ValueError("delete() takes ids, or where, only and exclude")
        if ids is None:
            return self._change(api.quern_query_delete, where, params, None, only, exclude, txn)
        keys = self._keys(ids, "ids")
        if not keys.n:
            return 0
        with Batch(self, keys) as batch, borrow(txn, self._db, Transaction, "txn") as transaction:
            call(api.quern_delete, batch.handle, transaction)
            count: int = api.quern_batch_affected(batch.handle)
            return count

    def update_where(self, assignments: str | dict[str, Any], where: Where | None = None, params: Any = None, *, only: Ids | KeySet | None = None,
                     exclude: Ids | KeySet | None = None, txn: Transaction | None = None) -> int:
        """Sets attributes of all records that match, as SQL has it behind SET: update_where("lang = 'en', year = ?2", "lang = ?1", ["eng",
        2000]). A dict {attribute: value} does, too. where, or only or exclude as those of search, or several. Returns how many."""
        return self._change(api.quern_query_update, where, params, assignments, only, exclude, txn)

    @fresh
    def _change(self, function: Any, where: Any, params: Any, assignments: Any, only: Any, exclude: Any, txn: Any) -> int:
        if where is None and only is None and exclude is None:
            raise ValueError("where is None; the filter '1' matches all records")
        if isinstance(where, dict) and says_nothing(where):
            raise ValueError("where has no condition; the filter '1' matches all records")
        if where is None and only is None and not isinstance(exclude, KeySet):
            exclude = KeySet(self._keys(exclude, "exclude"))
        if where is None and only is None and not len(exclude):
            raise ValueError("exclude is empty; the filter '1' matches all records")
        settings = {"only": only, "exclude": exclude}
        built = build(self, None, None, {"where": where, "params": params, **settings} if assignments is None else settings)
        if assignments is not None:
            set_assignments(built, assignments, where, params, self._schema)
        count = ctypes.c_uint64()
        with borrow(txn, self._db, Transaction, "txn") as transaction:
            call(function, built.handle, transaction, ctypes.byref(count))
        return count.value

    # ---- Reading

    @fresh
    def get(self, ids: Any, columns: Columns = None, *, snapshot: Snapshot | None = None) -> Any:
        """Records by their ids: a list with a Hit for each, None where there is no such record. Of a single id: that Hit, or None.
        columns: names of attributes and fields, "*" for all; default: all attributes."""
        ids = plain(ids)
        single = isinstance(ids, (str, int))
        keys = self._keys(ids, "ids")
        if not keys.n:
            return []
        out = ctypes.c_void_p()
        with Batch(self, keys) as batch, borrow(snapshot, self._db, Snapshot) as view:
            call(api.quern_get, batch.handle, view, self._column_list(columns), ctypes.byref(out))
        rows = self._rows(out)
        hits = [Hit(rows, i) if api.quern_result_found(out.value, i) else None for i in range(len(rows))]
        return hits[0] if single else hits

    def _rows(self, out: Any) -> Rows:
        table = Table(out.value, True)
        return Rows(table, 0, api.quern_result_rows(out.value), self._text_fields)

    def _column_list(self, columns: Any) -> bytes | None:
        if columns is None:
            return self._columns
        if isinstance(columns, str):
            if columns == "*":
                return b"*"
            columns = [columns]
        names = list_of(columns, "columns")
        return b",".join(encode(quote(name) if isinstance(name, str) else name, f"columns[{i}]") for i, name in enumerate(names)) or None

    @fresh
    def count(self, where: Where | None = None, params: Any = None, *, only: Ids | KeySet | None = None, exclude: Ids | KeySet | None = None,
              snapshot: Snapshot | None = None) -> int:
        """How many records there are, or match a filter, among those of a set of ids or without them (only, exclude: as those of search)."""
        count = ctypes.c_uint64()
        if any(told is not None for told in (where, params, only, exclude)):
            built = build(self, None, None, {"where": where, "params": params, "only": only, "exclude": exclude, "snapshot": snapshot})
            call(api.quern_query_count, built.handle, ctypes.byref(count))
        else:
            with self._db._using as handle, borrow(snapshot, self._db, Snapshot) as view:
                call(api.quern_count, handle, self._encoded, view, ctypes.byref(count))
        return count.value

    def scan(self, columns: Columns = None, *, after: Any = None, snapshot: Snapshot | None = None, page: int = 1000) -> Iterator[Hit]:
        """All records in the order of their keys, from one snapshot: an iterator of Hits. after: behind this key."""
        for rows in self.pages(columns, after=after, snapshot=snapshot, page=page):
            yield from rows

    def pages(self, columns: Columns = None, *, after: Any = None, snapshot: Snapshot | None = None, page: int = 1000) -> Iterator[Rows]:
        """The same, an iterator of Rows of up to `page` records."""
        for rows in self._pages(columns, after, snapshot, page):
            if len(rows):
                yield rows

    def arrow(self, columns: Columns = None, *, after: Any = None, snapshot: Snapshot | None = None, page: int = 1000) -> ArrowScan:
        """The same for Arrow: polars.from_arrow, pyarrow.RecordBatchReader.from_stream, duckdb and pandas read it as a stream of batches of up
        to `page` records, from one snapshot, whatever the size of the collection. Each reader begins a scan of its own."""
        whole(page, "page", 1, 1048576)
        return ArrowScan(lambda: self._pages(columns, after, snapshot, page))

    def _pages(self, columns: Any, after: Any, snapshot: Any, page: int) -> Iterator[Rows]:
        """Rows until the first without any, which comes, too."""
        whole(page, "page", 1, 1048576)
        out = ctypes.c_void_p()
        with self._db._using as handle, borrow(snapshot, self._db, Snapshot) as view:
            call(api.quern_scan, handle, self._encoded, view, self._column_list(columns), ctypes.byref(out))
        cursor = out.value
        try:
            if after is not None:
                after = plain(after)
                key = self._keys([after], "after")
                move = api.quern_cursor_after_text if key.is_text else api.quern_cursor_after_int
                call(move, cursor, after.encode() if key.is_text else after)
            while True:
                self._db._check_process()
                call(api.quern_cursor_next, cursor, page, ctypes.byref(out))
                rows = self._rows(out)
                yield rows
                if not len(rows):
                    return
        finally:
            if self._db._forks == Process.forks:
                api.quern_cursor_free(cursor)

    @fresh
    def list(self, where: Where | None = None, params: Any = None, *, order: str | None = None, k: int = 10, after: str | None = None,
             only: Ids | KeySet | None = None, exclude: Ids | KeySet | None = None, columns: Columns = None,
             snapshot: Snapshot | None = None) -> Rows:
        """Records that match, in an order ("year desc, title"), at most k (0: all). after: the bookmark of the page before. only, exclude: as
        those of search."""
        settings = {"where": where, "params": params, "only": only, "exclude": exclude, "order": order, "after": after, "snapshot": snapshot}
        built = build(self, None, k, settings, self._column_list(columns))
        out = ctypes.c_void_p()
        call(api.quern_query_list, built.handle, ctypes.byref(out))
        return self._rows(out)

    @fresh
    def facet(self, attribute: str, where: Where | None = None, params: Any = None, *, n: int = 100, only: Ids | KeySet | None = None,
              exclude: Ids | KeySet | None = None, snapshot: Snapshot | None = None) -> Facet:
        """How many of the records that match have each value of an attribute; see Facet. only, exclude: as those of search."""
        built = build(self, None, None, {"where": where, "params": params, "only": only, "exclude": exclude, "snapshot": snapshot})
        out = ctypes.c_void_p()
        call(api.quern_query_facet, built.handle, encode(attribute, "attribute"), whole(n, "n"), ctypes.byref(out))
        table = Table(out.value, False)
        rows = Rows(table, 0, api.quern_result_rows(out.value))
        kinds = [kind for _, kind in table.columns()]
        made = Facet(zip(*(values_of(table, i, kinds[i], 0, len(rows)) for i in (0, 1))))
        stats = rows.stats()
        made.matches, made.nulls, made.values_there = stats["matches"], stats["nulls"], stats["values"]
        return made

    # ---- Search

    @overload
    def search(self, vectors: Sequence[float] | None = None, k: int = 10, **settings: Any) -> Hits: ...

    @overload
    def search(self, vectors: Sequence[Sequence[float]], k: int = 10, **settings: Any) -> HitsOfQueries: ...

    @overload
    def search(self, vectors: Any, k: int = 10, **settings: Any) -> Any: ...

    def search(self, vectors: Any = None, k: int = 10, **settings: Any) -> Any:
        """The k nearest records: Hits for one vector, HitsOfQueries for a matrix.

        What to look for: vectors; or text="..." (BM25; a list for several), sparse={dim: weight} or (offsets, dims, weights), keys=ids (records
            like these, by vectors or by the sparse field that is named), compose=[(1, "king"), (-1, "man"), (1, vector)] (a sum of records
            and vectors; compose_options: see quern_query_compose), legs=[quern.Leg(...), ...]. Vectors, text and sparse at once are
            legs with the same weight, scores from 0 to 1.
        field          which one, where there are several of the kind
        where, params  a filter: a dict with Chroma's operators, or SQL with parameters: "year >= ?1", [2020] or "year >= :y", {"y": 2020}
        only, exclude  ids, or a KeySet;  params_of: a list with the parameters of each query
        columns        names of attributes and fields to return; default: all attributes; (): none; "*": all
        recall, ef, nprobe, refine, threads, timeout_ms, max_scored, max_bytes, include_self, ...   see quern_query_options
        max_distance, min_score, offset, group_by and per_group, diversify (0 to 1, or a dict)
        order          the hits by attributes ("year desc, title");  after: the bookmark of the hits before, to go on behind them
        fusion, formula and formula_params   how legs become one score;  candidates: a Leg;  feedback: True or options
        snapshot       search in this one"""
        key = pool_key(k, settings) if settings or type(k) is not int else k
        pool = self._pool.get(key)
        try:
            query = pool.pop() if pool else None
        except IndexError:  # another thread was quicker
            query = None
        if pool is None or query is None:
            return self._search(vectors, k, settings, key)
        try:
            hits = self._search_with(query, vectors, settings)
        except (TypeError, ValueError):  # others may have changed the schema
            if not self._changed():
                raise
            return self._search(vectors, k, settings, key)
        if hits is None:
            hits = self._search(vectors, k, settings, None)
        pool.append(query)
        return hits

    def _search_with(self, query: Any, vectors: Any, settings: Any) -> Any:
        """The same with a kept Query; None: it is not for what is looked for."""
        if self._db._forks != Process.forks:
            self._db._check_process()
        try:
            query._view[ALL] = vectors
        except NOT_THAT_VECTOR:
            pass
        else:
            return query._search_buffer()
        return None if vectors is None else query._search_matrix(vectors)

    def _search(self, vectors: Any, k: int, settings: Any, key: Any) -> Any:
        columns = self._column_list(settings.get("columns"))
        rest = {name: value for name, value in settings.items() if name != "columns"}
        hits = None
        try:
            hits = run(build(self, vectors, k, rest, columns), self._text_fields)
        except (TypeError, ValueError):
            if not self._changed():
                raise
        if hits is None:
            columns = self._column_list(settings.get("columns"))
            hits = run(build(self, vectors, k, rest, columns), self._text_fields)
        if key is not None and vectors is not None:
            self._keep(key, k, rest, columns)
        return hits

    def _keep(self, key: Any, k: int, settings: Any, columns: Any) -> None:
        """Makes a Query that the next search of the same kind finds ready."""
        if len(self._pool) >= POOL_MAX:
            self._pool.clear()
        self._pool.setdefault(key, []).append(Query(self, k, settings, columns))

    @fresh
    def query(self, k: int = 10, **settings: Any) -> Query:
        """A search with everything said but the vector: query.search(vector), as often as wanted."""
        columns = self._column_list(settings.pop("columns", None))
        return Query(self, k, settings, columns)

    @fresh
    def explain(self, vectors: Any = None, k: int = 10, **settings: Any) -> dict[str, Any]:
        """How a search would be answered, as a dict; see quern_query_explain. How one was, beside that: search(...).explain()."""
        settings.pop("columns", None)
        built = build(self, vectors, k, settings)
        out = ctypes.c_void_p()
        call(api.quern_query_explain, built.handle, ctypes.byref(out))
        told: dict[str, Any] = json.loads(take_text(out))
        return told

    def explain_hits(self, hits: Hits | HitsOfQueries, vectors: Any = None, k: int = 10, **settings: Any) -> dict[str, Any]:
        """What the scores of hits are made of, as a dict: terms, dimensions, distances; see quern_explain_hits. hits: what the same search (these
        arguments) has found. Of the hits of one of several queries it is told about all."""
        table = getattr(hits, "_table", None)
        if not isinstance(table, Table) or not isinstance(hits, (Hits, HitsOfQueries)):
            raise TypeError(f"hits is {describe(hits)}, not what a search has returned in this process")
        settings.pop("columns", None)
        built = build(self, vectors, k, settings)
        out = ctypes.c_void_p()
        call(api.quern_explain_hits, built.handle, table.handle, ctypes.byref(out))
        told: dict[str, Any] = json.loads(take_text(out))
        return told

    @fresh
    def recall_audit(self, vectors: Any = None, k: int = 10, *, sample: int | None = None, keep: str | None = None, progress: Progress = None,
                     **settings: Any) -> dict[str, Any]:
        """Measures what recall these searches have, as a dict; keep="yes": from now on searches that ask for a recall get it."""
        built = build(self, vectors, k, settings)
        out = ctypes.c_void_p()
        run_slow(self._db, progress, api.quern_recall_audit, built.handle, option_text({"sample": sample, "keep": keep}, "options") or None,
                 ctypes.byref(out))
        told: dict[str, Any] = json.loads(take_text(out))
        return told

    def snippet(self, query: str, content: str, *, field: str | None = None, **options: Any) -> str:
        """The piece of a text that shows best what a text query finds in it, with that marked; see quern_snippet."""
        name, _ = self._field("text", field, "field")
        options = {key: "'" + value.replace("'", "''") + "'" if isinstance(value, str) else value for key, value in options.items()}
        data, out = encode(content, "content"), ctypes.c_void_p()
        with self._db._using as handle:
            call(api.quern_snippet, handle, self._encoded, name, encode(query, "query"), data, len(data), option_text(options, "options") or None,
                 ctypes.byref(out))
        return take_text(out)

    def set_token_weights(self, tokens: Any, *, field: str | None = None, progress: Progress = None, **options: Any) -> None:
        """Gives a sparse field tokens, so that text= with its name searches it; see quern_set_token_weights. tokens: {token: weight} or
        {token: (dimension, weight)}; or a list of tokens, whose weights are counted. Without a dimension it is the token's place. None takes
        them away. options: tokenizer, porter=True, stop, synonyms, wordpiece=True."""
        name, _ = self._field("sparse", field, "field")
        if isinstance(tokens, (str, bytes)):
            raise TypeError(f"tokens is {describe(tokens)}, not a dict or a list of tokens")
        words, weights, places = list(tokens or ()), None, list(range(len(tokens or ())))
        if isinstance(tokens, dict):
            pairs = [value if isinstance(value, tuple) else (i, value) for i, value in enumerate(tokens.values())]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError("tokens: a tuple is a dimension and a weight")
            places = [pair[0] for pair in pairs]
            weights = pack_list([plain(weight) for _, weight in pairs], "f", "tokens: weights")
        dims = pack_dims(places, "tokens: dims")
        flags = " ".join(key for key in ("porter", "wordpiece") if options.pop(key, False))
        told = b" ".join(part for part in (option_text(options, "options"), flags.encode()) if part)
        with self._db._using as handle:
            run_slow(self._db, progress, api.quern_set_token_weights, handle, self._encoded, name, texts_of(words, "tokens"),
                     dims.buffer_info()[0], None if weights is None else weights.buffer_info()[0], len(words), told)

    def sparse_stats(self, queries: Any = None, *, field: str | None = None) -> dict[str, Any]:
        """How long the lists of a sparse field are, and what queries (else the records) touch, as a dict; see quern_sparse_stats."""
        name, _ = self._field("sparse", field, "field")
        rows = SparseRows([] if queries is None else queries)
        offsets, dims, _ = rows.addresses()
        out = ctypes.c_void_p()
        with self._db._using as handle:
            call(api.quern_sparse_stats, handle, self._encoded, name, None, offsets, dims, rows.n, ctypes.byref(out))
        told: dict[str, Any] = json.loads(take_text(out))
        return told

    @fresh
    def measure_hubs(self, attribute: str, vectors: Any = None, *, field: str | None = None, progress: Progress = None, **options: Any) -> None:
        """Writes to a real attribute how near each record is to what is asked; see quern_measure_hubs."""
        name, found = self._field("dense", field, "field")
        matrix = None if vectors is None else matrix_of(vectors, "vectors", BF16 if found.type == "bf16" else F32, found.dim, False)
        if matrix is not None and matrix.valid is not None:
            raise ValueError("vectors holds None: a query has a vector")
        with self._db._using as handle:
            run_slow(self._db, progress, api.quern_measure_hubs, handle, self._encoded, name, encode(attribute, "attribute"),
                     matrix and matrix.address, matrix.rows if matrix else 0, found.dim, option_text(options, "options") or None)

    def fit_fusion(self, legs: Any, ids: Ids, queries: Any, gains: Any = None, **options: Any) -> tuple[str, float, float]:
        """Learns from judged examples: (options for `fusion`, quality before, quality after). Example i says that ids[i] was judged for query
        queries[i] of the legs, with gains[i]; see quern_fit_fusion."""
        built = build(self, None, None, {"legs": legs})
        keys, numbers = self._keys(ids, "ids"), numbers_of(queries, "Q", "queries")
        weights = None if gains is None else numbers_of(gains, "f", "gains")
        for name, block in (("queries", numbers), ("gains", weights)):
            if block is not None and block.shape[0] != keys.n:
                raise ValueError(f"{name} has {block.shape[0]} entries for {keys.n} ids")
        quality, out = (ctypes.c_double * 2)(), ctypes.c_void_p()
        with Batch(self, keys) as batch:
            call(api.quern_fit_fusion, built.handle, batch.handle, numbers.address or None, weights and weights.address,
                 option_text(options, "options") or None, ctypes.byref(out), quality)
        return take_text(out), quality[0], quality[1]

    def store_fusion(self, name: str, legs: Any, fusion: Any = None) -> None:
        """Keeps how these legs are fused in the file: fusion="stored=NAME" in later searches. Legs are kept by their names, or fields; see
        quern_store_fusion."""
        built = build(self, None, None, {"legs": legs, "fusion": fusion})
        call(api.quern_store_fusion, built.handle, encode(name, "name"))

    def drop_fusion(self, name: str) -> None:
        """Forgets a fusion that was stored."""
        with self._db._using as handle:
            call(api.quern_drop_fusion, handle, self._encoded, encode(name, "name"))


class ArrowScan(Owner):
    """A scan that Arrow's consumers read; see Collection.arrow."""

    __slots__ = ("_begin",)

    def __init__(self, begin: Any) -> None:
        self._begin = begin

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        from ._arrow import stream_of_pages
        return stream_of_pages(self._begin())


def is_by_field(value: Any) -> bool:
    return isinstance(value, dict) and not is_sparse_matrix(value) and bool(value) and isinstance(next(iter(value)), str)

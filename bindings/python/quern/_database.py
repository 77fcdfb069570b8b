"""An open database, its collections, transactions and snapshots.

The library lets every thread use a quern_db, but the handle itself ends with quern_close. So calls that take the handle are counted here, and
close() waits for them: no thread is left with a pointer to nothing. Everything made from a database keeps it alive.
"""
from __future__ import annotations

import atexit
import ctypes
import json
import os
import threading
import weakref
from typing import Any, TYPE_CHECKING

from . import _errors
from ._arrays import describe
from ._columns import TYPE_NAMES, encode, folded
from ._errors import ClosedError, ForkError, NotFoundError, UsageError, call, local
from ._library import api
from ._process import Owner, Process
from ._result import Rows, Table
from ._schema import Schema, dense, describe_collection, option_text, sparse, text, whole
from ._work import run_slow

if TYPE_CHECKING:
    from ._collection import Collection

open_databases: weakref.WeakSet[Database] = weakref.WeakSet()


class InUse(Owner):
    """Lends the handle of a database for one call. Who uses it is counted by threads: see Database.close."""

    __slots__ = ("db",)

    def __init__(self, db: Any) -> None:
        self.db = db

    def __enter__(self) -> Any:
        db = self.db
        db._check_process()
        thread = threading.get_ident()
        with db._lock:
            # Counted first: a signal handler that closes the database may run between any two of these lines.
            db._users[thread] = db._users.get(thread, 0) + 1
            handle = db._handle
            if handle is not None and (not db._closing or db._users[thread] > 1):
                return handle
        self.__exit__()
        raise ClosedError("the database was closed", -102)

    def __exit__(self, *_: Any) -> None:
        db, thread = self.db, threading.get_ident()
        with db._lock:
            left = db._users.get(thread, 0) - 1
            if left > 0:
                db._users[thread] = left
                return
            db._users.pop(thread, None)
            if db._users:
                return
            db._lock.notify_all()
            handle = None
            if db._closing_later:
                handle, db._handle = db._handle, None
        if handle is not None:
            api.quern_close(handle)


class Database(Owner):
    """An open database file; see quern.open. Any number of threads may use it. A with block closes it."""

    def __init__(self, handle: Any, path: Any) -> None:
        self._handle = handle
        self._closing = False
        self._closing_later = False  # by the last call that is under way
        self._users: dict[int, int] = {}  # thread: how many calls it is in
        self._jobs = 0
        self._lock = threading.Condition()
        self._forks = Process.forks
        self._path = path
        self._using = InUse(self)
        open_databases.add(self)

    def _check_process(self) -> None:
        if self._forks != Process.forks:
            raise ForkError("the database was opened before fork(): open it again in the child", -100)

    def close(self) -> None:
        """Closes the file; more than once is allowed. Calls that other threads are in raise Interrupted, or end; open transactions are
        rolled back, snapshots and cursors end. Results can still be read.

        Inside a call of the same thread (in a signal handler) it cannot wait for that: it interrupts it and returns, and the file is closed when
        the call has returned."""
        if self._forks != Process.forks:
            return
        if id(self) in local.inside:
            raise UsageError("close() inside a progress function of this database", -100)
        with self._lock:
            self._closing = True
            if self._users and self._handle is not None:
                api.quern_interrupt(self._handle)  # as quern_close does with what holds no handle of the database's
            if threading.get_ident() in self._users:
                self._closing_later = True
                return
            while self._users:
                self._lock.wait()
            handle, self._handle = self._handle, None
        if handle is not None:
            api.quern_close(handle)

    @property
    def closed(self) -> bool:
        return self._handle is None

    @property
    def path(self) -> Any:
        return self._path

    def __enter__(self) -> Database:
        with self._using:  # ClosedError, if it was closed
            return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", None), None
        if handle is not None and self._forks == Process.forks:
            api.quern_close(handle)

    def __repr__(self) -> str:
        return f"<quern.Database {self._path!r}{', closed' if self.closed else ''}>"

    def interrupt(self) -> None:
        """Makes every running call on this database raise Interrupted soon. Any thread may say so."""
        with self._using as handle:
            api.quern_interrupt(handle)

    # ---- Collections

    def collection(self, name: str, schema: Schema | None = None, *, dim: int | None = None, metric: str = "cosine", key: Any = "text",
                   attributes: dict[str, Any] | None = None, text: bool | str | None = None, sparse: bool | dict[str, Any] | None = None,
                   grow: bool = True, **options: Any) -> Collection:
        """The collection of that name, made if there is none.

        schema: a Schema; or, for the usual shape, dim and metric of a field "vector" (options are those of quern.dense: type="f16",
        index="graph", codes="4bit", ...), key "text" or "int", attributes {name: type}, text=True (or its options) for a field "text",
        sparse=True (or a dict of options) for a field "sparse". grow: attributes, and the fields "text" and "sparse", that upsert meets
        and the collection lacks are added, as is what is asked for here. Without dim and schema the collection must be there: NotFoundError.
        Raises ValueError if the collection there is has another dim, metric, or type of keys than was asked for."""
        from ._collection import Collection
        encoded = encode(name, "name")
        asked = schema if schema is not None else short_schema(dim, metric, key, attributes, text, sparse, options)
        if asked is not None and not isinstance(asked, Schema):
            raise TypeError(f"schema is {describe(asked)}, not a quern.Schema")
        with self._using as handle:
            try:
                there = describe_collection(handle, encoded)
            except NotFoundError:
                if asked is None:
                    raise
                there = self._create(handle, encoded, asked)
        made = Collection(self, name, there, grow)
        if asked is not None:
            check_same(name, there, asked)
            made._add_missing(asked)
        return made

    def _create(self, handle: Any, name: bytes, schema: Schema) -> Schema:
        made = schema.to_c()
        try:
            call(api.quern_create, handle, name, made)
        except _errors.ExistsError:
            pass  # another thread or process was quicker
        finally:
            api.quern_schema_free(made)
        return describe_collection(handle, name)

    def create(self, name: str, schema: Schema) -> Collection:
        """Makes a collection: ExistsError if there is one."""
        from ._collection import Collection
        if not isinstance(schema, Schema):
            raise TypeError(f"schema is {describe(schema)}, not a quern.Schema")
        encoded, made = encode(name, "name"), schema.to_c()
        try:
            with self._using as handle:
                call(api.quern_create, handle, encoded, made)
                return Collection(self, name, describe_collection(handle, encoded), True)
        finally:
            api.quern_schema_free(made)

    def collections(self) -> list[str]:
        """The names of all collections, sorted."""
        names: list[str] = json.loads(self._text(api.quern_collections))
        return names

    def drop(self, name: str) -> None:
        with self._using as handle:
            call(api.quern_drop, handle, encode(name, "name"))

    def rename(self, old: str, new: str) -> None:
        with self._using as handle:
            call(api.quern_rename, handle, encode(old, "old"), encode(new, "new"))

    # ---- Transactions and snapshots

    def transaction(self) -> Transaction:
        """Starts the one write transaction there can be: `with db.transaction() as txn: docs.upsert(..., txn=txn)`. It is committed at
        the end of the block, and rolled back if that raises."""
        return Transaction(self)

    def snapshot(self) -> Snapshot:
        """A stable view of the whole database; hold it briefly. `with db.snapshot() as snap: docs.search(q, snapshot=snap)`"""
        return Snapshot(self)

    def sql(self, statement: str, snapshot: Snapshot | None = None) -> Rows:
        """The rows of a read-only SQL statement; each collection is a view of its name. It has no parameters: values that come from outside
        belong into a filter (docs.list(where, params)). Of columns with one name the second is called NAME_2."""
        out = ctypes.c_void_p()
        with self._using as handle, borrow(snapshot, self) as view:
            call(api.quern_sql, handle, view, encode(statement, "statement"), ctypes.byref(out))
        table = Table(out.value, False)
        return Rows(table, 0, api.quern_result_rows(out.value))

    def attach(self, name: str, path: Any) -> None:
        """Lets sql and filters read the tables of another SQLite file as name.table, until detach or close; see quern_attach."""
        with self._using as handle:
            call(api.quern_attach, handle, encode(name, "name"), encode(os.fspath(path), "path"))

    def detach(self, name: str) -> None:
        with self._using as handle:
            call(api.quern_detach, handle, encode(name, "name"))

    # ---- Maintenance

    def optimize(self, collection: Any = None, max_ms: int = 0, progress: Any = None) -> None:
        """Seals, merges and builds indexes, of one collection or all; max_ms: stops at about that time in a good state."""
        name = None if collection is None else encode(getattr(collection, "name", collection), "collection")
        self._work(progress, api.quern_optimize, name, whole(max_ms, "max_ms", 0, 2 ** 32 - 1))

    def vacuum(self, progress: Any = None) -> None:
        """Rewrites the file without free space."""
        self._work(progress, api.quern_vacuum)

    def backup(self, path: Any, progress: Any = None) -> None:
        """Copies the database to a new file while others read and write."""
        self._work(progress, api.quern_backup, encode(os.fspath(path), "path"))

    def rebuild(self, collection: Any = None, progress: Any = None) -> None:
        """Makes damaged or missing indexes anew."""
        name = None if collection is None else encode(getattr(collection, "name", collection), "collection")
        self._work(progress, api.quern_rebuild, name)

    def verify(self, progress: Any = None) -> dict[str, Any]:
        """Reads and proves everything; a report as a dict, whose "ok" and "problems" tell what was found."""
        out = ctypes.c_void_p()
        with self._using as handle:
            try:
                run_slow(self, progress, api.quern_verify, handle, ctypes.byref(out))
            except _errors.CorruptError:
                if not out:
                    raise
        report: dict[str, Any] = json.loads(take_text(out))
        return report

    def info(self) -> dict[str, Any]:
        """Sizes, schema, segments and indexes, as a dict; see quern_info."""
        told: dict[str, Any] = json.loads(self._text(api.quern_info))
        return told

    def _work(self, progress: Any, function: Any, *arguments: Any) -> None:
        with self._using as handle:
            run_slow(self, progress, function, handle, *arguments)

    def _text(self, function: Any, *arguments: Any) -> str:
        out = ctypes.c_void_p()
        with self._using as handle:
            call(function, handle, *arguments, ctypes.byref(out))
        return take_text(out)


def take_text(out: Any) -> str:
    """The content of a quern_text, which is freed."""
    try:
        return ctypes.string_at(api.quern_text_data(out), api.quern_text_size(out)).decode("utf-8", "replace")
    finally:
        api.quern_text_free(out)


class Borrowed(Owner):
    """A handle (or None) lent for one call, to one thread at a time."""

    __slots__ = ("owner", "db")

    def __init__(self, owner: Any, db: Any) -> None:
        self.owner = owner
        self.db = db

    def __enter__(self) -> Any:
        owner = self.owner
        if owner is None:
            return None
        owner.db._check_process()
        if owner.db is not self.db:
            raise UsageError(f"{owner.what} belongs to another database", -100)
        if not owner.lock.acquire(owner.shared):
            raise UsageError(f"{owner.what} is in use by another thread", -100)
        if owner.handle is None:
            owner.lock.release()
            raise UsageError(f"{owner.what} is over", -112)
        return owner.handle

    def __exit__(self, *_: Any) -> None:
        if self.owner is not None:
            self.owner.lock.release()


def borrow(owner: Any, db: Any, kind: Any = None, name: str = "") -> Borrowed:
    if owner is not None and not isinstance(owner, kind or (Snapshot, Transaction)):
        raise TypeError(f"{name or 'snapshot'} is {describe(owner)}, not what Database.{'transaction' if kind is Transaction else 'snapshot'}() gives")
    return Borrowed(owner, db)


class Transaction(Owner):
    """See Database.transaction. It belongs to one thread at a time."""

    what, shared = "txn", False

    def __init__(self, db: Any) -> None:
        self.db = db
        self.handle = None
        self.lock = threading.Lock()
        out = ctypes.c_void_p()
        with db._using as handle:
            call(api.quern_begin, handle, ctypes.byref(out))
        self.handle = out.value

    def commit(self) -> None:
        """Durable when it returns."""
        with Borrowed(self, self.db) as handle:
            self.handle = None
            call(api.quern_commit, handle)

    def rollback(self) -> None:
        """Undoes everything; nothing happens if the transaction is over."""
        if self.db._forks != Process.forks:
            return
        if not self.lock.acquire(False):
            raise UsageError("txn is in use by another thread", -100)
        try:
            handle, self.handle = self.handle, None
            if handle is not None:
                api.quern_rollback(handle)
        finally:
            self.lock.release()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self.rollback()
        elif self.handle is not None:
            self.commit()

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", None), None
        if handle is not None and self.db._forks == Process.forks:
            api.quern_rollback(handle)


class Snapshot(Owner):
    """See Database.snapshot. Any number of threads may search in it."""

    what, shared = "snapshot", True

    def __init__(self, db: Any) -> None:
        self.db = db
        self.handle = None
        self.lock = threading.RLock()
        out = ctypes.c_void_p()
        with db._using as handle:
            call(api.quern_snapshot_new, handle, ctypes.byref(out))
        self.handle = out.value

    @property
    def generation(self) -> int:
        """The number of changes of the database up to it."""
        with Borrowed(self, self.db) as handle:
            generation: int = api.quern_snapshot_generation(handle)
            return generation

    def close(self) -> None:
        if self.db._forks != Process.forks:
            return
        with self.lock:
            handle, self.handle = self.handle, None
        if handle is not None:
            api.quern_snapshot_free(handle)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", None), None
        if handle is not None and self.db._forks == Process.forks:
            api.quern_snapshot_free(handle)


def short_schema(dim: int | None, metric: Any, key: Any, attributes: Any, text_options: Any, sparse_options: Any, options: Any) -> Schema | None:
    """The Schema of the short form of Database.collection; None if it names no field."""
    fields = {}
    if dim is not None:
        fields["vector"] = dense(dim, metric, **options)
    elif options:
        raise TypeError(f"collection() got the option {sorted(options)[0]!r}, which belongs to a dense field: give dim")
    if text_options is not None and text_options is not False:
        fields["text"] = text(None if text_options is True else text_options)
    if sparse_options is not None and sparse_options is not False:
        fields["sparse"] = sparse(**({} if sparse_options is True else sparse_options))
    if not fields and attributes is None:
        return None
    return Schema(fields, attributes, key)


def check_same(name: str, there: Any, asked: Any) -> None:
    """ValueError if the collection there cannot be used as the one that was asked for. What it lacks is no difference: it is added."""
    if there.key != asked.key:
        raise ValueError(f"the keys of {name!r} are {there.key}, not {asked.key}")
    fields, attributes = ({folded(known): kind for known, kind in part.items()} for part in (there.fields, there.attributes))
    for field, wanted in asked.fields.items():
        found = fields.get(folded(field))
        if found is not None and found != wanted:
            raise ValueError(f"{name!r} has the field {field!r} as {found!r}, not as {wanted!r}")
    for attribute, wanted in asked.attributes.items():
        found = attributes.get(folded(attribute))
        if found is not None and found != wanted:
            raise ValueError(f"{name!r} has the attribute {attribute!r} as {TYPE_NAMES[found]}, not as {TYPE_NAMES[wanted]}")


def open_database(path: Any, options: Any = None, **settings: Any) -> Database:
    """Opens a database file, creating it when absent; ":memory:" makes one that lives until it is closed.

    Settings are the options of quern_open: mode="ro", durability="relaxed", busy_ms, threads, memory_mb, cache_mb, maintenance, seal_rows,
    seal_kb; or options="key=value key=value". Close it, or use a with block."""
    told = option_text(options, "options")
    more = option_text(settings, "a setting")
    out = ctypes.c_void_p()
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"path is {describe(path)}, not a text or a path")
    path = os.fspath(path)
    encoded = encode(os.fsdecode(path) if isinstance(path, bytes) else path, "path")
    call(api.quern_open, encoded, b" ".join(part for part in (told, more) if part) or None, ctypes.byref(out))
    return Database(out.value, path)


@atexit.register
def close_all() -> None:
    """At the end of the program, so that files are left without companions. Other threads may still be inside."""
    for db in list(open_databases):
        if not db.closed and db._forks == Process.forks:
            db.interrupt()
            db.close()

"""quern: an embedded vector database. One library, one file, no server.

    import quern
    with quern.open("notes.quern") as db:
        docs = db.collection("docs", dim=384, metric="cosine")
        docs.upsert(ids=ids, vectors=X, metadata=metas, text=texts)
        for hit in docs.search(q, k=10, where={"lang": "de", "year": {"$gte": 2020}}):
            print(hit.id, hit.score, hit.metadata)
"""
from ._collection import Collection, Facet
from ._database import Database, Snapshot, Transaction
from ._database import open_database as open
from ._errors import (BusyError, ClosedError, CorruptError, Error, ExistsError, FileError, ForkError, FormatError, InternalError, Interrupted,
                      LimitError, NotFoundError, OutcomeUnknownError, OutOfMemoryError, UsageError)
from ._library import api as _api
from ._library import path as library_path
from ._query import KeySet, Leg, Query, words
from ._result import Hit, Hits, HitsOfQueries, Rows
from ._schema import Field, Schema, dense, sparse, text

__version__ = "0.1.0"
library_version = _api.quern_version().decode()
build_info = _api.quern_build_info().decode()

__all__ = ["BusyError", "ClosedError", "Collection", "CorruptError", "Database", "Error", "ExistsError", "Facet", "Field", "FileError",
           "ForkError", "FormatError", "Hit", "Hits", "HitsOfQueries", "InternalError", "Interrupted", "KeySet", "Leg", "LimitError",
           "NotFoundError", "OutOfMemoryError", "OutcomeUnknownError", "Query", "Rows", "Schema", "Snapshot", "Transaction", "UsageError",
           "build_info", "dense", "library_path", "library_version", "open", "sparse", "text", "words"]

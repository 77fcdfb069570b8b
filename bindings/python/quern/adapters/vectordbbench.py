"""The client of quern for VectorDBBench. The benchmark copies it into several processes; each opens the file for itself in init().

    QuernClient(dim, {"path": "bench.quern", "recall": 0.95}, case_config, collection_name="vdb", drop_old=True)
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

from .._database import open_database
from .._errors import Error
from .._schema import Schema, dense

try:
    from vectordb_bench.backend.clients.api import VectorDB  # type: ignore[import]
    from vectordb_bench.backend.filter import FilterOp  # type: ignore[import]
    FILTERS = [FilterOp.NonFilter, FilterOp.NumGE, FilterOp.StrEqual]
except ImportError:
    VectorDB, FILTERS = object, []

METRICS = {"L2": "l2", "COSINE": "cosine", "IP": "ip", "DP": "ip", "HAMMING": "hamming"}


class QuernClient(VectorDB):  # type: ignore[misc]
    """db_config: path; and, if wanted, recall, and options of quern.open. db_case_config: its metric_type, and index_param() as options of
    quern.dense; search_param() as settings of Collection.search."""

    name = "quern"
    thread_safe = True
    supported_filter_types: list[Any] = FILTERS

    def __init__(self, dim: int, db_config: dict[str, Any], db_case_config: Any = None, collection_name: str = "vectors", drop_old: bool = False,
                 with_scalar_labels: bool = False, **kwargs: Any) -> None:
        self.dim = dim
        self.config = dict(db_config)
        self.path = self.config.pop("path")
        self.settings: dict[str, Any] = {"recall": self.config.pop("recall", 0.95)}
        self.collection_name = collection_name
        metric = getattr(db_case_config, "metric_type", None) or "COSINE"
        self.metric = METRICS[str(getattr(metric, "value", metric))]
        self.options = dict(db_case_config.index_param()) if db_case_config is not None else {}
        self.settings.update(db_case_config.search_param() if db_case_config is not None else {})
        self.options = {key: value for key, value in self.options.items() if key != "metric_type"}
        self.settings = {key: value for key, value in self.settings.items() if key != "metric_type"}
        self.where: Any = None
        self.db: Any = None
        self.docs: Any = None
        with open_database(self.path, **self.config) as db:
            if drop_old and collection_name in db.collections():
                db.drop(collection_name)
            db.collection(collection_name, self._schema())

    def _schema(self) -> Any:
        return Schema({"vector": dense(self.dim, self.metric, **self.options)}, {"labels": str}, "int")

    @contextmanager
    def init(self) -> Iterator[Any]:
        """Opens the file, for this process and the block."""
        self.db = open_database(self.path, **self.config)
        self.docs = self.db.collection(self.collection_name)
        try:
            yield
        finally:
            self.db.close()
            self.db = self.docs = None

    def need_normalize_cosine(self) -> bool:
        return False

    def insert_embeddings(self, embeddings: Any, metadata: list[int], labels_data: list[str] | None = None,
                          **kwargs: Any) -> tuple[int, Exception | None]:
        """(how many were written, the error or None)"""
        try:
            labels = None if labels_data is None else {"labels": list(labels_data)}
            return self.docs.upsert([int(key) for key in metadata], embeddings, labels), None
        except (Error, ValueError, TypeError) as error:
            return 0, error

    def prepare_filter(self, filters: Any) -> None:
        """What the searches from now on are filtered by: FilterOp.NonFilter, NumGE over the ids, or StrEqual over labels."""
        kind = getattr(filters.type, "name", str(filters.type))
        if kind == "NonFilter":
            self.where = None
        elif kind == "NumGE":
            self.where = f"id >= {int(filters.int_value)}"
        elif kind == "StrEqual":
            self.where = "labels = '" + str(filters.label_value).replace("'", "''") + "'"
        else:
            raise ValueError(f"quern has no filter {kind}")

    def search_embedding(self, query: list[float], k: int = 100, **kwargs: Any) -> list[int]:
        settings = self.settings if self.where is None else {**self.settings, "where": self.where}
        return list(map(int, self.docs.search(query, k, columns=(), threads=1, **settings).ids))

    def optimize(self, data_size: int | None = None) -> None:
        self.db.optimize()

    def __getstate__(self) -> Any:
        """Without the open file: it belongs to its process."""
        return {**self.__dict__, "db": None, "docs": None}

"""The driver of quern for ann-benchmarks. There, `ann_benchmarks/algorithms/quern/module.py` is

    from quern.adapters.ann_benchmarks import Quern

and config.yml, with the recalls to ask for as query arguments:

    float:
      any:
      - base_args: ['@metric']
        constructor: Quern
        disabled: false
        docker_tag: ann-benchmarks-quern
        module: ann_benchmarks.algorithms.quern
        name: quern
        run_groups:
          graph:
            args: [[{codes: auto}, {codes: packed}]]
            query_args: [[0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999]]
"""
from __future__ import annotations

from typing import Any

from .._database import open_database

try:
    from ann_benchmarks.algorithms.base.module import BaseANN  # type: ignore[import]
except ImportError:
    BaseANN = object

# Parts of "memory" of Database.info: sqlite_bytes is left out, whose cache holds pages of the file.
HELD = ("vector_bytes", "index_bytes", "cache_bytes", "row_id_bytes", "log_bytes")
METRICS = {"angular": "cosine", "euclidean": "l2", "hamming": "hamming", "ip": "ip"}


class Quern(BaseANN):  # type: ignore[misc]
    """metric: angular, euclidean, hamming or ip. options: those of quern.dense. One thread, as the rules of the benchmark want; batch queries
    take all of them."""

    def __init__(self, metric: str, options: dict[str, Any] | None = None) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric is {metric!r}, not one of {', '.join(METRICS)}")
        self.metric = METRICS[metric]
        self.options = dict(options or {})
        self.recall: Any = 0.95
        self.name = f"quern({self.options})"
        self.db: Any = None
        self.queries: dict[int, Any] = {}
        self.answers: Any = None

    def fit(self, X: Any) -> None:
        self.db = open_database(":memory:")
        self.docs = self.db.collection("items", dim=len(X[0]), metric=self.metric, key="int", **self.options)
        for start in range(0, len(X), 100000):
            part = X[start:start + 100000]
            self.docs.upsert(list(range(start, start + len(part))), part)
        self.db.optimize()

    def set_query_arguments(self, recall: Any) -> None:
        self.recall = recall
        self.queries = {}
        self.name = f"quern({self.options}, recall={recall})"

    def query(self, q: Any, n: int) -> Any:
        if n not in self.queries:
            self.queries[n] = self.docs.query(n, recall=self.recall, columns=(), threads=1)
        return self.queries[n].search(q).ids

    def batch_query(self, X: Any, n: int) -> None:
        self.answers = self.docs.search(X, n, recall=self.recall, columns=())

    def get_batch_results(self) -> Any:
        return self.answers.ids

    def get_memory_usage(self) -> float:
        """Kilobytes: what the database holds in memory, its file and log being there, too. Limits are nothing that is held."""
        if self.db is None or self.db.closed:
            return 0.0
        info = self.db.info()
        kilobytes: float = (info["file_bytes"] + info["wal_bytes"] + sum(size for name, size in info["memory"].items() if name in HELD)) / 1024
        return kilobytes

    def get_additional(self) -> dict[str, Any]:
        return {}

    def done(self) -> None:
        if self.db is not None:
            self.queries = {}
            self.db.close()

    def __str__(self) -> str:
        return self.name


__all__ = ["Quern"]

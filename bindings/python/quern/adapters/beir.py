"""Retrieval for BEIR: dense by a model, BM25 by the words, or both.

    from quern.adapters.beir import QuernSearch
    retriever = EvaluateRetrieval(QuernSearch(model, mode="hybrid", alpha=0.7), score_function="cos_sim")
    results = retriever.retrieve(corpus, queries)
"""
from __future__ import annotations

from typing import Any

from .._database import open_database
from .._query import Leg, words
from .._schema import Schema, dense
from .._schema import text as text_field

try:
    from beir.retrieval.search import BaseSearch  # type: ignore[import]
except ImportError:
    BaseSearch = object

METRICS = {"cos_sim": "cosine", "dot": "ip"}
BATCH = 5000


class QuernSearch(BaseSearch):  # type: ignore[misc]
    """model: with encode_queries(texts, batch_size=...) and encode_corpus(documents, batch_size=...); None for mode="text". mode: "dense", "text"
    or "hybrid"; alpha: the vector's share of it. recall: as in Collection.search; anything but "exact" builds an index first."""

    def __init__(self, model: Any = None, mode: str = "dense", path: Any = ":memory:", alpha: float = 0.5, batch_size: int = 128, recall: Any = "exact",
                 text_options: str = "porter stop=english", **options: Any) -> None:
        if mode not in ("dense", "text", "hybrid"):
            raise ValueError(f"mode is {mode!r}, not dense, text or hybrid")
        if model is None and mode != "text":
            raise ValueError(f"mode={mode!r} needs a model")
        self.model = model
        self.mode = mode
        self.path = path
        self.alpha = alpha
        self.batch_size = batch_size
        self.recall = recall
        self.text_options = text_options
        self.options = options
        self.results: dict[str, dict[str, float]] = {}

    def search(self, corpus: dict[str, dict[str, str]], queries: dict[str, str], top_k: int, score_function: str = "cos_sim", *unused: Any,
               **kwargs: Any) -> dict[str, dict[str, float]]:
        """{query: {document: score}}, without a document that has the query's own id."""
        if score_function not in METRICS:
            raise ValueError(f"score_function is {score_function!r}, not one of {', '.join(METRICS)}")
        with open_database(self.path, durability="relaxed") as db:
            docs = self._index(db, corpus, METRICS[score_function])
            self.results = self._ask(docs, queries, top_k)
        return self.results

    def _index(self, db: Any, corpus: Any, metric: Any) -> Any:
        docs, ids = None, list(corpus)
        for start in range(0, len(ids), BATCH):
            part = ids[start:start + BATCH]
            vectors = None if self.mode == "text" else self.model.encode_corpus([corpus[key] for key in part], batch_size=self.batch_size)
            if docs is None:
                fields = {"text": text_field(self.text_options)} if self.mode != "dense" else {}
                if vectors is not None:
                    fields["vector"] = dense(len(vectors[0]), metric, **self.options)
                if "beir" in db.collections():
                    db.drop("beir")
                docs = db.create("beir", Schema(fields))
            texts = None if self.mode == "dense" else [f"{corpus[key].get('title') or ''} {corpus[key].get('text') or ''}".replace("\0", " ")
                                                       for key in part]
            docs.upsert(part, vectors, text=texts)
        if docs is not None and (self.mode != "dense" or self.recall != "exact"):
            db.optimize()
        return docs

    def _ask(self, docs: Any, queries: dict[str, str], top_k: Any) -> Any:
        if docs is None or not queries:
            return {key: {} for key in queries}
        ids, texts = list(queries), list(queries.values())
        k = min(top_k + 1, 1048576)  # one may be the query itself
        settings: dict[str, Any] = {"columns": (), "k": k}
        vectors = None if self.mode == "text" else self.model.encode_queries(texts, batch_size=self.batch_size)
        found = [words(query) for query in texts]
        if self.mode == "text":
            answers = docs.search(text=found, **settings)
        elif self.mode == "dense":
            answers = docs.search(vectors, recall=self.recall, **settings)
        else:
            legs = [Leg(vectors, weight=self.alpha, recall=self.recall), Leg(text=found, weight=1 - self.alpha)]
            answers = docs.search(legs=legs, fusion="normalize=minmax", **settings)
        made = {}
        for query, hits in zip(ids, answers):
            scored = zip(hits.ids, map(float, hits.scores))
            made[query] = dict([(key, score) for key, score in scored if key != query][:top_k])
        return made

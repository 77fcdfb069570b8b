"""An index for the search encoders of MTEB.

    from quern.adapters.mteb import QuernSearchIndex
    model = SearchEncoderWrapper(model, index_backend=QuernSearchIndex(model))

Scores are those of the model's similarity: cosines, inner products, or minus Euclid's distance.
"""
from __future__ import annotations

import math
from typing import Any

from .._database import open_database
from .._errors import NotFoundError
from .._schema import Schema, dense

METRICS = {"cosine": "cosine", "dot": "ip", "euclidean": "l2"}


def as_matrix(embeddings: Any) -> Any:
    """Tensors as arrays of numpy's, wherever they are."""
    for method in ("detach", "cpu", "float", "numpy"):
        if hasattr(embeddings, method):
            embeddings = getattr(embeddings, method)()
    return embeddings


class QuernSearchIndex:
    """model: its similarity is asked for (mteb_model_meta.similarity_fn_name; default cosine). recall: as in Collection.search. Options are
    those of quern.dense."""

    def __init__(self, model: Any = None, path: Any = ":memory:", recall: Any = "exact", **options: Any) -> None:
        meta = getattr(model, "mteb_model_meta", None)
        name = getattr(meta, "similarity_fn_name", None) or "cosine"
        name = str(getattr(name, "value", name))
        if name not in METRICS:
            raise ValueError(f"quern has no similarity {name!r}; it has {', '.join(METRICS)}")
        self.metric = METRICS[name]
        self.recall = recall
        self.options = options
        self.db = open_database(path, durability="relaxed")
        self.idxs: list[str] = []
        self.documents: Any = None
        self.clear()

    def add_documents(self, embeddings: Any, idxs: list[str]) -> None:
        """Adds documents; they are known by their place in the order in which they came."""
        matrix = as_matrix(embeddings)
        if len(matrix) != len(idxs):
            raise ValueError(f"embeddings has {len(matrix)} rows for {len(idxs)} idxs")
        if not len(idxs):
            return
        if self.documents is None:
            self.documents = self.db.create("mteb", Schema({"vector": dense(len(matrix[0]), self.metric, **self.options)}, key="int"))
        start = len(self.idxs)
        self.documents.upsert(list(range(start, start + len(idxs))), matrix)
        self.idxs.extend(idxs)

    add_document = add_documents  # its name before MTEB 2

    def search(self, embeddings: Any, top_k: int, similarity_fn: Any = None, top_ranked: dict[str, list[str]] | None = None,
               query_idx_to_id: dict[int, str] | None = None) -> tuple[list[list[float]], list[list[int]]]:
        """(scores, places) of each query. With top_ranked: only among its documents, and places are those in its lists."""
        if self.documents is None:
            raise ValueError("no documents have been added")
        matrix = as_matrix(embeddings)
        if top_ranked is not None:
            if query_idx_to_id is None:
                raise ValueError("top_ranked needs query_idx_to_id")
            return self._rerank(matrix, top_k, top_ranked, query_idx_to_id)
        answers = self.documents.search(matrix, top_k, recall=self.recall, columns=())
        return [self._scores(hits) for hits in answers], [list(map(int, hits.ids)) for hits in answers]

    def _rerank(self, matrix: Any, top_k: Any, top_ranked: dict[str, list[str]],
                query_idx_to_id: dict[int, str]) -> tuple[list[list[float]], list[list[int]]]:
        places = {key: i for i, key in enumerate(self.idxs)}
        scores: list[list[float]] = []
        indices: list[list[int]] = []
        for i, vector in enumerate(matrix):
            if i not in query_idx_to_id:
                raise ValueError(f"query_idx_to_id has no {i}, and embeddings a row {i}")
            ranked = top_ranked.get(query_idx_to_id[i]) or []
            for at, key in enumerate(ranked):
                if key not in places:
                    raise ValueError(f"top_ranked[{query_idx_to_id[i]!r}][{at}] is {key!r}, which is not among the idxs that were added")
            local = {places[key]: at for at, key in enumerate(ranked)}
            hits = self.documents.search(vector, top_k, only=list(local), recall="exact", columns=()) if ranked else []
            scores.append(self._scores(hits) if ranked else [])
            indices.append([local[int(key)] for key in hits.ids] if ranked else [])
        return scores, indices

    def _scores(self, hits: Any) -> list[float]:
        if self.metric == "l2":
            return [-math.sqrt(max(float(distance), 0)) for distance in hits.distances]
        return [float(score) for score in hits.scores]

    def clear(self) -> None:
        """Forgets all documents."""
        try:
            self.db.drop("mteb")
        except NotFoundError:
            pass
        self.documents = None
        self.idxs = []

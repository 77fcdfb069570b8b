"""A VectorStore of LangChain over a quern file.

    from quern.adapters.langchain import QuernVectorStore
    store = QuernVectorStore.from_texts(texts, embedding, metadatas=metadatas, path="notes.quern")
    store.similarity_search("what is a quern?", k=4, filter={"year": {"$gte": 2020}})
    store.similarity_search("what is a quern?", k=4, hybrid=0.7)      # 0.7 for the vector, 0.3 for the words

Filters are Chroma's dicts over metadata; a name that no document has is a missing value of all. Scores are distances: smaller is nearer; relevance scores go from 0 to 1.
"""
from __future__ import annotations

import asyncio
import functools
import math
import uuid
from typing import Any

try:
    from langchain_core.documents import Document  # type: ignore[import]
    from langchain_core.vectorstores import VectorStore  # type: ignore[import]
except ImportError:
    raise ImportError("quern.adapters.langchain needs the package langchain-core") from None

from .documents import Documents, listed


class QuernVectorStore(VectorStore):  # type: ignore[misc]
    """embedding: an Embeddings of LangChain's. path: a file, ":memory:", or an open quern.Database. Options are those of quern.dense."""

    def __init__(self, embedding: Any, path: Any = ":memory:", collection: str = "langchain", metric: str = "cosine", **options: Any) -> None:
        self._embedding = embedding
        self._metric = metric
        self._documents = Documents(path, collection, metric, options)

    @property
    def embeddings(self) -> Any:
        return self._embedding

    def close(self) -> None:
        """Closes the file, if this store opened it."""
        self._documents.close()

    # ---- Writing

    def add_texts(self, texts: Any, metadatas: list[dict[str, Any]] | None = None, *, ids: list[str] | None = None, **kwargs: Any) -> list[str]:
        """Writes texts and returns their ids. An id that is there already is replaced; None among ids: one is made."""
        texts = listed(texts)
        metadatas = None if metadatas is None else list(metadatas)
        ids = None if ids is None else listed(ids)
        for name, given in (("metadatas", metadatas), ("ids", ids)):
            if given is not None and len(given) != len(texts):
                raise ValueError(f"{name} has {len(given)} entries for {len(texts)} texts")
        given_ids: list[Any] = list(ids) if ids is not None else [None] * len(texts)
        keys = [key if key is not None else str(uuid.uuid4()) for key in given_ids]
        if texts:
            self._documents.add(keys, self._embedding.embed_documents(texts), texts, metadatas or [{}] * len(texts))
        return keys

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        ids = listed(kwargs.pop("ids", None) or ()) or [document.id for document in documents]
        return self.add_texts([document.page_content for document in documents], [document.metadata for document in documents], ids=ids, **kwargs)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Deletes by ids (a text is one id), or by filter={...}; ids that are not there are passed over."""
        if ids is None and kwargs.get("filter") is None:
            raise ValueError("delete() takes ids, or filter")
        self._documents.delete(ids, kwargs.get("filter"))
        return True

    def get_by_ids(self, ids: Any, /) -> list[Document]:
        return [document_of(hit) for hit in self._documents.get(listed(ids))]

    # ---- Searching

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """With distances: smaller is nearer. hybrid=X: the share of the vector beside the words of the query; then they go from 0, for a document
        that is the best in both, to 1."""
        hybrid = kwargs.pop("hybrid", None)
        vector = self._embedding.embed_query(query)
        if hybrid is None:
            return self._search(k, vector, **kwargs)
        found = self._search(k, vector, query=query, alpha=hybrid, of=lambda hit: 1 - share(hit.score), **kwargs)
        return found

    def similarity_search_with_relevance_scores(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """With relevances from 0 to 1, larger is better. score_threshold: none below."""
        threshold = kwargs.pop("score_threshold", None)
        scored = self._similarity_search_with_relevance_scores(query, k, **kwargs)
        return scored if threshold is None else [(document, score) for document, score in scored if score >= threshold]

    def _similarity_search_with_relevance_scores(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        relevance = self._select_relevance_score_fn() if kwargs.get("hybrid") is None else lambda distance: 1 - distance
        return [(document, relevance(distance)) for document, distance in self.similarity_search_with_score(query, k, **kwargs)]

    # The base class makes relevances of its own of the distances here, which those of hybrid= are not.
    async def asimilarity_search_with_relevance_scores(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        scored: list[tuple[Document, float]] = await in_executor(self.similarity_search_with_relevance_scores, query, k, **kwargs)
        return scored

    async def _asimilarity_search_with_relevance_scores(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        scored: list[tuple[Document, float]] = await in_executor(self._similarity_search_with_relevance_scores, query, k, **kwargs)
        return scored

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self._search(k, embedding, **kwargs)]

    def max_marginal_relevance_search(self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any) -> list[Document]:
        return self.max_marginal_relevance_search_by_vector(self._embedding.embed_query(query), k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5,
                                                **kwargs: Any) -> list[Document]:
        return [document for document, _ in self._search(k, embedding, diversity=lambda_mult, pool=fetch_k, **kwargs)]

    def _search(self, k: int, vector: Any, *, filter: Any = None, of: Any = lambda hit: hit.distance, **named: Any) -> list[tuple[Document, float]]:
        unknown = sorted(named.keys() - {"query", "alpha", "diversity", "pool"})
        if unknown:
            raise TypeError(f"{unknown[0]} is no argument of this search: there are filter, and hybrid where a text is searched for by similarity")
        hits = self._documents.search(k, vector, where=filter or None, **named)
        return [(document_of(hit), of(hit)) for hit in hits]

    def _select_relevance_score_fn(self) -> Any:
        """From distances to relevances, 1 for the same vector."""
        return {"cosine": lambda distance: share(1 - distance / 2), "l2": lambda distance: 1 / (1 + max(distance, 0)),
                "ip": lambda distance: 1 / (1 + math.exp(min(max(distance, -700), 700)))}[self._metric]

    # ---- Making one

    @classmethod
    def from_texts(cls, texts: list[str], embedding: Any, metadatas: list[dict[str, Any]] | None = None, *, ids: list[str] | None = None,
                   **kwargs: Any) -> QuernVectorStore:
        store = cls(embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store


async def in_executor(function: Any, *arguments: Any, **named: Any) -> Any:
    """Calls it in another thread."""
    return await asyncio.get_running_loop().run_in_executor(None, functools.partial(function, *arguments, **named))


def share(number: float) -> float:
    """From 0 to 1, whatever rounding has made of it."""
    return min(max(float(number), 0.0), 1.0)


def document_of(hit: Any) -> Document:
    return Document(id=hit.id, page_content=hit["content"] or "", metadata=hit["metadata"] or {})

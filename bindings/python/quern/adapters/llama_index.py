"""A vector store of LlamaIndex over a quern file.

    from quern.adapters.llama_index import QuernVectorStore
    index = VectorStoreIndex.from_documents(documents, storage_context=StorageContext.from_defaults(vector_store=QuernVectorStore(path="notes.quern")))

Modes default, text_search and sparse (both the words of the query), hybrid and semantic_hybrid (alpha: the vector's share, default 0.5)
and mmr. All filters, nested ones too.
"""
from __future__ import annotations

from typing import Any

try:
    from llama_index.core.bridge.pydantic import PrivateAttr  # type: ignore[import]
    from llama_index.core.schema import BaseNode, MetadataMode  # type: ignore[import]
    from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQueryResult  # type: ignore[import]
    from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict  # type: ignore[import]
except ImportError:
    raise ImportError("quern.adapters.llama_index needs the package llama-index-core") from None

from .._query import number
from .documents import Documents, listed
from .metadata import NOTHING

DEPTH_MAX = 10
COMPARISONS = {"==": "$eq", "!=": "$ne", ">": "$gt", "<": "$lt", ">=": "$gte", "<=": "$lte", "in": "$in", "nin": "$nin", "contains": "$contains",
               "text_match": "$contains", "text_match_insensitive": "$contains_folded", "is_empty": "$empty"}


def condition_of(filters: Any, depth: int = 0) -> Any:
    """LlamaIndex's filters as a tree of metadata.py; None if there is none in them."""
    if filters is None:
        return None
    if depth > DEPTH_MAX:
        raise ValueError(f"filters are more than {DEPTH_MAX} deep in each other")
    parts = [condition_of(part, depth + 1) if hasattr(part, "filters") else condition_of_one(part) for part in filters.filters]
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    word = value_of(filters.condition)
    joined = ("or" if word == "or" else "and", parts)
    return ("not", joined) if word == "not" else joined


def condition_of_one(part: Any) -> Any:
    operator = value_of(part.operator)
    if operator in ("any", "all"):
        values = [part.value] if isinstance(part.value, (str, int, float)) else list(part.value or ())
        return ("or" if operator == "any" else "and", [("is", part.key, "$contains", value) for value in values]) if values else NOTHING
    if operator not in COMPARISONS:
        raise ValueError(f"filter {part.key!r}: there is no operator {operator!r}")
    return ("is", part.key, COMPARISONS[operator], part.value)


def pool_of(k: int, mmr_prefetch_k: Any = None, mmr_prefetch_factor: Any = None, **_: Any) -> int:
    """How many records mode mmr chooses from: a number, or a factor of k."""
    if mmr_prefetch_k is not None and mmr_prefetch_factor is not None:
        raise ValueError("mmr_prefetch_k and mmr_prefetch_factor say the same: give one")
    if mmr_prefetch_k:
        return int(mmr_prefetch_k)
    return int(min((4 if mmr_prefetch_factor is None else max(number(mmr_prefetch_factor, "mmr_prefetch_factor"), 1)) * k, 2 ** 31))


def value_of(word: Any) -> str:
    return str(getattr(word, "value", word) or "and")


class QuernVectorStore(BasePydanticVectorStore):  # type: ignore[misc]
    """path: a file, ":memory:", or an open quern.Database. Options are those of quern.dense."""

    stores_text: bool = True
    is_embedding_query: bool = True
    _documents: Any = PrivateAttr()

    def __init__(self, path: Any = ":memory:", collection: str = "llama_index", metric: str = "cosine", **options: Any) -> None:
        super().__init__(stores_text=True)
        self._documents = Documents(path, collection, metric, options)

    @classmethod
    def class_name(cls) -> str:
        return "QuernVectorStore"

    @property
    def client(self) -> Any:
        """The quern.Database."""
        return self._documents.db

    def add(self, nodes: list[BaseNode], **add_kwargs: Any) -> list[str]:
        ids = [node.node_id for node in nodes]
        metadata = [node_to_metadata_dict(node, remove_text=True, flat_metadata=False) for node in nodes]
        self._documents.add(ids, [node.get_embedding() for node in nodes], [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes],
                            metadata, [node.ref_doc_id for node in nodes])
        return ids

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        self._documents.delete(sources=[ref_doc_id])

    def delete_nodes(self, node_ids: list[str] | None = None, filters: Any = None, **delete_kwargs: Any) -> None:
        where = condition_of(filters)
        if node_ids is not None and where is not None:
            node_ids = [hit.id for hit in self._chosen(listed(node_ids), where)]
        if node_ids is not None or where is not None:
            self._documents.delete(node_ids, where)

    def get_nodes(self, node_ids: list[str] | None = None, filters: Any = None) -> list[BaseNode]:
        where = condition_of(filters)
        if where is None and node_ids is not None:
            return [node_of(hit) for hit in self._documents.get(node_ids)]
        return [node_of(hit) for hit in self._chosen(node_ids, where)]

    def clear(self) -> None:
        self._documents.clear()

    def query(self, query: Any, **kwargs: Any) -> Any:
        mode = value_of(query.mode)
        named: dict[str, Any] = {"vector": query.query_embedding}
        k = query.similarity_top_k
        if mode in ("text_search", "sparse"):
            named = {"query": query.query_str or ""}
            k = query.sparse_top_k or k
        elif mode in ("hybrid", "semantic_hybrid"):
            named.update(query=query.query_str or "", alpha=0.5 if query.alpha is None else query.alpha)
            k = query.hybrid_top_k or k
        elif mode == "mmr":
            named.update(diversity=0.5 if query.mmr_threshold is None else query.mmr_threshold, pool=pool_of(k, **kwargs))
        elif mode != "default":
            raise ValueError(f"quern has no query mode {mode!r}")
        if "vector" in named and query.query_embedding is None:
            raise ValueError(f"query_embedding is None: a query in mode {mode!r} has a vector")
        where = condition_of(query.filters)
        sources = None if query.doc_ids is None else listed(query.doc_ids)  # an empty list: among none
        hits = self._documents.search(k, where=where, only=query.node_ids, sources=sources, **named)
        return VectorStoreQueryResult(nodes=[node_of(hit) for hit in hits], similarities=[hit.score for hit in hits], ids=[hit.id for hit in hits])

    def persist(self, persist_path: str, fs: Any = None) -> None:
        """What was written is in the file already."""

    def _chosen(self, node_ids: Any, where: Any) -> Any:
        wanted = None if node_ids is None else set(listed(node_ids))
        return [hit for hit in self._documents.matching(where) if wanted is None or hit.id in wanted]


def node_of(hit: Any) -> BaseNode:
    return metadata_dict_to_node(hit["metadata"] or {}, text=hit["content"] or "")

"""The smallest stand-ins for the packages that the adapters are for: their base classes with the methods that call the others, so that the
adapters can be tested where none of them is installed."""
import abc
import enum
import sys
import types
from dataclasses import dataclass, field


def module(name, **content):
    made = types.ModuleType(name)
    made.__dict__.update(content)
    sys.modules[name] = made


# ---- LangChain

@dataclass
class Document:
    page_content: str
    metadata: dict = field(default_factory=dict)
    id: str = None


class LangChainStore(abc.ABC):
    """What of langchain_core's VectorStore is built on the methods of a store."""

    @classmethod
    def from_documents(cls, documents, embedding, **kwargs):
        if "ids" not in kwargs and any(document.id for document in documents):
            kwargs["ids"] = [document.id for document in documents]
        return cls.from_texts([document.page_content for document in documents], embedding, metadatas=[document.metadata for document in documents], **kwargs)

    @classmethod
    @abc.abstractmethod
    def from_texts(cls, texts, embedding, metadatas=None, *, ids=None, **kwargs):
        """Makes a store."""

    @abc.abstractmethod
    def similarity_search(self, query, k=4, **kwargs):
        """Searches."""

    def similarity_search_with_relevance_scores(self, query, k=4, **kwargs):
        relevance = self._select_relevance_score_fn()
        return [(document, relevance(score)) for document, score in self.similarity_search_with_score(query, k, **kwargs)]

    def _select_relevance_score_fn(self):
        raise NotImplementedError

    async def asimilarity_search_with_score(self, query, k=4, **kwargs):
        return self.similarity_search_with_score(query, k, **kwargs)

    async def _asimilarity_search_with_relevance_scores(self, query, k=4, **kwargs):
        relevance = self._select_relevance_score_fn()
        return [(document, relevance(score)) for document, score in await self.asimilarity_search_with_score(query, k, **kwargs)]

    async def asimilarity_search_with_relevance_scores(self, query, k=4, **kwargs):
        threshold = kwargs.pop("score_threshold", None)
        scored = await self._asimilarity_search_with_relevance_scores(query, k=k, **kwargs)
        return [(document, score) for document, score in scored if threshold is None or score >= threshold]

    async def aadd_documents(self, documents, **kwargs):
        return self.add_documents(documents, **kwargs)

    async def asimilarity_search(self, query, k=4, **kwargs):
        return self.similarity_search(query, k, **kwargs)


# ---- LlamaIndex

class MetadataMode(enum.Enum):
    NONE = "none"


class BaseNode:
    def __init__(self, id_, text, embedding=None, metadata=None, ref_doc_id=None):
        self.node_id, self.text, self.embedding, self.metadata, self.ref_doc_id = id_, text, embedding, metadata or {}, ref_doc_id

    def get_embedding(self):
        return self.embedding

    def get_content(self, metadata_mode):
        assert metadata_mode is MetadataMode.NONE
        return self.text


def node_to_metadata_dict(node, remove_text=False, flat_metadata=False):
    return {**node.metadata, "_node_content": {"id": node.node_id, "ref": node.ref_doc_id}, "ref_doc_id": node.ref_doc_id or "None"}


def metadata_dict_to_node(metadata, text=None):
    told = metadata["_node_content"]
    kept = {key: value for key, value in metadata.items() if key not in ("_node_content", "ref_doc_id")}
    return BaseNode(told["id"], text, None, kept, told["ref"])


class LlamaStore:
    """As pydantic's classes: private attributes may be set after __init__."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


@dataclass
class VectorStoreQueryResult:
    nodes: list = None
    similarities: list = None
    ids: list = None


@dataclass
class VectorStoreQuery:
    query_embedding: list = None
    similarity_top_k: int = 1
    doc_ids: list = None
    node_ids: list = None
    query_str: str = None
    mode: str = "default"
    alpha: float = None
    filters: object = None
    mmr_threshold: float = None
    sparse_top_k: int = None
    hybrid_top_k: int = None


@dataclass
class MetadataFilter:
    key: str
    value: object = None
    operator: str = "=="


@dataclass
class MetadataFilters:
    filters: list
    condition: str = "and"


def install():
    """Puts the stand-ins where the adapters import from."""
    module("langchain_core")
    module("langchain_core.documents", Document=Document)
    module("langchain_core.vectorstores", VectorStore=LangChainStore)
    for name in ("llama_index", "llama_index.core", "llama_index.core.bridge", "llama_index.core.vector_stores"):
        module(name)
    module("llama_index.core.bridge.pydantic", PrivateAttr=lambda: None)
    module("llama_index.core.schema", BaseNode=BaseNode, MetadataMode=MetadataMode)
    module("llama_index.core.vector_stores.types", BasePydanticVectorStore=LlamaStore, VectorStoreQueryResult=VectorStoreQueryResult)
    module("llama_index.core.vector_stores.utils", node_to_metadata_dict=node_to_metadata_dict, metadata_dict_to_node=metadata_dict_to_node)


class Letters:
    """An embedding that can be followed by hand: how often a, b and c are in a text, and a little of everything."""

    def embed_query(self, text):
        return [float(text.count(letter)) + 0.01 for letter in "abc"]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]

    def encode_queries(self, texts, batch_size):
        return self.embed_documents(texts)

    def encode_corpus(self, documents, batch_size):
        return [self.embed_query(document["text"]) for document in documents]

"""Adapters: what other programs call vector stores by. None is imported with quern itself, and each needs the package it is for only
where it says so.

    quern.adapters.langchain          QuernVectorStore, a VectorStore of LangChain
    quern.adapters.llama_index        QuernVectorStore, a BasePydanticVectorStore of LlamaIndex
    quern.adapters.beir               QuernSearch, a BaseSearch of BEIR
    quern.adapters.mteb               QuernSearchIndex, an index for the search encoders of MTEB
    quern.adapters.ann_benchmarks     Quern, a BaseANN of ann-benchmarks
    quern.adapters.vectordbbench      QuernClient, a VectorDB of VectorDBBench
"""

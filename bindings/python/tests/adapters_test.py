"""The adapters do what their frameworks ask of them, with stand-ins for the frameworks' base classes."""
import asyncio
import os
import sys
import tempfile
import types
import unittest

import fake_frameworks
from fake_frameworks import BaseNode, Document, Letters, MetadataFilter, MetadataFilters, VectorStoreQuery
from python_case import PythonCase, needs_numpy, numpy, quern

fake_frameworks.install()

from quern.adapters import ann_benchmarks, beir, langchain, llama_index, mteb, vectordbbench  # noqa: E402


class LangChainTest(PythonCase):
    """The behaviours that LangChain's own suite asks of a store."""

    def store(self, **options):
        return langchain.QuernVectorStore(Letters(), self.db, **options)

    def test_empty(self):
        store = self.store()
        self.assertEqual(store.similarity_search("a", k=1), [])
        self.assertEqual(store.get_by_ids(["1"]), [])
        self.assertTrue(store.delete(["1"]))
        self.assertEqual(store.add_texts([]), [])
        self.assertEqual(store.max_marginal_relevance_search("a"), [])

    def test_add_search_get(self):
        store = self.store()
        documents = [Document("aaa", {"page": 1}), Document("bbb", {"page": 2})]
        before = [Document(document.page_content, dict(document.metadata), document.id) for document in documents]
        ids = store.add_documents(documents)
        self.assertEqual(documents, before)
        self.assertEqual(len(set(ids)), 2)
        self.assertEqual(store.similarity_search("aaa", k=2), [Document("aaa", {"page": 1}, ids[0]), Document("bbb", {"page": 2}, ids[1])])
        self.assertEqual([document.id for document in store.get_by_ids([ids[1], "absent", ids[0]])], [ids[1], ids[0]])
        self.assertEqual(store.embeddings.__class__, Letters)

    def test_ids(self):
        store = self.store()
        self.assertEqual(store.add_documents([Document("aaa", {"page": 1}, "1"), Document("bbb", {"page": 2}, "2")]), ["1", "2"])
        self.assertEqual(store.add_documents([Document("abc", {"bar": 1}, "1")]), ["1"])
        self.assertEqual(store.get_by_ids(["1"]), [Document("abc", {"bar": 1}, "1")])
        self.assertEqual(len(store.similarity_search("a", k=10)), 2)
        mixed = store.add_documents([Document("ccc", {}, "3"), Document("cc", {})])
        self.assertEqual(mixed[0], "3")
        self.assertEqual(store.add_texts(["a", "b"], ids=["9", "9"]), ["9", "9"])
        self.assertEqual(store.get_by_ids(["9"])[0].page_content, "b")
        store.delete(["1", "absent"])
        store.delete([])
        self.assertEqual(store.get_by_ids(["1"]), [])
        self.raises(ValueError, "ids", store.add_texts, ["a"], ids=["1", "2"])
        self.raises(ValueError, "filter", store.delete)

    def test_metadata_of_any_kind(self):
        store = self.store()
        wild = {"n": 1, "x": 1.5, "t": "text", "b": True, "l": ["p", "q"], "d": {"deep": [1, None]}, "none": None, "_private": 1, "metadata": "m", "id": "i"}
        store.add_texts(["a", "b"], [wild, {"n": "of another type", "big": 2 ** 80}], ids=["1", "2"])
        self.assertEqual(store.get_by_ids(["1", "2"])[0].metadata, wild)
        self.assertEqual(store.get_by_ids(["2"])[0].metadata["n"], "of another type")
        for where in ({"n": 1}, {"x": {"$gt": 1}}, {"t": "text", "b": True}, {"l": {"$contains": "p"}}, {"$or": [{"t": "text"}, {"x": 9}]}, {"id": "i"}):
            self.assertEqual([document.id for document in store.similarity_search("a", filter=where)], ["1"], where)
        store.delete(filter={"x": 1.5})
        self.assertEqual([document.id for document in store.similarity_search("a")], ["2"])
        # Filters would see these up to the NUL.
        for name, value in (("t", "a\0"), ("a\0b", 1), ("l", ["p", "q\0"]), ("d", {"deep": [{"x\0": 1}]}), ("d", ("\0",))):
            self.raises(ValueError, f"metadatas[1][{name!r}]", store.add_texts, ["a", "b"], [{}, {name: value}])
        self.assertEqual(len(store.similarity_search("a", k=10)), 1)

    def test_a_text_is_one_id(self):
        store = self.store()
        store.add_texts(["a", "b", "c"], ids=["d", "o", "c"])
        self.assertEqual(store.add_texts("abc", iter([{"n": 1}]), ids="doc"), ["doc"])
        self.assertEqual(store.add_documents([Document("abcc", {})], ids="doc2"), ["doc2"])
        self.assertEqual([document.id for document in store.get_by_ids("doc")], ["doc"])
        store.delete("doc")
        self.assertEqual(sorted(document.id for document in store.similarity_search("a", k=9)), ["c", "d", "doc2", "o"])

    def test_wrong_arguments(self):
        store = self.store()
        for _ in range(2):  # of an empty store, too
            self.raises(TypeError, "filter is a function", store.similarity_search, "a", filter=lambda document: True)
            self.raises(TypeError, "filter", store.delete, filter=["x"])
            self.raises(TypeError, "hybrid", store.max_marginal_relevance_search, "a", hybrid=0.5)
            self.raises(TypeError, "hybrid", store.similarity_search_by_vector, [1, 0, 0], hybrid=0.5)
            self.raises(TypeError, "where", store.similarity_search, "a", where={})
            store.add_texts(["a"], ids=["1"])

    def test_relevances_without_waiting_are_the_same(self):
        for metric in ("cosine", "l2", "ip"):
            store = self.store(collection=metric, metric=metric)
            store.add_texts(["aaa word", "abb", "ccc word", "b"], ids=["1", "2", "3", "4"])
            for named in ({}, {"hybrid": 0.5}, {"hybrid": 0.3, "score_threshold": 0.5}, {"score_threshold": 0.5}, {"hybrid": 1.0}):
                wanted = store.similarity_search_with_relevance_scores("aa word", k=4, **named)
                self.assertEqual(asyncio.run(store.asimilarity_search_with_relevance_scores("aa word", k=4, **named)), wanted, (metric, named))
                if "score_threshold" not in named:
                    self.assertEqual(asyncio.run(store._asimilarity_search_with_relevance_scores("aa word", k=4, **named)), wanted)
                    self.assertEqual(store._similarity_search_with_relevance_scores("aa word", k=4, **named), wanted)

    def test_scores(self):
        for metric in ("cosine", "l2", "ip"):
            store = langchain.QuernVectorStore(Letters(), collection=metric, metric=metric)
            store.add_texts(["aaa", "abb", "ccc"], ids=["1", "2", "3"])
            scored = store.similarity_search_with_relevance_scores("aaa", k=3)
            self.assertEqual([document.id for document, _ in scored], ["1", "2", "3"])
            relevances = [relevance for _, relevance in scored]
            self.assertEqual(relevances, sorted(relevances, reverse=True))
            self.assertTrue(all(0 <= relevance <= 1.000001 for relevance in relevances))
            distances = [distance for _, distance in store.similarity_search_with_score("aaa", k=3)]
            self.assertEqual(distances, sorted(distances))
            store.close()

    def test_diversity_and_words(self):
        store = self.store()
        store.add_texts(["aaaa", "aaaa b some word or other", "bbbb", "cccc word"], ids=["1", "2", "3", "4"])
        self.assertEqual(store.similarity_search_by_vector([1, 0, 0], k=1)[0].id, "1")
        chosen = [document.id for document in store.max_marginal_relevance_search("aaaa", k=2, fetch_k=4, lambda_mult=0.1)]
        self.assertEqual(chosen[0], "1")
        self.assertNotEqual(chosen[1], "2")
        self.assertEqual(store.similarity_search("word", k=1, hybrid=0.1)[0].id, "4")

    def test_makers_and_files(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "x.quern")
            store = langchain.QuernVectorStore.from_texts(["aaa", "bbb"], Letters(), [{"n": 1}, {"n": 2}], ids=["1", "2"], path=path)
            store.close()
            again = langchain.QuernVectorStore.from_documents([Document("ccc", {}, "3")], Letters(), path=path)
            self.assertEqual([document.id for document in again.similarity_search("ccc", k=3)][0], "3")
            self.assertEqual(len(again.similarity_search("a", k=5)), 3)
            again.close()

    def test_async(self):
        async def work():
            store = self.store()
            await store.aadd_documents([Document("aaa", {}, "1")])
            return await store.asimilarity_search("a", k=1)

        self.assertEqual(asyncio.run(work())[0].id, "1")


class LlamaIndexTest(PythonCase):
    def setUp(self):
        super().setUp()
        self.store = llama_index.QuernVectorStore(self.db)
        nodes = [BaseNode("1", "aaaa ship", [1, 0, 0], {"year": 2000, "tags": ["x"], "lang": "de"}, "doc1"),
                 BaseNode("2", "aab", [0.9, 0.4, 0], {"year": 2010, "tags": ["x", "y"], "lang": "en"}, "doc1"),
                 BaseNode("3", "ccc ship ship", [0, 0, 1], {"year": 2020, "tags": [], "deep": {"a": 1}}, "doc2")]
        self.assertEqual(self.store.add(nodes), ["1", "2", "3"])

    def ids(self, **named):
        return self.store.query(VectorStoreQuery(query_embedding=[1, 0, 0], similarity_top_k=3, **named)).ids

    def test_query(self):
        told = self.store.query(VectorStoreQuery(query_embedding=[1, 0, 0], similarity_top_k=2))
        self.assertEqual(told.ids, ["1", "2"])
        self.assertAlmostEqual(told.similarities[0], 1, 5)
        self.assertEqual((told.nodes[0].text, told.nodes[0].metadata["year"], told.nodes[0].ref_doc_id), ("aaaa ship", 2000, "doc1"))
        self.assertEqual(told.nodes[0].metadata, {"year": 2000, "tags": ["x"], "lang": "de"})

    def test_modes(self):
        self.assertEqual(self.ids(mode="text_search", query_str="ship"), ["3", "1"])
        self.assertEqual(self.ids(mode="sparse", query_str="?!"), [])
        self.assertEqual(self.ids(mode="hybrid", query_str="ship", alpha=0.0)[0], "3")
        self.assertEqual(self.ids(mode="hybrid", query_str="ship", alpha=1.0)[:2], ["1", "2"])
        self.assertEqual(self.ids(mode="mmr", mmr_threshold=0.1)[:2], ["1", "3"])
        for mode in ("default", "hybrid", "mmr"):
            self.raises(ValueError, "query_embedding", self.store.query, VectorStoreQuery(None, 3, query_str="ship", mode=mode))

    def test_pool_of_mmr(self):
        query = VectorStoreQuery([1, 0, 0], 2, mode="mmr", mmr_threshold=0.1)
        ask = lambda **named: self.store.query(query, **named).ids  # noqa: E731
        self.assertEqual((ask(), ask(mmr_prefetch_k=3), ask(mmr_prefetch_k=2)), (["1", "3"], ["1", "3"], ["1", "2"]))
        self.assertEqual((ask(mmr_prefetch_factor=1.0), ask(mmr_prefetch_factor=1.5), ask(mmr_prefetch_factor=0.1)), (["1", "2"], ["1", "3"], ["1", "2"]))
        self.raises(ValueError, "mmr_prefetch_factor", ask, mmr_prefetch_k=3, mmr_prefetch_factor=2)
        self.raises(TypeError, "mmr_prefetch_factor", ask, mmr_prefetch_factor=[])
        self.raises(ValueError, "svm", self.ids, mode="svm")

    def test_filters(self):
        cases = [(("year", 2000, "=="), ["1"]), (("year", 2000, "!="), ["2", "3"]), (("year", 2000, ">"), ["2", "3"]), (("year", 2010, "<"), ["1"]),
                 (("year", 2010, ">="), ["2", "3"]), (("year", 2010, "<="), ["1", "2"]), (("lang", ["de", "fr"], "in"), ["1"]),
                 (("lang", ["de"], "nin"), ["2", "3"]), (("tags", ["x", "y"], "any"), ["1", "2"]), (("tags", ["x", "y"], "all"), ["2"]),
                 (("lang", "e", "text_match"), ["1", "2"]), (("tags", "y", "contains"), ["2"]), (("lang", None, "is_empty"), ["3"]),
                 (("absent", 1, "=="), []), (("absent", 1, "!="), ["1", "2", "3"]), (("absent", None, "is_empty"), ["1", "2", "3"])]
        for (key, value, operator), wanted in cases:
            filters = MetadataFilters([MetadataFilter(key, value, operator)])
            self.assertEqual(self.ids(filters=filters), wanted, (key, operator))
            self.assertEqual([node.node_id for node in self.store.get_nodes(filters=filters)], wanted)
        self.store.add([BaseNode("4", "x", [0, 0, 1], {"lang": "FRAN\u00c7AIS, \u03a9", "tags": ["\u00c9t\u00e9"], "n": 5}, "doc3")])
        for key, value, wanted in (("lang", "E", ["1", "2"]), ("lang", "fran\u00e7ais", ["4"]), ("lang", "\u00e7AIS, \u03c9", ["4"]), ("lang", "francais", []),
                                   ("tags", "X", ["1", "2"]), ("tags", "\u00e9T\u00c9", ["4"]), ("tags", "t\u00e9", []), ("n", "5", []), ("absent", "x", [])):
            filters = MetadataFilters([MetadataFilter(key, value, "text_match_insensitive")])
            self.assertEqual(sorted(node.node_id for node in self.store.get_nodes(filters=filters)), wanted, (key, value))
        self.raises(TypeError, "'n'", self.store.get_nodes, filters=MetadataFilters([MetadataFilter("n", 5, "text_match_insensitive")]))
        self.store.delete_nodes("4")
        self.assertEqual([node.node_id for node in self.store.get_nodes("3")], ["3"])
        nested = MetadataFilters([MetadataFilter("year", 2020), MetadataFilters([MetadataFilter("lang", "en"), MetadataFilter("year", 2010)])], "or")
        self.assertEqual(self.ids(filters=nested), ["2", "3"])
        self.assertEqual(self.ids(doc_ids=["doc2"]), ["3"])
        self.assertEqual(self.ids(node_ids=["2"], filters=nested), ["2"])

    def test_delete_and_clear(self):
        self.store.delete_nodes(["1"], MetadataFilters([MetadataFilter("year", 2020)]))
        self.store.delete_nodes(filters=MetadataFilters([MetadataFilter("year", 2020)]))
        self.assertEqual(self.ids(), ["1", "2"])
        self.assertEqual([node.node_id for node in self.store.get_nodes(["2", "9"])], ["2"])
        self.store.delete("doc1")
        self.assertEqual(self.ids(), [])
        self.store.clear()
        self.assertEqual(self.ids(), [])
        self.store.add([BaseNode("5", "b", [0, 1], {})])
        self.assertEqual(self.store.query(VectorStoreQuery(query_embedding=[0, 1])).ids, ["5"])
        self.assertIs(self.store.client, self.db)


class BenchmarksTest(PythonCase):
    def test_beir(self):
        corpus = {"1": {"title": "", "text": "aaa ship"}, "2": {"title": "the ship", "text": "bbb"}, "q": {"title": "x", "text": "aaaa"}}
        queries = {"q": "aaaa", "other": "ship bbb"}
        dense = beir.QuernSearch(Letters()).search(corpus, queries, 2, "cos_sim")
        self.assertEqual(list(dense["q"]), ["1", "2"])
        self.assertEqual(list(dense["other"])[0], "2")
        self.assertEqual(list(beir.QuernSearch(mode="text").search(corpus, queries, 5)["other"]), ["2", "1"])
        self.assertEqual(list(beir.QuernSearch(Letters(), mode="hybrid").search(corpus, queries, 5, "dot")["other"])[0], "2")
        self.assertEqual(beir.QuernSearch(mode="text").search({}, queries, 5), {"q": {}, "other": {}})
        self.raises(ValueError, "manhattan", beir.QuernSearch(mode="text").search, corpus, queries, 5, "manhattan")
        self.raises(ValueError, "model", beir.QuernSearch)

    def test_mteb(self):
        for name, best in (("cosine", 1), ("dot", 1), ("euclidean", 0)):
            model = types.SimpleNamespace(mteb_model_meta=types.SimpleNamespace(similarity_fn_name=types.SimpleNamespace(value=name)))
            index = mteb.QuernSearchIndex(model)
            self.assertRaises(ValueError, index.search, [[1, 0]], 1)
            index.add_documents([[1, 0], [0, 1]], ["x", "y"])
            index.add_documents([[0.5, 0.5]], ["z"])
            scores, places = index.search([[1, 0], [0, 1]], 2, None)
            self.assertEqual(places, [[0, 2], [1, 2]])
            self.assertAlmostEqual(scores[0][0], best, 5)
            scores, places = index.search([[1, 0], [0, 1]], 5, None, {"a": ["y", "x"], "b": []}, {0: "a", 1: "b"})
            self.assertEqual(places, [[1, 0], []])
            self.raises(ValueError, "top_ranked['a'][1] is 'nope'", index.search, [[1, 0]], 5, None, {"a": ["y", "nope"]}, {0: "a"})
            self.raises(ValueError, "query_idx_to_id has no 1", index.search, [[1, 0], [0, 1]], 5, None, {"a": ["y"]}, {0: "a"})
            index.clear()
            index.add_documents([[1, 0, 0]], ["n"])
            self.assertEqual(index.search([[1, 0, 0]], 3)[1], [[0]])

    @needs_numpy
    def test_ann_benchmarks(self):
        data = numpy.random.default_rng(1).standard_normal((3000, 8)).astype("f4")
        driver = ann_benchmarks.Quern("euclidean", {"index": "graph", "codes": "f32", "m": 8})
        driver.fit(data)
        driver.set_query_arguments(0.99)
        found = [driver.query(vector, 10) for vector in data[:50]]
        self.assertEqual([ids[0] for ids in found], list(range(50)))
        driver.batch_query(data[:50], 10)
        self.assertEqual(driver.get_batch_results().shape, (50, 10))
        self.assertGreater(driver.get_memory_usage(), 0)
        self.assertIn("0.99", str(driver))
        self.assertEqual(driver.get_additional(), {})
        driver.done()

    def test_vectordbbench(self):
        case = types.SimpleNamespace(metric_type=types.SimpleNamespace(value="L2"), index_param=lambda: {"index": "graph"}, search_param=lambda: {"recall": 0.99})
        filters = {name: types.SimpleNamespace(type=types.SimpleNamespace(name=name), int_value=2, label_value="o'b") for name in ("NonFilter", "NumGE", "StrEqual", "Odd")}
        with tempfile.TemporaryDirectory() as directory:
            config = {"path": os.path.join(directory, "x.quern"), "durability": "relaxed"}
            client = vectordbbench.QuernClient(2, config, case, "vdb", drop_old=True, with_scalar_labels=True)
            with client.init():
                self.assertEqual(client.insert_embeddings([[0, 0], [1, 1], [2, 2]], [1, 2, 3], labels_data=["a", "o'b", "a"]), (3, None))
                count, error = client.insert_embeddings([[0]], [4])
                self.assertEqual((count, type(error)), (0, ValueError))
                client.optimize(3)
                self.assertEqual(client.search_embedding([0, 0], 2), [1, 2])
                for name, wanted in (("NumGE", [2, 3]), ("StrEqual", [2]), ("NonFilter", [1, 2, 3])):
                    client.prepare_filter(filters[name])
                    self.assertEqual(client.search_embedding([0, 0], 5), wanted)
                self.raises(ValueError, "Odd", client.prepare_filter, filters["Odd"])
            self.assertIsNone(client.__getstate__()["db"])
            vectordbbench.QuernClient(2, config, case, "vdb", drop_old=True)
            with quern.open(config["path"]) as db:
                self.assertEqual(db.collection("vdb").count(), 0)

    def test_missing_packages_are_named(self):
        hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(("langchain_core", "quern.adapters.langchain"))}
        sys.modules["langchain_core"] = None
        try:
            with self.assertRaises(ImportError) as caught:
                __import__("quern.adapters.langchain")
            self.assertIn("langchain-core", str(caught.exception))
        finally:
            del sys.modules["langchain_core"]
            sys.modules.update(hidden)


if __name__ == "__main__":
    unittest.main()

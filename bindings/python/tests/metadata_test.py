"""Filters over the metadata of documents answer as plain Python does, whatever the metadata are; and what else the adapters are asked at the edges."""
import random
import unittest

import fake_frameworks
from fake_frameworks import BaseNode, Letters, MetadataFilter, MetadataFilters, VectorStoreQuery
from python_case import PythonCase, numpy, quern

fake_frameworks.install()

from quern.adapters import ann_benchmarks, langchain, llama_index  # noqa: E402

VALUES = [0, 1, -1, 5, 2.5, 5.0, -0.5, 2 ** 53, 2 ** 53 + 1, 2 ** 53 + 2, 2 ** 62 + 1, -2 ** 63, 1700000000000000001, 1700000000000000003, True, False, "", "a", "A", "ab", "é",
          "5", "true", 'q"u', [], ["a"], ["a", "ab"], [1, 2], [True], ["a", 1], None, {"x": 1}]
NAMES = ["n", "N", "t", 'q"u', "a.b", "", "tab\t", "x" * 300, "é"]


def same(value, other):
    """Equal, and of one kind: a bool is no number here."""
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    return isinstance(value, str) == isinstance(other, str) and not isinstance(value, (list, dict)) and value == other


def fulfils(metadata, name, operator, value):
    found = metadata.get(name)
    if operator in ("$ne", "$nin", "$not_contains"):
        return not fulfils(metadata, name, {"$ne": "$eq", "$nin": "$in", "$not_contains": "$contains"}[operator], value)
    if operator == "$exists":
        return (found is not None) == value
    if operator == "$in":
        return any(fulfils(metadata, name, "$eq", one) for one in value)
    if operator == "$eq":
        return found is None if value is None else found is not None and same(found, value)
    if operator == "$contains":
        return isinstance(found, list) and any(same(one, value) for one in found) or isinstance(found, str) and isinstance(value, str) and value in found
    if found is None or isinstance(found, (bool, list, dict)) or isinstance(found, str) != isinstance(value, str):
        return False
    found, value = (found.encode(), value.encode()) if isinstance(value, str) else (found, value)
    return {"$gt": found > value, "$gte": found >= value, "$lt": found < value, "$lte": found <= value}[operator]


class FiltersTest(PythonCase):
    def test_as_plain_python(self):
        choose = random.Random(8)
        store = langchain.QuernVectorStore(Letters(), self.db)
        documents = [{name: choose.choice(VALUES) for name in choose.sample(NAMES, choose.randrange(len(NAMES)))} for _ in range(80)]
        store.add_texts(["a"] * 80, documents, ids=[str(i) for i in range(80)])
        self.assertEqual([document.metadata for document in store.get_by_ids(map(str, range(80)))], documents)
        simple = [value for value in VALUES if not isinstance(value, (list, dict))]
        told = [value for value in simple if value is not None]
        ordered = [value for value in told if not isinstance(value, bool)]

        def atom():
            name = choose.choice([*NAMES, "absent"])
            operator = choose.choice(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$contains", "$not_contains", "$exists"])
            value = {"$in": choose.sample(simple, 3), "$nin": choose.sample(simple, 2), "$eq": choose.choice(simple), "$ne": choose.choice(simple),
                     "$contains": choose.choice(told), "$not_contains": choose.choice(told), "$exists": choose.random() < 0.5}.get(operator, choose.choice(ordered))
            return {name: {operator: value}}, lambda metadata: fulfils(metadata, name, operator, value)

        def condition(depth):
            kind = choose.choice(["atom", "$and", "$or", "$not"]) if depth else "atom"
            if kind == "atom":
                return atom()
            parts = [condition(depth - 1) for _ in range(1 if kind == "$not" else 2)]
            if kind == "$not":
                return {"$not": parts[0][0]}, lambda metadata: not parts[0][1](metadata)
            join = all if kind == "$and" else any
            return {kind: [where for where, _ in parts]}, lambda metadata: join(holds(metadata) for _, holds in parts)

        for turn in range(600):
            where, holds = condition(turn % 3)
            found = sorted(int(document.id) for document in store.similarity_search("a", k=80, filter=where))
            wanted = [i for i, metadata in enumerate(documents) if holds(metadata)]
            self.assertEqual(found, wanted, (where, [documents[i] for i in sorted(set(found) ^ set(wanted))[:3]]))

    def test_many_names(self):
        store = langchain.QuernVectorStore(Letters(), self.db)
        count = 1003
        store.add_texts(["a"] * count, [{f"k{i}": i, "K0": "other"} for i in range(count)], ids=list(map(str, range(count))))
        for i in (0, 500, count - 1):
            self.assertEqual([document.id for document in store.similarity_search("a", k=count, filter={f"k{i}": i})], [str(i)])
        self.assertEqual(len(store.similarity_search("a", k=count, filter={"K0": "other"})), count)
        store.add_texts(["a"], [{"late": 7, "huge": 10 ** 400, "less": -10 ** 400}], ids=["late"])
        for where in ({"late": 7}, {"huge": {"$gt": 5}}, {"less": {"$lt": 5}}, {"huge": {"$gt": 2 ** 70}}):
            self.assertEqual([document.id for document in store.similarity_search("a", k=2000, filter=where)], ["late"], where)
        self.assertEqual(store.get_by_ids(["late"])[0].metadata["huge"], 10 ** 400)

    def test_wrong_filters(self):
        store = langchain.QuernVectorStore(Letters(), self.db)
        store.add_texts(["a"], [{"n": 1}], ids=["1"])
        nan = float("nan")
        for where in ({"n": {"$regex": "a"}}, {"$nor": []}, {"n": nan}, {"n": {"$in": [nan]}}, {"n": {"$gt": None}}, {"n": {"$gt": True}}, {"n": {"x": 1}},
                      {"n": "a\0"}):
            self.raises(ValueError, "filter", store.similarity_search, "a", filter=where)
        for where in ({"n": [1]}, {"n": {"$in": 5}}, {"$and": []}, {"$not": 5}, 5, {"n": {"$contains": None}}):
            self.assertRaises((TypeError, ValueError), store.similarity_search, "a", filter=where)
        deep = {"n": 1}
        for _ in range(50):
            deep = {"$not": deep}
        self.raises(ValueError, "deep", store.similarity_search, "a", filter=deep)
        self.raises(ValueError, "metadatas[1]['n']", store.add_texts, ["a", "b"], [{}, {"n": nan}])
        for where in ({}, {"$and": [{}]}, {"$not": {}}):
            self.assertRaises(ValueError, store.delete, filter=where)
        self.assertEqual(len(store.similarity_search("a")), 1)
        self.assertEqual([document.id for document in store.similarity_search("a", filter='"meta.n" = 1')], ["1"])

    def test_odd_ids(self):
        store = langchain.QuernVectorStore(Letters(), self.db)
        store.add_texts(["a"], ids=["1"])
        odd = [5, "", None, "x" * 2000, "a\0b", "\ud800", b"1", "absent"]
        self.assertEqual([document.id for document in store.get_by_ids([*odd, "1"])], ["1"])
        self.assertTrue(store.delete(odd))
        self.assertEqual([document.id for document in store.get_by_ids(["1"])], ["1"])

    def test_relevance(self):
        for metric in ("cosine", "l2", "ip"):
            store = langchain.QuernVectorStore(Letters(), self.db, metric, metric=metric)
            store.add_texts(["aab", "bbb", "c", "abc aab"])
            for named in ({}, {"hybrid": 0.5}, {"hybrid": 0.0}, {"hybrid": 1.0}):
                scored = store.similarity_search_with_relevance_scores("aab", k=4, **named)
                scores = [score for _, score in scored]
                self.assertTrue(all(0 <= score <= 1 for score in scores), (metric, named, scores))
                self.assertEqual(scores, sorted(scores, reverse=True))
                limit = scores[1]
                kept = store.similarity_search_with_relevance_scores("aab", k=4, score_threshold=limit, **named)
                self.assertEqual([score for _, score in kept], [score for score in scores if score >= limit])
                distances = [distance for _, distance in store.similarity_search_with_score("aab", k=4, **named)]
                self.assertEqual(distances, sorted(distances))
            self.assertEqual(len(store.max_marginal_relevance_search("aab", k=2, fetch_k=10 ** 6)), 2)


class LlamaIndexTest(PythonCase):
    def setUp(self):
        super().setUp()
        self.store = llama_index.QuernVectorStore(self.db)
        self.store.add([BaseNode("1", "white whale", [1, 0], {"year": 1851, "tags": ["x", "y"], "nums": [1, 2], "Key": 1}, "d1"),
                        BaseNode("2", "black ship", [0, 1], {"year": 1900, "tags": [], "key": "one"}, "d2")])

    def ids(self, filters=None, **named):
        if isinstance(filters, list):
            filters = MetadataFilters(filters)
        return sorted(self.store.query(VectorStoreQuery([1, 0], 5, filters=filters, **named)).ids)

    def test_empty_lists_of_ids_find_nothing(self):
        self.assertEqual((self.ids(node_ids=[]), self.ids(doc_ids=[]), self.ids(node_ids=["2"]), self.ids(doc_ids=["d1"]), self.ids()), ([], [], ["2"], ["1"], ["1", "2"]))
        self.assertEqual(self.ids([MetadataFilter("year", 1851)], doc_ids=["d2"]), [])
        self.assertEqual(self.ids([MetadataFilter("year", 1851)], doc_ids=["d1", "d2"]), ["1"])

    def test_filters_at_the_edges(self):
        one = MetadataFilter("year", 1851)
        for filters, wanted in (([MetadataFilters([])], ["1", "2"]), ([MetadataFilters([MetadataFilters([])], "or"), one], ["1"]), (MetadataFilters([], "not"), ["1", "2"]),
                                ([MetadataFilter("year", 1851, "contains")], []), ([MetadataFilter("year", [1851], "any")], []),
                                ([MetadataFilter("nums", 1, "contains")], ["1"]), ([MetadataFilter("nums", [2, 7], "any")], ["1"]),
                                ([MetadataFilter("nums", [1, 7], "all")], []), ([MetadataFilter("nums", [], "any")], []),
                                ([MetadataFilter("year", "1851")], []), ([MetadataFilter("Key", 1)], ["1"]), ([MetadataFilter("key", "one")], ["2"]),
                                ([MetadataFilter("tags", None, "is_empty")], ["2"]), ([MetadataFilter("absent", 1)], []),
                                ([MetadataFilter("absent", 1, "!=")], ["1", "2"])):
            self.assertEqual(self.ids(filters), wanted, filters)
        self.store.delete_nodes(filters=MetadataFilters([]))
        self.store.delete_nodes([])
        self.assertEqual(len(self.store.get_nodes()), 2)
        self.store.delete("d1")
        self.assertEqual([node.node_id for node in self.store.get_nodes()], ["2"])


class MemoryTest(PythonCase):
    def test_of_ann_benchmarks(self):
        index = ann_benchmarks.Quern("euclidean")
        self.assertEqual(index.get_memory_usage(), 0)
        rows = [[float(i % 7), float(i)] for i in range(1000)]
        index.fit(rows if numpy is None else numpy.array(rows, "f4"))
        info = index.db.info()
        self.assertGreater(index.get_memory_usage(), 0)
        self.assertLess(index.get_memory_usage() * 1024, info["memory"]["limit_bytes"] / 2)
        self.assertLess(index.get_memory_usage(), 100 * 1024)
        index.done()
        self.assertEqual(index.get_memory_usage(), 0)


if __name__ == "__main__":
    unittest.main()

"""Names that differ only in the case of ASCII letters are one name, as in the library; and a collection object learns that its schema is another."""
import math
import os
import tempfile
import unittest

from python_case import PythonCase, needs_numpy, numpy, quern


class SpellingTest(PythonCase):
    def setUp(self):
        super().setUp()
        self.docs = self.db.collection("docs", dim=1)
        self.docs.upsert("z", [1], [{"n": 1}])

    def values(self, *ids):
        return [hit.metadata for hit in self.docs.get(list(ids))]

    def test_rows_with_other_spellings_are_one_column(self):
        self.docs.upsert(["p", "q", "r", "s"], [[1], [2], [3], [4]], [{"N": 5}, {"n": 6}, None, {"m": 1}])
        self.assertEqual(self.values("p", "q", "r", "s"), [{"n": 5}, {"n": 6}, {}, {"m": 1}])
        self.docs.update(["p", "q"], metadata=[{"n": 7}, {"N": 8}])
        self.assertEqual(self.values("p", "q"), [{"n": 7}, {"n": 8}])
        self.docs.upsert(["a", "b"], [[1], [2]], [{"New": 1}, {"NEW": 2}])  # of what is new the first spelling counts
        self.assertEqual(self.values("a", "b"), [{"New": 1}, {"New": 2}])
        self.docs.upsert(["a"], [[1]], {"N": [9], "mm": [1]})
        self.assertEqual(self.values("a"), [{"n": 9, "mm": 1}])
        self.assertEqual(list(self.docs.schema.attributes), ["n", "m", "New", "mm"])

    def test_two_spellings_at_once(self):
        for metadata in ([{"N": 5, "n": 6}], [{"n": 6, "N": 5}], {"N": [5], "n": [7]}, [{"X": 1, "x": None}]):
            for write in (self.docs.upsert, self.docs.insert):
                error = self.raises(ValueError, "metadata", write, ["x"], [[1]], metadata)
                self.assertTrue("'N' and 'n'" in str(error) or "'n' and 'N'" in str(error) or "'X' and 'x'" in str(error), error)
            self.raises(ValueError, "one attribute", self.docs.update, ["z"], metadata=metadata)
        self.raises(ValueError, "metadata[1] has 'N' and 'n'", self.docs.upsert, ["p", "q"], [[1], [2]], [{"n": 5}, {"N": 1, "n": 6}])
        self.raises(ValueError, "'N' and 'n'", self.docs.update_where, {"N": 1, "n": 2}, "1")
        self.assertEqual((len(self.docs), list(self.docs.schema.attributes)), (1, ["n"]))

    def test_filters(self):
        self.docs.upsert("y", [1], [{"n": 5}])
        self.assertEqual(self.docs.search([1], where={"N": 5}).ids, ["y"])
        self.assertEqual(self.docs.count({"$or": [{"N": {"$gt": 4}}, {"ID": "z"}]}), 2)
        self.assertEqual(self.docs.delete(where={"N": 5}), 1)
        self.docs.update_where({"N": 3}, where={"Id": "z"})
        self.assertEqual(self.values("z"), [{"n": 3}])

    def test_keys_and_fields(self):
        self.raises(ValueError, "is the key", self.docs.upsert, "x", [1], [{"ID": 5}])
        self.raises(ValueError, "is a field", self.docs.upsert, "x", [1], [{"VECTOR": 5}])
        self.docs.upsert("x", [1], [{"\u00c9": 1, "\u00e9": 2}])  # not ASCII: two names
        self.assertEqual(self.values("x"), [{"\u00c9": 1, "\u00e9": 2}])
        again = self.db.collection("docs", dim=1, attributes={"N": int, "\u00c9": int})
        self.assertEqual(list(again.schema.attributes), ["n", "\u00c9", "\u00e9"])
        self.raises(ValueError, "'N'", self.db.collection, "docs", dim=1, attributes={"N": str})


class OtherSchemaTest(PythonCase):
    """Another object changes what this one remembers."""

    def remade(self, dim, **options):
        docs = self.db.collection("docs", dim=2, metric="l2", attributes={"year": int})
        docs.upsert("a", [0, 0], [{"year": 1}])
        self.assertEqual(docs.search([0.0, 1.0], k=1).ids, ["a"])
        self.db.drop("docs")
        other = self.db.collection("docs", dim=dim, metric="l2", **options)
        other.upsert(["x", "y"], [[0] * dim, [1] * dim])
        return docs

    def test_another_dimension(self):
        for use in (lambda docs: self.assertEqual(docs.search([1, 1, 1], k=1).ids, ["y"]),
                    lambda docs: self.assertEqual(docs.search([[1, 1, 1], [0, 0, 0]], k=1)[1].ids, ["x"]),
                    lambda docs: self.assertEqual(docs.upsert("z", [[2, 2, 2]]), 1),
                    lambda docs: self.assertEqual(docs.update("x", [[2, 2, 2]]), 1),
                    lambda docs: self.assertEqual(docs.get("x").metadata, {}),
                    lambda docs: self.assertEqual(docs.recall_audit([1, 1, 1], k=1)["queries"], 1)):
            use(self.remade(3))
            self.db.drop("docs")

    @needs_numpy
    def test_arrays_that_fitted(self):
        docs = self.remade(3)
        self.raises(ValueError, "vectors has vectors of 2 numbers, the field has 3", docs.search, numpy.array([0, 1], "f4"), k=1)
        self.assertEqual(docs.search(numpy.array([0, 1, 1], "f4"), k=1).ids, ["y"])
        self.raises(ValueError, "2 numbers", docs.upsert, ["z"], numpy.zeros((1, 2), "f4"))

    def test_attributes(self):
        docs = self.remade(2, attributes={"lang": str})
        self.assertEqual(docs.search([1, 1], k=1, where={"lang": None}).ids, ["y"])
        docs = self.db.collection("more", dim=1)
        other = self.db.collection("more")
        other.upsert("a", [1], [{"lang": "de"}])
        self.assertEqual((docs.count({"lang": "de"}), docs.facet("lang", {"lang": "de"})), (1, {"de": 1}))
        other.drop_column("lang")
        self.assertEqual([hit.metadata for hit in docs.list()], [{}])
        self.raises(ValueError, "lang", docs.count, {"lang": "de"})
        self.db.drop("more")
        self.raises(quern.NotFoundError, "more", docs.search, [1])

    def test_iterators_are_not_read_twice(self):
        docs = self.remade(3)
        self.raises(ValueError, "vectors[0]", docs.upsert, iter(["p"]), iter([[1, 1, 1]]))
        self.assertEqual(docs.upsert(["p"], iter([[1, 1, 1]])), 1)


class ClosedTest(unittest.TestCase):
    def test_with_a_closed_database(self):
        with tempfile.TemporaryDirectory() as directory:
            db = quern.open(os.path.join(directory, "x.quern"))
            with db:
                pass
            with self.assertRaises(quern.ClosedError):
                with db:
                    self.fail("a closed database was entered")


class MessagesTest(PythonCase):
    """What the library says of fields and queries is told with the argument they came from."""

    def test_numbers_that_are_none(self):
        docs = self.letters(sparse=True)
        nan = math.nan
        for label, arguments in (("vectors:", {"vectors": [[1, nan]]}), ("vectors['vector']:", {"vectors": {"vector": [[1, nan]]}}),
                                 ("sparse:", {"sparse": [{1: nan}]}), ("metadata['price']:", {"metadata": [{"price": nan}]}),
                                 ("metadata['price']:", {"metadata": [{"PRICE": math.inf}]}), ("metadata['new']:", {"metadata": [{"new": nan}]})):
            error = self.raises(quern.UsageError, label, docs.upsert, ["x"], **arguments)
            self.assertEqual(error.name, "QUERN_ERR_NOT_FINITE")
        for label, arguments in (("vectors:", {"vectors": [1, nan]}), ("vectors:", {"vectors": [[1, 1], [nan, 1]]}), ("sparse:", {"sparse": {1: nan}}),
                                 ("sparse:", {"vectors": [1, 1], "sparse": {1: nan}}), ("compose:", {"compose": [(1, [1, nan])]}),
                                 ("legs[1]:", {"legs": [quern.Leg([1, 1]), quern.Leg([1, nan])]})):
            for _ in range(2):  # with a query that is kept, too
                self.raises(quern.UsageError, label, docs.search, k=1, **arguments)
        self.raises(quern.UsageError, "vectors:", docs.query().search, [1, nan])

    def test_limits(self):
        docs = self.letters()
        self.raises(ValueError, "k is 0:", docs.search, [1, 1], k=0)
        self.raises(ValueError, "k is 0:", docs.query(k=0).search, [1, 1])
        self.raises(ValueError, "k of legs[1] is 0:", docs.search, legs=[quern.Leg([1, 1]), quern.Leg([1, 1], k=0)])
        self.assertEqual(len(docs.search([1, 0], k=0, max_distance=1)), 3)

    def test_parameters(self):
        docs = self.letters()
        self.raises(ValueError, "params[0] is NaN", docs.search, [1, 1], where="price = ?1", params=[math.nan])
        self.raises(ValueError, "params['p'] is NaN", docs.count, "price > :p", {"p": math.nan})
        self.raises(ValueError, "params_of[1][0] is NaN", docs.search, [[1, 1], [1, 1]], where="price = ?1", params_of=[[1.0], [math.nan]])
        self.raises(ValueError, "assignments['price'] is NaN", docs.update_where, {"price": math.nan}, "1")
        self.assertEqual(docs.count("price is null"), 1)

    def test_nul_in_json(self):
        docs = self.db.collection("docs", dim=1, attributes={"j": dict})
        for value in (["a\0b"], {"k": "a\0b"}, {"a\0": 1}, ["\\\0"], "\0"):
            self.raises(ValueError, "metadata['j'][1]", docs.upsert, ["1", "2"], [[1], [1]], {"j": [None, value]})
        self.assertEqual(len(docs), 0)
        for value in (["a\\u0000b"], ["\\\\u0000"], {"k": "\\"}):  # a backslash is one
            docs.upsert(["1"], [[1]], {"j": [value]})
            self.assertEqual(docs.get("1")["j"], value)
        for text in ('["a\\u0000"]', '{"\\u0000": 1}', '["\\\\\\u0000"]'):  # by the library itself
            error = self.raises(quern.UsageError, "attribute 'j' holds \\u0000", docs.update_where, "j = ?1", "1", [text])
            self.assertEqual(error.name, "QUERN_ERR_INVALID")
        docs.update_where("j = ?1", "1", ['["\\\\u0000"]'])
        self.assertEqual(docs.get("1")["j"], ["\\u0000"])


if __name__ == "__main__":
    unittest.main()

"""Wrong arguments: each a Python exception whose message names the argument, and nothing is written."""
import math
import unittest

from python_case import PythonCase, needs_numpy, numpy, quern


class BadInputTest(PythonCase):
    def setUp(self):
        super().setUp()
        self.docs = self.letters(sparse=True)

    def tearDown(self):
        self.assertEqual(self.docs.count(), 5)
        self.assertEqual(self.docs.search([0, 0], k=1).ids, ["a"])

    def test_vectors(self):
        up = self.docs.upsert
        self.raises(ValueError, "vectors", up, ["x"], [[1, 2, 3]])
        self.raises(ValueError, "vectors has 2 rows", up, ["x"], [[1, 2], [3, 4]])
        self.raises(ValueError, "vectors[1]", up, ["x", "y"], [[1, 2], [3]])
        self.raises(TypeError, "vectors[0][1]", up, ["x"], [[1, "2"]])
        self.raises(TypeError, "vectors", up, ["x"], "text")
        self.raises(TypeError, "vectors", up, ["x"], 5)
        self.raises(TypeError, "vectors[0]", up, ["x"], [{1: 2}])
        self.raises(quern.UsageError, "vector", up, ["x"], [[1, math.nan]])
        self.raises(quern.UsageError, "vector", up, ["x"], [[1, math.inf]])
        self.raises(ValueError, "nope", up, ["x"], {"nope": [[1, 2]]})
        self.raises(ValueError, "vectors", self.docs.search, [1, 2, 3])
        self.raises(ValueError, "vectors", self.docs.search, [None, [1, 2]])
        self.raises(TypeError, "vectors[0]", self.docs.search, ["a", "b"])
        self.raises(quern.UsageError, "NaN", self.docs.search, [1, math.nan])
        self.assertRaises(quern.UsageError, self.docs.search)

    @needs_numpy
    def test_arrays(self):
        up = self.docs.upsert
        self.raises(ValueError, "vectors", up, ["x"], numpy.zeros((1, 3), "f4"))
        self.raises(ValueError, "3 dimensions", up, ["x"], numpy.zeros((1, 1, 2), "f4"))
        self.raises(ValueError, "0 dimensions", up, ["x"], numpy.array(1.0))
        for bad in (numpy.zeros((1, 2), complex), numpy.array([["a", "b"]]), numpy.zeros((1, 2), object), numpy.zeros((1, 2), "M8[s]"),
                    numpy.zeros(2, "f4,f4")):
            self.raises(TypeError, "vectors", up, ["x"], bad)
        self.raises(quern.UsageError, "vector", up, ["x"], numpy.array([[1, numpy.nan]], "f4"))
        self.raises(quern.UsageError, "vector", up, ["x"], numpy.array([[1, 1e300]]))
        self.raises(TypeError, "ids", up, numpy.array([1.5]), [[1, 2]])
        self.raises(TypeError, "ids", up, numpy.array([True]), [[1, 2]])
        self.raises(TypeError, "ids", up, numpy.array([1]), [[1, 2]])
        self.raises(ValueError, "dimensions", self.docs.search, numpy.zeros((1, 1, 2)))
        numbers = self.db.collection("numbers", dim=1, key="int")
        self.raises(ValueError, "ids", numbers.upsert, numpy.array([2 ** 63], "u8"), [[1]])
        self.raises(ValueError, "ids", numbers.upsert, numpy.array([[1], [2]]), [[1], [2]])

    def test_ids(self):
        up = self.docs.upsert
        self.raises(TypeError, "ids[1]", up, ["x", 1], [[1, 2], [3, 4]])
        self.raises(TypeError, "ids", up, [1], [[1, 2]])
        self.raises(TypeError, "ids[0]", up, [None], [[1, 2]])
        self.raises(TypeError, "ids", up, None)
        self.raises(TypeError, "ids[0]", up, [b"x"], [[1, 2]])
        self.raises(ValueError, "ids[0]", up, ["a\0b"], [[1, 2]])
        self.raises(ValueError, "ids[0]", up, ["\ud800"], [[1, 2]])
        self.raises(quern.UsageError, "twice", up, ["x", "x"], [[1, 2], [3, 4]])
        self.raises(quern.UsageError, "key", up, [""], [[1, 2]])
        self.raises(TypeError, "ids", self.docs.get, [1])
        self.raises(TypeError, "ids", self.docs.delete, 1)

    def test_metadata(self):
        up = self.docs.upsert
        self.raises(ValueError, "metadata has 1 entries", up, ["x", "y"], metadata=[{}])
        self.raises(ValueError, "metadata['year'] has 3 values", up, ["x", "y"], metadata={"year": [1, 2, 3]})
        self.raises(TypeError, "metadata['year']", up, ["x", "y"], metadata={"year": "ab"})
        self.raises(TypeError, "metadata[0]", up, ["x"], metadata=["text"])
        self.raises(TypeError, "metadata['year'][0]", up, ["x"], metadata=[{"year": 1.5}])
        self.raises(ValueError, "metadata['year'][0]", up, ["x"], metadata=[{"year": 2 ** 63}])
        self.raises(TypeError, "metadata['open'][0]", up, ["x"], metadata=[{"open": 2}])
        self.raises(ValueError, "metadata['lang'][0]", up, ["x"], metadata=[{"lang": "a\0"}])
        self.raises(TypeError, "metadata['tags'][0]", up, ["x"], metadata=[{"tags": "ab"}])
        self.raises(quern.UsageError, "price", up, ["x"], metadata=[{"price": math.nan}])
        self.raises(TypeError, "metadata['new'][0]", up, ["x"], metadata=[{"new": object()}])
        self.raises(TypeError, "1", up, ["x"], metadata=[{1: 2}])
        self.raises(ValueError, "id", up, ["x"], metadata=[{"id": "y"}])
        self.raises(ValueError, "vector", up, ["x"], metadata=[{"vector": "y"}])
        self.raises(ValueError, "text has 2 rows", up, ["x"], text=["a", "b"])
        self.raises(TypeError, "text[0]", up, ["x"], text=[5])

    def test_sparse(self):
        up = self.docs.upsert
        self.raises(ValueError, "sparse", up, ["x"], sparse=[{-1: 2}])
        self.raises(ValueError, "sparse", up, ["x"], sparse=[{2 ** 32: 2}])
        self.raises(TypeError, "sparse", up, ["x"], sparse=[{1: "a"}])
        self.raises(TypeError, "sparse[0]", up, ["x"], sparse=[5])
        self.raises(ValueError, "2 dims and 1 weights", up, ["x"], sparse=[([1, 2], [1])])
        self.raises(ValueError, "offsets", up, ["x"], sparse=([0, 5], [1, 2], [1, 2]))
        self.raises(ValueError, "offsets", up, ["x", "y"], sparse=([0, 100, 2], [1, 2], [1, 2]))
        self.raises(ValueError, "offsets", up, ["x"], sparse=([], [], []))
        self.raises(ValueError, "1 rows for 2 ids", up, ["x", "y"], sparse=([0, 2], [1, 2], [1, 2]))
        self.raises(quern.UsageError, "sparse", up, ["x"], sparse=[([1, 1], [1, 2])])
        self.raises(ValueError, "sparse", self.docs.search, sparse=[None])

    def test_search(self):
        search = self.docs.search
        for bad in (-1, 2 ** 64, 1.5, "5", None, True):
            if bad is not None:
                self.raises((TypeError, ValueError), "k is", search, [0, 0], bad)
        self.raises(quern.LimitError, "k is", search, [0, 0], 2 ** 40)
        self.raises(TypeError, "where", search, [0, 0], where=5)
        self.raises(ValueError, "$gtt", search, [0, 0], where={"year": {"$gtt": 5}})
        self.raises(ValueError, "yaer", search, [0, 0], where={"yaer": 5})
        self.raises(TypeError, "year", search, [0, 0], where={"year": [1]})
        self.raises(TypeError, "$in", search, [0, 0], where={"year": {"$in": 5}})
        self.raises(TypeError, "$or", search, [0, 0], where={"$or": {}})
        self.raises(ValueError, "$gt", search, [0, 0], where={"year": {"$gt": None}})
        deep = {"year": 1}
        for _ in range(500):
            deep = {"$not": deep}
        self.raises(ValueError, "deep", search, [0, 0], where=deep)
        self.raises(quern.UsageError, "byte", search, [0, 0], where="year >")
        self.raises(quern.UsageError, "value", search, [0, 0], where="year > ?1")
        self.raises(ValueError, "params", search, [0, 0], params=[1])
        self.raises(TypeError, "params[0]", search, [0, 0], where="year > ?1", params=[object()])
        self.raises(ValueError, "params[0]", search, [0, 0], where="year > ?1", params=[2 ** 64])
        self.raises(TypeError, "params", search, [0, 0], where="year > ?1", params=5)
        self.raises(ValueError, "nope", search, [0, 0], field="nope")
        self.raises(TypeError, "field", search, [0, 0], field=5)
        self.raises(TypeError, "nope", search, [0, 0], nope=5)
        self.raises(TypeError, "columns", search, [0, 0], columns=5)
        self.raises(quern.NotFoundError, "nope", search, [0, 0], columns=["nope"])
        self.raises(TypeError, "snapshot", search, [0, 0], snapshot=5)
        self.raises(ValueError, "max_distance", search, [0, 0], max_distance=math.nan)
        self.raises(TypeError, "keys", search, keys=[1])
        self.raises(quern.NotFoundError, "zz", search, keys="zz")
        self.raises(TypeError, "group_by", search, [0, 0], group_by=5)
        self.raises(ValueError, "per_group", search, [0, 0], per_group=5)
        self.raises(TypeError, "text[0]", search, text=[5])
        self.raises(quern.UsageError, "", search, text='"open')

    def test_open_and_schema(self):
        self.raises(TypeError, "path", quern.open, 5)
        self.raises(ValueError, "path", quern.open, "a\0b")
        self.raises(quern.FileError, "absent", quern.open, "/absent/file.quern")
        self.raises(quern.UsageError, "mod", quern.open, ":memory:", mod="x")
        self.raises(ValueError, "metric", self.db.collection, "x", dim=2, metric="euclid")
        self.raises(ValueError, "dim", self.db.collection, "x", dim=0)
        self.raises(TypeError, "dim", self.db.collection, "x", dim="2")
        self.raises(ValueError, "key", self.db.collection, "x", dim=2, key="uuid")
        self.raises(ValueError, "attributes['a']", self.db.collection, "x", dim=2, attributes={"a": "date"})
        self.raises(TypeError, "schema", self.db.collection, "x", {"a": 1})
        self.raises(TypeError, "codes", self.db.collection, "x", codes="4bit")
        self.raises(quern.UsageError, "nope", self.db.collection, "x", dim=2, nope=1)
        self.raises(TypeError, "fields['v']", quern.Schema, {"v": 5})
        self.raises(TypeError, "txn", self.docs.delete, "a", txn=5)
        self.raises(TypeError, "progress", self.db.optimize, progress=5)
        self.raises(quern.UsageError, "", self.db.sql, "delete from letters")
        with quern.open(":memory:") as other:
            with other.transaction() as txn:
                self.raises(quern.UsageError, "another database", self.docs.delete, "a", txn=txn)


if __name__ == "__main__":
    unittest.main()

"""Writing and reading records: every kind of input, and what of it comes back."""
import array
import unittest

from python_case import PythonCase, needs_numpy, numpy, quern
from quern import _arrays, _columns


class WritingTest(PythonCase):
    def every_type(self, key="int"):
        return self.db.create("all", quern.Schema(
            {"v": quern.dense(3, "l2"), "half": quern.dense(2, "ip", type="f16"), "brain": quern.dense(2, type="bf16"),
             "bytes": quern.dense(3, "l2", type="i8"), "bits": quern.dense(9, "hamming"), "terms": quern.sparse(), "body": quern.text("porter")},
            {"i": int, "r": "real", "s": str, "f": bool, "b": bytes, "j": dict, "t": list}, key=key))

    def test_every_type_comes_back(self):
        docs = self.every_type()
        docs.upsert([7], {"v": [[1, 2, 3]], "half": [[0.5, 1]], "brain": [[1, 2]], "bytes": [[-128, 0, 127]], "bits": [[1] * 9]},
                    [{"i": -5, "r": 0.25, "s": "grün", "f": True, "b": b"\0\1", "j": {"a": [1, None]}, "t": ["y", "x"]}],
                    ["the text"], [{3: 1.5, 1: -2}])
        hit = docs.get(7, "*")
        self.assertEqual(hit.metadata, {"i": -5, "r": 0.25, "s": "grün", "f": True, "b": b"\0\1", "j": {"a": [1, None]}, "t": ["x", "y"]})
        self.assertEqual(hit["terms"], {1: -2.0, 3: 1.5})
        self.assertEqual(hit["body"], "the text")
        self.assertEqual(list(hit["v"]), [1, 2, 3])
        self.assertEqual(list(hit["bytes"]), [-128, 0, 127])
        self.assertEqual(list(hit["bits"]), [255, 1])

    def test_schema_comes_back(self):
        docs = self.every_type("text")
        again = self.db.collection("all")
        self.assertEqual(again.schema.fields["half"], quern.dense(2, "ip", type="f16"))
        self.assertEqual(list(again.schema.fields), ["v", "half", "brain", "bytes", "bits", "terms", "body"])
        self.assertEqual(again.schema.attributes, docs.schema.attributes)
        self.assertEqual(again.schema.key, "text")

    def test_schema_tells_options(self):
        self.db.collection("told", quern.Schema({"plain": quern.sparse(), "short": quern.sparse(dims=50, buckets=5, index="none"),
                                                 "set": quern.sparse(weights="none", approx="graph"), "body": quern.text("porter stop=english k1=0.9")}))
        fields = self.db.collection("told").schema.fields
        self.assertEqual([fields[name].options for name in ("plain", "short", "set", "body")],
                         ["", "dims=50 buckets=5 index=none", "weights=none approx=graph", "porter stop=english k1=0.9"])
        self.assertIn("sparse(options='weights=none approx=graph')", repr(self.db.collection("told").schema))
        again = self.db.create("again", self.db.collection("told").schema)
        self.assertEqual(repr(again.schema), repr(self.db.collection("told").schema))

    def test_collection_is_made_or_found(self):
        self.letters()
        self.assertEqual(self.db.collection("letters").count(), 5)
        self.assertEqual(self.db.collection("letters", dim=2, metric="l2").count(), 5)
        self.assertEqual(self.db.collections(), ["letters"])
        self.raises(ValueError, "vector", self.db.collection, "letters", dim=3, metric="l2")
        self.raises(ValueError, "keys", self.db.collection, "letters", dim=2, metric="l2", key="int")
        self.raises(quern.NotFoundError, "others", self.db.collection, "others")
        self.raises(quern.NotFoundError, "grow", self.db.collection, "letters", dim=2, metric="l2", attributes={"more": int}, grow=False)
        self.assertIn("more", self.db.collection("letters", dim=2, metric="l2", attributes={"more": int}).schema.attributes)
        self.db.rename("letters", "others")
        self.db.drop("others")
        self.assertEqual(self.db.collections(), [])

    def test_upsert_replaces_update_changes(self):
        docs = self.letters()
        docs.upsert("a", [9, 9], {"year": 1})
        self.assertEqual(docs.get("a").metadata, {"year": 1})
        docs.update(["b"], metadata=[{"year": 5}])
        self.assertEqual(docs.get("b").metadata["year"], 5)
        self.assertEqual(docs.get("b").metadata["lang"], "en")
        self.raises(quern.NotFoundError, "zz", docs.update, "zz", metadata={"year": 5})
        self.raises(quern.ExistsError, "'a'", docs.insert, "a", [1, 1])
        self.raises(ValueError, "metadata[1]", docs.update, ["a", "b"], metadata=[{"year": 1, "lang": "x"}, {"lang": "x"}])
        self.assertEqual(docs.insert("f", [1, 1]), 1)

    def test_metadata_grows_the_schema(self):
        docs = self.db.collection("d", dim=1)
        docs.upsert(["a", "b"], [[1], [2]], [{"n": 1, "mixed": 1}, {"mixed": 1.5, "none": None}])
        self.assertEqual(docs.get(["a", "b"])[1].metadata, {"mixed": 1.5})
        self.assertNotIn("none", docs.schema.attributes)
        self.raises(TypeError, "metadata['bad']", docs.upsert, ["a", "b"], [[1], [2]], {"bad": [1, "x"]})
        self.raises(TypeError, "metadata['n'][0]", docs.upsert, "a", [1], {"n": "text"})
        fixed = self.db.collection("d", grow=False)
        self.raises(quern.NotFoundError, "'new'", fixed.upsert, "a", [1], {"new": 1})
        with self.db.transaction() as txn:
            self.raises(quern.UsageError, "'new'", docs.upsert, "a", [1], {"new": 1}, txn=txn)

    def test_nulls_and_absent_vectors(self):
        docs = self.db.collection("d", dim=2, metric="l2", sparse=True)
        docs.upsert(["a", "b", "c"], [[1, 2], None, [3, 4]], sparse=[None, {1: 1}, {}])
        self.assertEqual(docs.search([1, 2]).ids, ["a", "c"])
        self.assertIsNone(docs.get("b", ["vector"])["vector"])
        self.assertIsNone(docs.get("a", ["sparse"])["sparse"])
        self.assertEqual(docs.get("c", ["sparse"])["sparse"], {})

    def test_get_list_scan_facet(self):
        docs = self.letters()
        self.assertIsNone(docs.get("zz"))
        self.assertEqual([hit and hit.id for hit in docs.get(["e", "zz", "a"])], ["e", None, "a"])
        self.assertEqual(docs.get("a", ()).metadata, {})
        self.assertRaises(KeyError, docs.get("a", ()).__getitem__, "year")
        self.assertEqual([hit.id for hit in docs.scan(page=2)], list("abcde"))
        self.assertEqual([hit.id for hit in docs.scan(after="b")], list("cde"))
        page = docs.list({"year": {"$gt": 0}}, order="year desc", k=3)
        self.assertEqual(page.ids, ["e", "d", "b"])
        self.assertEqual(docs.list({"year": {"$gt": 0}}, order="year desc", after=page.bookmark).ids, ["a"])
        facet = docs.facet("lang")
        self.assertEqual(facet, {"de": 2, "en": 1, "fr": 1})
        self.assertEqual((facet.matches, facet.nulls, facet.values_there), (5, 1, 3))
        self.assertEqual(docs.facet("tags", {"lang": "en"}), {"x": 1, "y": 1})
        self.assertEqual(self.db.sql("select sum(year) as s from letters").to_list(), [{"s": 8008}])

    def test_delete_and_change_by_filter(self):
        docs = self.letters()
        self.assertEqual(docs.update_where({"year": 1, "lang": "xx"}, {"lang": "de"}), 2)
        self.assertEqual(docs.update_where("price = ?2", "lang = ?1", ["xx", 9]), 2)
        self.assertEqual(docs.count({"price": 9.0, "year": 1}), 2)
        self.assertEqual(docs.delete(["a", "zz"]), 1)
        self.assertEqual(docs.delete(where={"lang": "xx"}), 1)
        self.assertEqual(docs.delete([]), 0)
        self.assertEqual(len(docs), 3)
        self.raises(ValueError, "where", docs.delete)

    def test_transactions_and_snapshots(self):
        docs = self.letters()
        with self.db.snapshot() as snap:
            with self.db.transaction() as txn:
                docs.delete("a", txn=txn)
                docs.upsert("f", [5, 5], txn=txn)
                self.assertEqual(len(docs), 5)
            self.assertEqual(docs.count(snapshot=snap), 5)
            self.assertEqual(docs.search([0, 0], k=1, snapshot=snap).ids, ["a"])
            self.assertEqual([hit.id for hit in docs.scan(snapshot=snap)], list("abcde"))
        self.assertEqual([hit.id for hit in docs.scan()], list("bcdef"))
        with self.assertRaises(ZeroDivisionError), self.db.transaction() as txn:
            docs.delete("b", txn=txn)
            1 / 0
        self.assertIsNotNone(docs.get("b"))
        self.raises(quern.UsageError, "over", docs.delete, "b", txn=txn)
        self.raises(quern.UsageError, "over", docs.count, snapshot=snap)

    def test_progress_stops_and_raises(self):
        slow = self.db.collection("slow", dim=64, metric="l2", index="graph", codes="f32")
        slow.upsert(list(map(str, range(20000))), [[float(i * j % 31) for j in range(64)] for i in range(20000)], progress=lambda *told: None)
        for answer, wanted in ((KeyError("enough"), KeyError), (False, quern.Interrupted)):
            asked = []

            def stop(task, done, total):
                asked.append((task, done, total))
                if answer is not False:
                    raise answer
                return answer

            caught = None
            try:
                self.db.optimize(slow, progress=stop)
            except (KeyError, quern.Interrupted) as error:
                caught = type(error)
            # A machine that builds this within a tenth of a second is never asked.
            self.assertEqual(caught, wanted if asked else None)
            self.assertTrue(all(isinstance(task, str) for task, _, _ in asked))
            self.assertEqual(slow.count(), 20000)

    @needs_numpy
    def test_arrays_of_numpy(self):
        docs = self.every_type()
        matrix = numpy.arange(6, dtype="f4").reshape(2, 3)
        for made in (matrix, matrix.astype("f8"), matrix.astype("i8"), matrix.astype(">f4"), numpy.asfortranarray(matrix), matrix.astype("f2"),
                     numpy.repeat(matrix, 2, axis=1)[:, ::2], matrix[::-1][::-1]):
            docs.upsert(numpy.array([1, 2], "i4"), {"v": made})
            self.assertEqual(docs.get(2, ["v"])["v"].tolist(), [3, 4, 5])
        docs.upsert([1], {"half": numpy.array([[0.1, 2]], "f2"), "bytes": numpy.array([[1, 2, 3]], "i1"),
                          "bits": numpy.array([[255, 0]], "u1"), "brain": numpy.array([[0x3f80, 0x4000]], "u2")})
        hit = docs.get(1, "*")
        self.assertEqual(hit["half"].tolist(), numpy.array([0.1, 2], "f2").tolist())
        self.assertEqual(hit["bits"].tolist(), [255, 0])
        self.assertEqual(hit["brain"].tolist(), [1, 2])
        docs.upsert([5], {"bits": numpy.array([[1, 0, 0, 0, 0, 0, 0, 0, 1]], bool)})
        self.assertEqual(docs.get(5, ["bits"])["bits"].tolist(), [1, 1])
        docs.upsert(numpy.arange(3), metadata={"i": numpy.arange(3, dtype="u2"), "r": numpy.ones(3, "f4"), "f": numpy.array([True, False, True]),
                                               "s": numpy.array(["a", "b", "c"])})
        self.assertEqual(docs.get(2).metadata, {"i": 2, "r": 1.0, "f": True, "s": "c"})
        offsets, dims, weights = numpy.array([0, 2, 2, 3]), numpy.array([1, 5, 7]), numpy.array([1.0, 2, 3])
        docs.upsert(numpy.arange(3), sparse=(offsets, dims, weights))
        self.assertEqual(docs.get(2, ["terms"])["terms"], {7: 3.0})
        self.assertEqual(docs.get(1, ["terms"])["terms"], {})

    @needs_numpy
    def test_arrays_are_handed_over_where_they_lie(self):
        def place(values):
            return values.__array_interface__["data"][0]

        for letter, element in (("f4", _arrays.F32), ("f2", _arrays.F16), ("i1", _arrays.I8), ("u2", _arrays.BF16)):
            matrix = numpy.ones((4, 3), letter)
            self.assertEqual(_arrays.matrix_of(matrix, "vectors", element, 3).address, place(matrix), letter)
            self.assertEqual(_arrays.matrix_of(matrix[1:], "vectors", element, 3).address, place(matrix) + matrix.strides[0], letter)
        self.assertNotEqual(_arrays.matrix_of(matrix[:, ::2], "vectors", element, 2).address, place(matrix))  # gaps are closed in a copy
        ids = numpy.arange(4)
        self.assertEqual(_columns.Keys(ids).address, place(ids))
        for offset, dim in (("u8", "u4"), ("i8", "i4")):  # the second are those of a csr_matrix with many entries
            triple = numpy.array([0, 1, 3], offset), numpy.array([5, 5, 7], dim), numpy.ones(3, "f4")
            self.assertEqual(_columns.SparseRows(triple).addresses(), tuple(map(place, triple)))
        self.raises(ValueError, "dims holds numbers out of range", _columns.SparseRows, (triple[0], -triple[1], triple[2]))
        docs = self.db.collection("sparse", sparse=True, key="int")
        docs.upsert([1, 2], sparse=triple)
        self.assertEqual(docs.get(2, "*")["sparse"], {5: 1.0, 7: 1.0})

    def test_buffers_without_numpy(self):
        docs = self.db.collection("d", dim=2, metric="l2", key="int")
        docs.upsert(array.array("q", [1, 2]), memoryview(array.array("f", [1, 2, 3, 4])).cast("B").cast("f", (2, 2)))
        docs.upsert([3], array.array("d", [5, 6]))
        docs.upsert([4], memoryview(bytes(8)).cast("f"))
        self.assertEqual([list(hit["vector"]) for hit in docs.get([1, 2, 3, 4], ["vector"])], [[1, 2], [3, 4], [5, 6], [0, 0]])

    def test_key_sets_and_columns(self):
        docs = self.letters()
        docs.add_attribute("more", int)
        docs.add_field("extra", quern.dense(4))
        docs.upsert("x", {"extra": [1, 2, 3, 4]}, {"more": 3})
        self.assertEqual(docs.search([1, 2, 3, 4], field="extra").ids, ["x"])
        docs.drop_column("extra")
        self.assertNotIn("extra", docs.schema.fields)

    def test_an_attribute_is_indexed_later(self):
        docs = self.db.collection("many", quern.Schema(attributes={"year": int}, key="int"))
        docs.upsert(range(2000), metadata={"year": [i % 100 for i in range(2000)]})

        def kept():
            return [column["state"] for column in self.db.info()["collections"][0]["segments"][0]["columns"]]

        self.db.optimize(docs)
        self.assertEqual(kept(), ["kept", "kept"])
        docs.index_attribute("year", False)
        self.assertEqual(kept(), ["kept", "none"])
        self.assertEqual(docs.count({"year": 7}), 20)
        self.db.optimize(docs)
        self.assertEqual(kept(), ["kept", "none"])
        docs.index_attribute("year")
        self.db.optimize(docs)
        self.assertEqual(kept(), ["kept", "kept"])
        self.assertEqual(docs.count({"year": 7}), 20)
        self.raises(quern.NotFoundError, "nope", docs.index_attribute, "nope")
        self.raises(TypeError, "wanted", docs.index_attribute, "year", "none")

    def test_maintenance(self):
        docs = self.letters()
        self.db.optimize(docs)
        self.db.vacuum()
        self.db.rebuild()
        self.assertTrue(self.db.verify()["ok"])
        self.assertEqual(self.db.info()["collections"][0]["records"], 5)


if __name__ == "__main__":
    unittest.main()

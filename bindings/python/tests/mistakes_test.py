"""What is easily said wrong, or comes from other libraries: it is understood as meant, or refused by name; never answered wrong in silence."""
import array
import ctypes
import math
import os
import tempfile
import threading
import unittest

from lifetimes_test import run_program
from python_case import PythonCase, needs_numpy, numpy, quern

try:
    import scipy.sparse as scipy_sparse
except ImportError:
    scipy_sparse = None
try:
    import pandas
except ImportError:
    pandas = None


class Interface:
    """An object with an __array_interface__, as images have one."""

    def __init__(self, data, shape=(2,), typestr="|u1"):
        self.__array_interface__ = {"shape": shape, "typestr": typestr, "version": 3, "data": data}


class VectorsTest(PythonCase):
    def numbers(self, **options):
        docs = self.db.collection("numbers", dim=3, metric="l2", key="int", **options)
        docs.upsert([1, 2], [[1, 2, 3], [100, 100, 100]])
        return docs

    def test_array_interfaces(self):
        docs = self.letters()
        for bad in (None, b"", b"x", (b"\0\0", True), (None, True), (0, False), ("5", False), 7, [1, 2]):
            try:
                docs.search(Interface(bad))
            except (TypeError, ValueError):
                pass
        for bad in ({}, 5, {"data": (1, False)}, {"data": (1, False), "shape": 5, "typestr": "<f4"}, {"data": (1, False), "shape": (2,), "typestr": 4}):
            made = Interface(None)
            made.__array_interface__ = bad
            self.assertRaises((TypeError, ValueError), docs.search, made)
            self.assertRaises((TypeError, ValueError), docs.upsert, ["x"], [made])
        if numpy is None:
            self.raises(TypeError, "vectors", docs.search, Interface(b"\1\0"))
        else:
            self.assertEqual(docs.search(Interface(b"\1\0"), k=1).ids, ["b"])
            self.assertEqual(docs.search(Interface(b"\1\0\3\0", (2, 2)), k=1).ids.tolist(), [["b"], ["d"]])

    def test_vectors_go_back_in_as_they_came(self):
        for kind in ("f32", "f16", "bf16", "i8"):
            docs = self.db.collection(kind, dim=3, metric="l2", key="int", type=kind)
            docs.upsert([1, 2], [[1, -2, 3], [100, 100, 100]])
            stored = docs.get(1, "*")["vector"]
            docs.upsert(3, stored)
            docs.upsert([4, 5], [stored, stored])
            if numpy is not None:
                docs.upsert([6, 7], numpy.array([stored, stored]))
                docs.upsert([8], docs.list("id = 1", columns="*").array("vector"))
                self.assertEqual(docs.search(numpy.array([stored]), k=1).distances.tolist(), [[0]])
            found = docs.search(stored, k=0, max_distance=0)
            self.assertEqual(sorted(found.ids), [1, *range(3, 9 if numpy is not None else 6)])
            self.assertEqual(list(docs.query(k=1).search(stored).distances), [0])
            for hit in found:
                self.assertEqual(list(docs.get(int(hit.id), "*")["vector"]), [1, -2, 3])
        for dim in (1, 8, 10, 16):
            docs = self.db.collection(f"bits{dim}", dim=dim, metric="hamming", key="int")
            docs.upsert([1, 2], [[i % 2 for i in range(dim)], [1] * dim])
            stored = docs.get(1, "*")["vector"]
            self.assertEqual(docs.search(stored, k=1).ids[0], 1)
            docs.upsert([3, 4], [stored, stored])
            docs.upsert(5, stored)
            self.assertEqual(sorted(docs.search(stored, k=0, max_distance=0).ids), [1, 3, 4, 5])

    @needs_numpy
    def test_bf16_as_u2(self):
        docs = self.numbers(type="bf16")
        halves = numpy.array([0x3f80, 0x4000, 0x4040], "u2")
        self.assertEqual(docs.search(halves, k=1).distances.tolist(), [0])
        self.assertEqual(docs.search(halves.reshape(1, 3), k=1).distances.tolist(), [[0]])
        docs.upsert(3, halves)
        docs.upsert([4, 5], [halves, [1, 2, 3]])
        self.assertEqual(docs.search(halves, k=0, max_distance=0).ids.tolist(), [1, 3, 4, 5])

    def test_arrays_of_ctypes(self):
        docs = self.numbers()
        for kind in (ctypes.c_float, ctypes.c_double, ctypes.c_long, ctypes.c_short):
            self.assertEqual(list(docs.search((kind * 3)(1, 2, 3), k=1).distances), [0])
            self.assertEqual(list(docs.query(k=1).search((kind * 3)(1, 2, 3)).distances), [0])
        docs.upsert([7, 8], ((ctypes.c_float * 3) * 2)((1, 1, 1), (2, 2, 2)))
        self.assertEqual(list(docs.get(8, "*")["vector"]), [2, 2, 2])
        self.assertEqual(docs.delete((ctypes.c_int64 * 2)(7, 8)), 2)

    @needs_numpy
    def test_arrays_of_numpy(self):
        docs = self.numbers()
        self.assertEqual(docs.search(numpy.array([1, 2, 3], numpy.longdouble), k=1).distances.tolist(), [0])
        matrix = numpy.arange(6, dtype="f4").reshape(2, 3)
        gaps = numpy.ma.masked_array(matrix, [[False, True, False]] * 2)
        self.raises(ValueError, "masked", docs.upsert, [1, 2], gaps)
        self.raises(ValueError, "masked", docs.search, numpy.ma.masked_array([1.0, 2, 3], [True, False, False]))
        docs.upsert([1, 2], numpy.ma.masked_array(matrix, [[True] * 3, [False] * 3]))
        self.assertEqual([hit["vector"] is None for hit in docs.get([1, 2], "*")], [True, False])
        docs.upsert([1], numpy.ma.masked_array(matrix[:1], False))
        self.assertEqual(docs.get(1, "*")["vector"].tolist(), [0, 1, 2])

    @unittest.skipIf(scipy_sparse is None, "scipy is not installed")
    def test_sparse_matrices(self):
        docs = self.db.collection("sparse", sparse=True, key="int")
        wanted = [{1: 1.0}, {0: 2.0, 2: 3.0}, {2: 4.0}]
        for form in ("csr_matrix", "csc_matrix", "coo_matrix", "dok_matrix", "lil_matrix", "bsr_matrix", "dia_matrix", "csr_array", "csc_array"):
            matrix = getattr(scipy_sparse, form)(numpy.array([[0, 1.0, 0], [2, 0, 3], [0, 0, 4]], "f4"))
            docs.upsert([1, 2, 3], sparse=matrix)
            self.assertEqual([hit["sparse"] for hit in docs.get([1, 2, 3], "*")], wanted, form)
            self.assertEqual([list(hits.ids) for hits in docs.search(sparse=matrix, k=1)], [[1], [2], [3]], form)
            docs.delete(where="1")
        new = self.db.collection("new", dim=1, key="int")
        new.upsert([1], [[1]], sparse=scipy_sparse.dok_matrix((1, 5)))
        self.assertEqual(new.get(1, "*")["sparse"], {})


class NamesTest(PythonCase):
    def test_attributes_with_names_of_ours(self):
        docs = self.db.collection("d", quern.Schema({"v": quern.dense(1, "l2")}, {"score": float, "distance": float, "id": int}, key_name="key"))
        docs.upsert(["a"], [[3]], {"score": [77.0], "distance": [88.0], "id": [5]})
        hits = docs.search([0])
        wanted = {"id": "a", "distance": 9.0, "score": -9.0, "score_2": 77.0, "distance_2": 88.0, "id_2": 5}
        self.assertEqual(hits.to_list(), [wanted])
        self.assertEqual({name: list(values) for name, values in hits.to_columns().items()}, {name: [value] for name, value in wanted.items()})
        self.assertEqual((hits[0].metadata, hits[0]["score"], hits.column("distance")), ({"score": 77.0, "distance": 88.0, "id": 5}, 77.0, [88.0]))
        self.assertEqual([hit.to_dict() for hit in docs.scan()], [{"id": "a", "score": 77.0, "distance": 88.0, "id_2": 5}])
        if pandas is not None:
            self.assertEqual(hits.to_pandas().to_dict("records"), [wanted])

    def test_columns_of_one_name(self):
        rows = self.db.sql("select 1 as x, 2 as x, 3 as x_2, 4 as x")
        self.assertEqual(rows.columns, ["x", "x_2", "x_2_2", "x_3"])
        self.assertEqual(rows.to_list(), [{"x": 1, "x_2": 2, "x_2_2": 3, "x_3": 4}])
        self.assertEqual((rows[0]["x"], rows[0]["x_2"], rows.column("x_3"), rows.to_columns()["x_2_2"]), (1, 2, [4], [3]))

    def test_a_facet_of_an_attribute_called_count(self):
        docs = self.db.collection("d", attributes={"count": int}, key="int")
        docs.upsert([1, 2, 3, 4], metadata={"count": [50, 50, 70, 50]})
        self.assertEqual(docs.facet("count"), {50: 3, 70: 1})

    def test_columns_after_arrays(self):
        docs = self.letters()
        rows = docs.list(columns="*")
        rows.__arrow_c_stream__()
        self.assertEqual([list(vector) for vector in rows.to_columns()["vector"]], [[i, 0] for i in range(5)])


class MissingTest(PythonCase):
    @needs_numpy
    def test_masked_arrays(self):
        docs = self.db.collection("d", attributes={"i": int, "r": float, "s": str, "o": bool}, key="int")
        masked = numpy.ma.masked_array
        docs.upsert([1, 2], metadata={"i": masked([1, 999], [0, 1]), "r": masked([1.5, 99], [0, 1]), "s": masked(["a", "b"], [0, 1]),
                                      "o": masked([True, True], [0, 1]), "new": masked([7, 8], [1, 0])})
        self.assertEqual([hit.metadata for hit in docs.get([1, 2])], [{"i": 1, "r": 1.5, "s": "a", "o": True}, {"new": 8}])
        docs.upsert([3, 4], metadata={"i": docs.list(order="id").array("i")})
        docs.upsert([5], metadata=[{"i": numpy.ma.masked, "s": "x"}])
        self.assertEqual([hit.metadata for hit in docs.get([3, 4, 5])], [{"i": 1}, {}, {"s": "x"}])
        self.raises(ValueError, "masked", docs.upsert, masked([1, 2], [0, 1]))

    @unittest.skipIf(pandas is None, "pandas is not installed")
    def test_arrays_of_pandas(self):
        docs = self.db.collection("d", key="int", attributes={"i": int})
        docs.upsert([1, 2], metadata={"i": pandas.array([1, None], dtype="Int64"), "f": pandas.Series([None, 1.5], dtype="Float64"),
                                      "o": pandas.array([True, None], dtype="boolean"), "s": pandas.Series(["a", None], dtype="string"),
                                      "c": pandas.Series(["b", None], dtype="category")})
        self.assertEqual([hit.metadata for hit in docs.get([1, 2])], [{"i": 1, "o": True, "s": "a", "c": "b"}, {"f": 1.5}])
        docs.upsert([3], metadata=[{"i": pandas.NA, "s": "y"}])
        self.assertEqual(docs.get(3).metadata, {"s": "y"})

    @needs_numpy
    def test_numbers_of_numpy_are_ids(self):
        docs = self.db.collection("d", dim=1, metric="l2", key="int")
        seven = numpy.int64(7)
        self.assertEqual(docs.upsert(seven, [1], {"i": 5}), 1)
        self.assertEqual((docs.get(seven).id, docs.get(seven).metadata), (7, {"i": 5}))
        docs.upsert([8], [[2]])
        self.assertEqual(docs.search(keys=seven).ids.tolist(), [8])
        self.assertEqual([hit.id for hit in docs.scan(after=seven)], [8])
        self.assertEqual(docs.search([0], only=numpy.array([])).ids.tolist(), [])
        self.assertEqual(docs.delete(seven), 1)

    def test_no_ids_of_texts(self):
        docs = self.letters()
        self.assertEqual(docs.search([0, 0], only=[]).ids, [])
        self.assertEqual(docs.search([0, 0], only=quern.KeySet([])).ids, [])
        self.assertEqual(docs.search([0, 0], exclude=[]).ids, list("abcde"))
        self.raises(TypeError, "only", docs.search, [0, 0], only=[1])


class OrderTest(PythonCase):
    def test_a_set_has_no_order(self):
        docs = self.db.collection("d", dim=1, metric="l2", attributes={"x": int}, text=True)
        ids = {"b", "a"}
        self.raises(TypeError, "ids is a set, which has no order", docs.upsert, ids, [[1], [2]])
        self.raises(TypeError, "ids is a frozenset", docs.upsert, frozenset(ids), [[1], [2]])
        self.raises(TypeError, "ids", docs.upsert, {"a": 1, "b": 2}.items(), [[1], [2]])
        self.raises(TypeError, "ids", docs.upsert, {"a": 1}.keys() | {"b"}, [[1], [2]])
        self.raises(TypeError, "metadata['x'] is a set", docs.upsert, ["a", "b"], [[1], [2]], {"x": {1, 2}})
        self.raises(TypeError, "text is a set", docs.upsert, ["a", "b"], [[1], [2]], text={"x", "y"})
        self.assertEqual(len(docs), 0)
        vectors = {"b": [1], "a": [2]}
        docs.upsert(vectors.keys(), list(vectors.values()))  # in the order of the dict
        self.assertEqual(docs.search([1], k=1).ids, ["b"])
        docs.delete(ids)
        self.assertEqual(len(docs), 0)


@unittest.skipIf(pandas is None, "pandas is not installed")
class TablesTest(PythonCase):
    def test_metadata_of_a_table(self):
        docs = self.db.collection("d", attributes={"year": int}, key="int")
        table = pandas.DataFrame({"year": [2001, 2002, 2003], "price": [1.5, None, 3.5], "name": ["a", None, "c"]})
        docs.upsert([1, 2, 3], metadata=table)
        self.assertEqual([hit.metadata for hit in docs.get([1, 2, 3])],
                         [{"year": 2001, "price": 1.5, "name": "a"}, {"year": 2002}, {"year": 2003, "price": 3.5, "name": "c"}])
        self.raises(ValueError, "metadata['year'] has 3 values for 2 records", docs.upsert, [1, 2], metadata=table)
        twice = pandas.DataFrame([[1, 2]], columns=["x", "x"])
        self.raises(ValueError, "two columns of one name", docs.upsert, [1], metadata=twice)

    def test_whole_numbers_with_nulls(self):
        docs = self.db.collection("d", attributes={"n": int, "flag": bool}, key="int")
        docs.upsert([1, 2, 3], metadata={"n": [2 ** 53 + 1, None, -7], "flag": [True, None, False]})
        table = docs.list().to_pandas()
        self.assertEqual(str(table["n"].dtype), "Int64")
        self.assertEqual([None if value is pandas.NA else value for value in table["n"]], [2 ** 53 + 1, None, -7])
        self.assertEqual(str(docs.list(where="n > 0").to_pandas()["n"].dtype), "int64")


class SameTest(PythonCase):
    def test_kept_searches_tell_types_apart(self):
        docs = self.db.collection("d", quern.Schema({"v": quern.dense(1, "l2")}, {"t": str}, "int"))
        docs.upsert([1, 2], [[0], [1]], {"t": ["1", "1.0"]})
        for _ in range(3):
            self.assertEqual(list(docs.search([0], where=("t = ?1", (1,))).ids), [1])
            self.assertEqual(list(docs.search([0], where=("t = ?1", (1.0,))).ids), [2])
            self.assertEqual(list(docs.search([0], 2).ids), [1, 2])
            for bad in (2.0, True):
                self.raises(TypeError, "k is", docs.search, [0], bad)
                self.raises(TypeError, "k is", docs.search, [0], bad, columns=())

    def test_a_collection_made_anew_with_other_keys(self):
        first = self.db.collection("d", dim=2, metric="l2", key="int")
        first.upsert([1], [[0, 0]])
        for _ in range(2):
            first.search([0, 0])
        self.db.drop("d")
        self.db.collection("d", dim=2, metric="l2", key="text").upsert(["x"], [[0, 0]])
        self.assertEqual(first.search([0, 0]).ids, ["x"])
        self.assertEqual([list(row) for row in first.search([[0, 0]]).ids], [["x"]])
        self.assertEqual(([hit.id for hit in first.scan()], first.list().ids, first.search([0, 0])[0].id), (["x"], ["x"], "x"))
        self.assertEqual(first.get("x").id, "x")
        self.raises(TypeError, "texts", first.get, 1)

    def test_searches_in_searches(self):
        docs = self.letters()
        query = docs.query(k=1)

        def numbers():
            yield 1.0
            yield float(query.search([0, 0]).distances[0])

        found = []
        thread = threading.Thread(target=lambda: found.append(query.search(numbers()).ids), daemon=True)
        thread.start()
        thread.join(30)
        self.assertEqual(found, [["b"]])

    def test_candidates_do_not_tell_how_many(self):
        docs = self.letters()
        one = quern.Leg(text="white")
        self.assertIsInstance(docs.search([[0, 0]], candidates=one), quern.HitsOfQueries)
        self.assertIsInstance(docs.search([0, 0], candidates=one), quern.Hits)
        self.assertIsInstance(docs.search(legs=[quern.Leg([[0, 0]]), one]), quern.HitsOfQueries)

    def test_texts_of_an_iterator(self):
        docs = self.letters()
        self.assertEqual([hits.ids for hits in docs.search(text=(text for text in ["ship", "whale"]), k=1)], [["b"], ["a"]])

    def test_no_chains_of_exceptions(self):
        docs = self.letters()
        docs.search([0, 0])
        for function in (lambda: docs.search([1, 2, 3]), lambda: docs.query().search([1, 2, 3]), lambda: docs.search("ab")):
            with self.assertRaises((TypeError, ValueError)) as caught:
                function()
            self.assertTrue(caught.exception.__context__ is None or caught.exception.__suppress_context__)


class FiltersTest(PythonCase):
    def test_values_have_the_attributes_type(self):
        docs = self.db.collection("d", attributes={"i": int, "r": float, "t": str, "o": bool, "b": bytes, "g": list, "j": dict}, key="int")
        docs.upsert([1, 2], metadata=[{"i": 5, "r": 0.5, "t": "5", "o": True, "b": b"x", "g": ["a"], "j": [1, "a"]}, {}])
        wrong = {"i": ("5", True, b"5"), "r": ("0.5", False), "t": (5, 5.0, True, b"5"), "o": ("true", 2, 1.5), "b": ("x", 5), "g": ("a", ["a"]), "j": ("a", 1),
                 "id": ("1", True)}
        for name, values in wrong.items():
            for value in values:
                for where in ({name: value}, {name: {"$ne": value}}, {name: {"$in": [value]}}, {name: {"$nin": [value]}}, {name: {"$gt": value}},
                              {name: {"$lte": value}}):
                    self.raises(TypeError, f"where['{name}']", docs.count, where)
        for where in ({"i": {"$contains": "5"}}, {"g": {"$contains": 1}}, {"g": {"$contains": None}}, {"t": {"$exists": "no"}}, {"t": {"$exists": None}}):
            self.raises(TypeError, "where[", docs.count, where)
        nan = math.nan
        for where in ({"r": nan}, {"r": {"$ne": nan}}, {"i": {"$in": [1, nan]}}, {"r": {"$lt": nan}}):
            self.raises(ValueError, "NaN", docs.count, where)
        for where in ({"i": 5.0}, {"r": {"$lt": 1}}, {"o": 1}, {"b": bytearray(b"x")}, {"g": {"$contains": "a"}}, {"j": {"$contains": 1}}, {"id": 1.0},
                      {"i": {"$in": [5, 6.5]}}, {"t": {"$exists": True}}, {"o": {"$in": [True]}}):
            self.assertEqual(list(docs.list(where).ids), [1], where)
        self.assertEqual(docs.count({"i": {"$ne": 6}}), 2)

    def test_messages_name_what_was_said(self):
        docs = self.letters()
        self.raises(ValueError, "where['year']['$eq']", docs.count, {"year": 2 ** 70})
        self.raises(ValueError, "where['year']['$in'][1]", docs.count, {"year": {"$in": [1, 2 ** 70]}})
        self.raises(ValueError, "where['lang']['$ne']", docs.count, {"lang": {"$ne": "a\0"}})
        for wrap in (lambda inner: {"$not": inner}, lambda inner: {"$and": [inner, {"year": 1}]}, lambda inner: {"$or": [inner, {"year": {"$nin": [1, None]}}]}):
            where = {"year": {"$nin": [1, None]}}
            for depth in range(40):
                try:
                    docs.count(where)
                except Exception as error:
                    self.assertIsInstance(error, ValueError)
                    self.assertIn("where: conditions are more than", str(error))
                    self.assertGreater(depth, 15)
                where = wrap(where)

    def test_deleting_needs_a_condition(self):
        docs = self.letters()
        for where in ({}, {"$and": [{}]}, {"$or": [{}, {"$and": [{}]}]}, {"$not": {}}, "", " "):
            self.assertRaises(ValueError, docs.delete, where=where)
            self.assertRaises(ValueError, docs.update_where, {"year": 1}, where)
        self.assertEqual(len(docs), 5)
        self.assertEqual(docs.delete(where="1"), 5)


class GrowthTest(PythonCase):
    def test_what_fails_leaves_nothing(self):
        docs = self.db.collection("d", dim=2, metric="l2")
        docs.upsert(["a"], [[0, 0]])
        before = repr(docs.schema)
        new = [{"price": "7"}]
        for function, arguments in ((docs.upsert, (["x"], [[1]], new)), (docs.upsert, (["x"], [[1, math.nan]], new)), (docs.insert, (["a"], [[1, 1]], new)),
                                    (docs.update, (["x"], None, new)), (docs.upsert, (["x", "x"], None, new * 2)), (docs.upsert, ([""], None, new)),
                                    (docs.upsert, (["x"], None, [{"good": 1, "_bad": 2}])), (docs.upsert, (["x"], None, [{"good": 1, "": 2}])),
                                    (docs.upsert, (["x"], None, [{"good": 1, "real": math.nan}])), (docs.upsert, (["x"], None, [{"t": "a\0"}])),
                                    (docs.upsert, (["x"], [[1, math.inf]], None, ["a text"])), (docs.upsert, (["x"], [[1, math.inf]], None, None, [{1: 1}])),
                                    (docs.upsert, (["x"], None, None, ["a"], [{1: math.nan}])), (docs.upsert, (["x"], None, [{f"k{i}": i for i in range(1001)}])),
                                    (docs.upsert, (["x"], None, None, [5]))):
            self.assertRaises((TypeError, ValueError, quern.Error), function, *arguments)
            docs.refresh()
            self.assertEqual(repr(docs.schema), before, arguments)
            self.assertEqual(len(docs), 1)
        docs.upsert(["x"], [[1, 1]], [{"price": 7}])
        self.assertEqual(docs.get("x").metadata, {"price": 7})

    def test_what_succeeds_is_whole(self):
        docs = self.db.collection("d", dim=1, metric="l2")
        docs.upsert((key for key in ["a", "b"]), ([number] for number in (1, 2)), {"i": [1, None], "t": [["x"], []]},
                    text=(text for text in ["white", None]), sparse=({1: weight} for weight in (1.0, 2.0)))
        self.assertEqual([hit.to_dict() | {"vector": list(hit["vector"])} for hit in docs.get(["a", "b"], "*")],
                         [{"id": "a", "i": 1, "t": ["x"], "vector": [1], "text": "white", "sparse": {1: 1.0}},
                          {"id": "b", "i": None, "t": [], "vector": [2], "text": None, "sparse": {1: 2.0}}])
        docs.update(["a"], metadata=[{"later": 1.5}])
        docs.insert(["c"], [[3]], [{"more": True}])
        self.assertEqual((docs.get("a").metadata, docs.get("c").metadata), ({"i": 1, "t": ["x"], "later": 1.5}, {"more": True}))

    def test_an_attribute_that_began_as_int(self):
        docs = self.db.collection("d", attributes={}, key="int")
        docs.upsert([1], metadata=[{"price": 7}])
        self.raises(TypeError, "add_attribute", docs.upsert, [2], metadata=[{"price": 7.5}])
        self.raises(TypeError, "add_attribute", docs.upsert, [2], metadata={"price": array.array("d", [7.5])})

    def test_tokens(self):
        docs = self.db.collection("d", sparse=True, key="int")
        docs.upsert([1], sparse=[{5: 1.0}])
        for bad in ({"whale": (2 ** 32 + 5, 1.0)}, {"whale": (-1, 1.0)}, {"whale": (1.5, 1.0)}, {"whale": ("5", 1.0)}):
            self.raises(ValueError, "tokens: dims[0]", docs.set_token_weights, bad)
        self.raises(TypeError, "tokens: weights[0]", docs.set_token_weights, {"whale": None})
        self.raises(TypeError, "tokens", docs.set_token_weights, "whale")
        docs.set_token_weights({"whale": (5, 2.0)})
        self.assertEqual(list(docs.search(text="whale", field="sparse").scores), [2])


class SignalsTest(unittest.TestCase):
    PROGRAM = """
import os, signal, sys, threading, time
import quern
db = quern.open("x.quern")
docs = db.collection("d", dim=32, metric="l2", key="int", index="graph")
state = [1]
def number():
    state[0] = (state[0] * 1103515245 + 12345) % 2147483648
    return state[0] / 2147483648
docs.upsert(list(range(4000)), [[number() for _ in range(32)] for _ in range(4000)])
query = docs.query()
def handler(*_):
    db.close()
    {ending}
signal.signal(signal.SIGTERM, handler)
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
try:
    {work}
except (quern.Interrupted, quern.ClosedError) as error:
    print(type(error).__name__)
try:
    docs.count()
except quern.ClosedError:
    print("closed", db.closed)
db.close()
with quern.open("x.quern") as again:
    print(again.verify()["ok"])
"""

    def test_close_in_a_signal_handler(self):
        works = {"optimize": "for _ in range(1000): db.rebuild(); db.optimize()", "write": "for i in range(10**6): docs.upsert([10000 + i % 50], [[0.5] * 32])",
                 "search": "for _ in range(10**6): docs.search([[0.5] * 32] * 200)", "query": "for _ in range(10**9): query.search([0.5] * 32)"}
        for name, work in works.items():
            with tempfile.TemporaryDirectory() as directory:
                code, output = run_program(self.PROGRAM.format(work=work, ending="pass"), directory)
                self.assertEqual((code, output.split()[1:]), (0, ["closed", "True", "True"]), (name, output))
                self.assertIn(output.split()[0], ("Interrupted", "ClosedError"))
                for _ in range(5):
                    code, output = run_program(self.PROGRAM.format(work=work, ending="sys.exit(5)"), directory + "/.")
                    if "Exception ignored in" not in output:  # so Python does when a signal comes while it frees an object
                        break
                self.assertEqual((code, output), (5, ""), name)
                self.assertFalse(os.path.exists(os.path.join(directory, "x.quern-wal")))


class ForksTest(PythonCase):
    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_iterators_in_a_child(self):
        docs = self.letters()
        scan, pages = docs.scan(page=1), docs.pages(page=1)
        next(scan)
        next(pages)
        child = os.fork()
        if child == 0:
            told = 1
            try:
                told = 2 * sum(self.refused(iterator) for iterator in (scan, pages))
                del scan, pages
            finally:
                os._exit(told)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 4)
        self.assertEqual((len(list(scan)), len(list(pages))), (4, 4))

    @staticmethod
    def refused(iterator):
        try:
            next(iterator)
        except quern.ForkError:
            return 1
        return 0


if __name__ == "__main__":
    unittest.main()

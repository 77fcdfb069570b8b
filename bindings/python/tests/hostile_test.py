"""Random wrong arguments for every public method: each call returns or raises one of the exceptions that are promised, and the database
answers as before. It runs in a process of its own, so that a crash is a failure of this test and not its end.

Usage: hostile_test.py [--run SEED CALLS]
"""
import array
import math
import os
import random
import subprocess
import sys
import tempfile
import unittest

from python_case import numpy, quern

PROMISED = (TypeError, ValueError, LookupError, ImportError, quern.Error, MemoryError)
CALLS = 4000


class Rude:
    """An object that answers nothing well."""

    def __len__(self):
        raise ValueError("no length")

    def __iter__(self):
        raise ValueError("no items")

    def __array__(self, *_):
        raise ValueError("no array")

    def __float__(self):
        raise ValueError("no number")


def values(db, docs):
    loop = []
    loop.append(loop)
    deep = {"year": 1}
    for _ in range(300):
        deep = {"$and": [deep]}
    over = db.snapshot()
    over.close()
    made = [None, True, False, -1, 0, 1, 7, 2 ** 31, 2 ** 63, 2 ** 70, -2 ** 63, 0.5, -0.0, 1e308, math.nan, math.inf, "", "a", "year", "vector", "text",
            "*", "zz", "a\0b", "\ud800", "grün" * 300, "x" * 100000, "'; drop", "year > ?1", "year = 2000", "recall=0.5", b"", b"x\0y", bytearray(8), [], [[]],
            [None], ["a"], ["a", "a"], ["a", 1], [1, 2], [0.5, 1.5], [[1, 2]], [[1, 2], None], [[1, 2], [3]], [math.nan, 1], (), (1, 2), {}, {1: 2},
            {"year": 1}, {"year": {"$gt": 1}}, {"year": {"$in": [1, "a", None]}}, {"$or": []}, {"$and": 5}, {"lang": ["x"]}, {"vector": [[1, 2]]}, deep, loop,
            {"a": loop}, {1, 2}, range(3), object(), Rude(), print, int, iter([1, 2]), memoryview(b"abcd"), memoryview(array.array("f", [1, 2])),
            array.array("f", [1, 2]), array.array("q", [1]), array.array("d"), over, db.snapshot(), docs, db, quern.Leg([0, 0]),
            quern.Leg(text="white", k=3), [quern.Leg([0, 0]), quern.Leg(text="ship")], quern.Leg(legs=[quern.Leg([1, 1])]), quern.KeySet(["a"]), quern.KeySet([1]),
            quern.dense(3), quern.text("porter"), quern.sparse(dims=9), quern.Schema({"v": quern.dense(2)}), ([0, 1], [1], [1.0]), ([0, 9], [1], [1.0]),
            ([1, 2], [1, 2]), [(1, "a"), (0.5, [1, 2])], [[(1, "a")], [(-1, "b")]], [(1, None)], docs.search([0, 0]), docs.search([[0, 0]]), lambda *told: None, lambda *told: False]
    if numpy is not None:
        base = numpy.arange(24)
        made += [base[:2].astype(kind) for kind in ("f4", "f8", "f2", "i1", "u1", "u8", "?", ">f4", "c8", "O", "U3", "S3", "M8[s]", "f4,i4")]
        made += [base.astype("f4").reshape(shape) for shape in ((12, 2), (2, 12), (2, 3, 4), (24, 1))]
        made += [base[::2], base[::-1], base[:0], base[:0].reshape(0, 2).astype("f4"), numpy.array(5), numpy.float32(2), numpy.int64(3),
                 base.astype("f4").reshape(12, 2)[::3], numpy.full((1, 2), numpy.nan), numpy.ma.masked_array([1.0, 2.0], [True, False]),
                 numpy.broadcast_to(numpy.float32(1), (5, 2)), (base[:2], base[:1], base[:1].astype("f4"))]
    return made


def fresh():
    db = quern.open(":memory:", busy_ms=0)
    docs = db.collection("letters", dim=2, metric="l2", sparse=True)
    docs.upsert(["a", "b"], [[0, 0], [1, 1]], [{"year": 2000, "lang": "de", "tags": ["x"]}, {"year": 2001}], ["white", "ship"])
    return db, docs


SETTINGS = ("field", "text", "sparse", "keys", "compose", "compose_options", "legs", "recall", "ef", "where", "params", "params_of", "only", "exclude", "columns", "snapshot", "fusion",
            "formula", "formula_params", "candidates", "feedback", "max_distance", "min_score", "offset", "group_by", "per_group", "diversify",
            "include_self", "options", "timeout_ms", "max_scored", "order", "after")
KEYWORDS = {"search": SETTINGS, "query": SETTINGS, "explain": SETTINGS, "recall_audit": SETTINGS, "explain_hits": SETTINGS, "Leg": SETTINGS, "upsert": ("txn", "progress"),
            "insert": ("txn",), "update": ("txn",), "delete": ("where", "params", "txn"), "list": ("order", "after", "columns", "k", "snapshot"),
            "scan": ("after", "snapshot", "page"), "collection": ("dim", "metric", "key", "attributes", "text", "sparse", "grow", "type"),
            "optimize": ("progress",), "get": ("snapshot",), "facet": ("n",), "open": ("mode", "memory_mb")}
# What would write outside, or end the others' turn; these have tests of their own.
LEFT_OUT = ("close", "interrupt")


def callables(db, docs):
    hits, rows = docs.search([0, 0]), docs.list()
    for owner in (docs, db, docs.query(k=2), hits, hits[0], rows, docs.search([[0, 0]])):
        for name in dir(owner):
            if not name.startswith("_") and name not in LEFT_OUT:
                try:
                    method = getattr(owner, name)
                except PROMISED:
                    continue
                if callable(method):
                    yield name, method
    for name in ("open", "Leg", "KeySet", "Schema", "dense", "sparse", "text"):
        yield name, getattr(quern, name)
    yield "index", hits.__getitem__
    yield "column of a hit", hits[0].__getitem__


def run(seed, calls):
    choose = random.Random(seed)
    outcome = {"returned": 0, "raised": 0}
    db, docs = fresh()
    methods, arguments = list(callables(db, docs)), values(db, docs)
    for call in range(calls):
        name, method = choose.choice(methods)
        positional = [choose.choice(arguments) for _ in range(choose.choice((0, 1, 1, 2, 2, 3, 4)))]
        if choose.random() < 0.3:
            positional[:1] = [choose.choice(["a", [0, 0], ["a", "b"]])]
        named = {key: choose.choice(arguments) for key in KEYWORDS.get(name, ()) if choose.random() < 0.12}
        try:
            made = method(*positional, **named)
            if hasattr(made, "__next__"):
                list(made)
            elif isinstance(made, quern.Database) and made is not db:
                made.close()
            elif name == "transaction":
                made.rollback()
            repr(made)
            outcome["returned"] += 1
        except PROMISED:
            outcome["raised"] += 1
        except BaseException as error:
            print(f"seed {seed}, call {call}: {name}({positional!r:.300}, {named!r:.300}) raised {type(error).__name__}: {error}")
            raise
        if call % 100 == 99:
            for left in os.listdir("."):
                os.remove(left)
            db.verify()
            db.close()
            db, docs = fresh()
            assert docs.search([1, 1], k=1).ids == ["b"]
            methods, arguments = list(callables(db, docs)), values(db, docs)
    print(f"{outcome['returned']} calls returned, {outcome['raised']} raised")
    assert outcome["raised"] > calls / 4 and outcome["returned"] > calls / 50


class HostileTest(unittest.TestCase):
    def test_random_arguments(self):
        with tempfile.TemporaryDirectory() as directory:
            ran = subprocess.run([sys.executable, "-X", "faulthandler", os.path.abspath(__file__), "--run", "1", str(CALLS)], cwd=directory,
                                 env=dict(os.environ, QUERN_LIBRARY=os.path.abspath(quern.library_path)), capture_output=True, text=True, timeout=600)
        self.assertEqual(ran.returncode, 0, ran.stdout[-3000:] + ran.stderr[-3000:])
        self.assertNotIn("Exception ignored", ran.stderr)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(int(sys.argv[2]), int(sys.argv[3]))
    else:
        unittest.main()

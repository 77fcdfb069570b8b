"""The Arrow PyCapsule interface: what a consumer reads through the C data interface is what the rows hold, and all of it is released."""
import gc
import json
import random
import unittest

from arrow_reader import get_pointer, read_stream
from python_case import PythonCase, quern
from quern import _arrow


class ArrowTest(PythonCase):
    def test_every_type(self):
        schema = quern.Schema({"v": quern.dense(3, "l2", type="i8"), "b": quern.dense(9, "hamming"), "h": quern.dense(2, type="f16"), "t": quern.sparse(),
                               "x": quern.text()}, {"i": int, "r": float, "s": str, "f": bool, "bl": bytes, "j": dict, "tg": list}, key="int")
        docs = self.db.create("c", schema)
        docs.upsert([3, 1], {"v": [[1, 2, 3], None], "b": [[0] * 8 + [1], [1] * 9], "h": [[0.5, 2], None]},
                    {"i": [1, None], "r": [1.5, 2], "s": ["ä", None], "f": [True, None], "bl": [b"a\0b", None], "j": [{"a": 1}, [1]],
                     "tg": [["x", "y"], None]}, ["hello", None], [{5: 1.5}, {}])
        formats, columns = read_stream(docs.list(columns="*").__arrow_c_stream__())
        self.assertEqual(formats, {"id": "l", "i": "l", "r": "g", "s": "U", "f": "b", "bl": "Z", "j": "U", "tg": "+L", "v": "+w:3", "b": "w:2",
                                   "h": "+w:2", "t": "+s", "x": "U"})
        self.assertEqual(columns, {
            "id": [1, 3], "i": [None, 1], "r": [2.0, 1.5], "s": [None, "ä"], "f": [None, True], "bl": [None, b"a\0b"], "j": ["[1]", '{"a": 1}'],
            "tg": [None, ["x", "y"]], "v": [None, [1, 2, 3]], "b": [b"\xff\x01", b"\x00\x01"], "h": [None, [0.5, 2.0]],
            "t": [([], []), ([5], [1.5])], "x": [None, "hello"]})

    def test_random_collections(self):
        """Any values, of any types, in pages of any size: what a consumer reads is what was written. 60 collections, each from its own seed."""
        letters = ["", "a", "ä", "\U0001f600", "x" * 300, "\n\t\"'", "\u202e", "漢字"]
        pick = {
            "i": lambda r: r.choice([0, -1, 2**63 - 1, -2**63, r.randrange(-9, 9)]),
            "r": lambda r: r.choice([0.0, 5e-324, -1.7976931348623157e308, r.gauss(0, 1)]),
            "s": lambda r: "".join(r.choices(letters, k=r.randrange(4))),
            "f": lambda r: r.random() < .5,
            "bl": lambda r: r.randbytes(r.choice([0, 1, 7, 300])),
            "j": lambda r: r.choice([{}, [], {"k": ["ä", None, 1.5]}, [r.randrange(9)] * 3]),
            "tg": lambda r: sorted(set(r.choices(["a", "ä", "漢字", "x" * 90], k=r.randrange(4))))}
        kinds = {"i": int, "r": float, "s": str, "f": bool, "bl": bytes, "j": dict, "tg": list}
        vectors = {"v": ("i8", lambda r: r.randrange(-127, 128)), "h": ("f16", lambda r: r.randrange(-64, 64) / 8),
                   "e": ("f32", lambda r: float(r.randrange(-999, 999)) / 64)}
        for seed in range(60):
            r = random.Random(seed)
            with self.subTest(seed=seed):
                attributes = r.sample(sorted(kinds), r.randrange(len(kinds) + 1))
                dense = {name: r.choice([1, 2, 7, 33]) for name in r.sample(sorted(vectors), r.randrange(1, 4))}
                fields = {name: quern.dense(dim, "l2", type=vectors[name][0]) for name, dim in dense.items()}
                docs = self.db.create(f"c{seed}", quern.Schema({**fields, "t": quern.sparse(), "x": quern.text()}, {a: kinds[a] for a in attributes}, key="int"))
                ids = sorted({r.randrange(-2**63, 2**63) for _ in range(r.choice([0, 1, 2, 9, 64, 65]))}, key=lambda i: i % 97)
                there = lambda value: None if r.random() < .25 else value
                of = {name: [there([vectors[name][1](r) for _ in range(dim)]) for _ in ids] for name, dim in dense.items()}
                rows = {a: [there(pick[a](r)) for _ in ids] for a in attributes}
                texts = [there(pick["s"](r)) for _ in ids]
                sparse = [{d: 1 + r.randrange(9) / 8 for d in r.sample(range(2**32), r.randrange(4))} for _ in ids]
                if ids:
                    docs.upsert(ids, of, rows, texts, sparse)
                if r.random() < .5:
                    self.db.optimize()
                formats, columns = read_stream(docs.arrow("*", page=r.choice([1, 3, 8, 64, 1000])).__arrow_c_stream__())
                self.assertEqual(set(formats), {"id", "t", "x", *dense, *attributes})
                order = sorted(range(len(ids)), key=lambda i: ids[i])
                self.assertEqual(columns["id"], [ids[i] for i in order])
                expected = {**of, **rows, "x": texts, "t": [None if not row else tuple(map(list, zip(*sorted(row.items())))) for row in sparse]}
                for name, values in expected.items():
                    got = columns[name]
                    if name == "j":
                        got = [None if value is None else json.loads(value) for value in got]
                    if name == "t":
                        got = [None if value is None or not value[0] else value for value in got]
                    self.assertEqual(repr(got), repr([values[i] for i in order]), name)
        gc.collect()
        self.assertEqual((_arrow.ALIVE, _arrow.HELD), ({}, {}))

    def test_hits_and_sql(self):
        docs = self.letters()
        hits = docs.search([0, 0], k=3)
        formats, columns = read_stream(hits.__arrow_c_stream__())
        self.assertEqual((formats["id"], formats["distance"], formats["tags"]), ("U", "f", "+L"))
        self.assertEqual(columns["id"], ["a", "b", "c"])
        self.assertEqual(columns["distance"], [0, 1, 4])
        self.assertEqual(columns["open"], [True, False, None])
        second = docs.search([[0, 0], [4, 0]], k=2)[1]
        self.assertEqual(read_stream(second.__arrow_c_stream__())[1]["id"], ["e", "d"])
        rows = self.db.sql("select year, lang, price from letters order by id")
        self.assertEqual(read_stream(rows.__arrow_c_stream__())[1], rows.to_columns())
        self.assertEqual(read_stream(docs.search([0, 0], where="0").__arrow_c_stream__())[1]["id"], [])

    def test_scans(self):
        docs = self.letters()
        scan = docs.arrow("*", page=2)
        for _ in range(2):  # each reader begins anew
            self.assertEqual(read_stream(scan.__arrow_c_stream__()), read_stream(docs.list(columns="*", k=100).__arrow_c_stream__()))
        self.assertEqual(read_stream(docs.arrow("year", after="c").__arrow_c_stream__())[1]["id"], ["d", "e"])
        with self.db.snapshot() as before:
            docs.delete(["a"])
            self.assertEqual(len(read_stream(docs.arrow(snapshot=before).__arrow_c_stream__())[1]["id"]), 5)
        self.assertEqual(len(read_stream(docs.arrow().__arrow_c_stream__())[1]["id"]), 4)
        with self.assertRaises(ValueError):
            docs.arrow(page=0)
        with self.assertRaises(quern.Error):
            docs.arrow("nope").__arrow_c_stream__()
        # An empty collection has a schema, and a stream that is given up frees its scan.
        docs.delete(["b", "c", "d", "e"])
        formats, columns = read_stream(docs.arrow("year").__arrow_c_stream__())
        self.assertEqual((formats, columns), ({"id": "U", "year": "l"}, {"id": [], "year": []}))
        docs.arrow().__arrow_c_stream__()
        gc.collect()
        self.assertEqual((_arrow.ALIVE, _arrow.HELD), ({}, {}))

    def test_a_scan_that_fails_tells_its_consumer(self):
        docs = self.letters()
        capsule = docs.arrow(page=1).__arrow_c_stream__()
        stream = _arrow.ArrowArrayStream.from_address(get_pointer(capsule, b"arrow_array_stream"))
        batch = _arrow.ArrowArray()
        self.assertEqual(stream.get_next(_arrow.ctypes.addressof(stream), _arrow.ctypes.addressof(batch)), 0)
        _arrow.RELEASE(batch.release)(_arrow.ctypes.addressof(batch))
        self.db.close()
        self.assertNotEqual(stream.get_next(_arrow.ctypes.addressof(stream), _arrow.ctypes.addressof(batch)), 0)
        told = stream.get_last_error(_arrow.ctypes.addressof(stream))
        self.assertIn("closed", _arrow.ctypes.string_at(told).decode())

    def test_everything_is_released(self):
        hits = self.letters().search([0, 0])
        read_stream(hits.__arrow_c_stream__())
        hits.__arrow_c_stream__()
        hits.__arrow_c_array__()
        gc.collect()
        self.assertEqual((_arrow.ALIVE, _arrow.HELD), ({}, {}))

    def test_a_child_outlives_its_parent(self):
        batch = _arrow.record_batch(self.letters().search([0, 0]))
        node = batch.array()
        moved = _arrow.ArrowArray()
        _arrow.ctypes.pointer(moved)[0] = node.children[0].contents
        node.children[0].contents.release = None
        _arrow.RELEASE(node.release)(_arrow.ctypes.addressof(node))
        data = _arrow.ctypes.string_at(moved.buffers[2], 5)
        self.assertEqual(data, b"abcde")
        _arrow.RELEASE(moved.release)(_arrow.ctypes.addressof(moved))
        self.assertEqual(_arrow.ALIVE, {})


if __name__ == "__main__":
    unittest.main()

"""Results are copied and pickled as plain data; what holds a handle refuses."""
import copy
import dataclasses
import gc
import os
import pickle
import subprocess
import sys
import unittest

from python_case import HERE, PythonCase, numpy, quern


@dataclasses.dataclass
class Answer:
    hit: object


class CopiesTest(PythonCase):
    def everything(self):
        docs = self.db.collection("all", quern.Schema(
            {"v": quern.dense(2, "l2"), "brain": quern.dense(2, "l2", type="bf16"), "bits": quern.dense(10, "hamming"), "terms": quern.sparse(), "body": quern.text()},
            {"i": int, "r": float, "s": str, "o": bool, "b": bytes, "j": dict, "t": list}))
        docs.upsert(["a", "b", "c"], {"v": [[0, 0], [1, 0], None], "brain": [[1, 2]] * 3, "bits": [[1, 0] * 5] * 3},
                    {"i": [1, None, 3], "r": [0.5, None, 1.5], "s": ["x", None, ""], "o": [True, None, False], "b": [b"\0", None, b""],
                     "j": [{"a": [1]}, None, 5], "t": [["p", "q"], None, []]}, ["one two", None, "two"], [{1: 0.5}, None, {}])
        return docs

    def same(self, before, after):
        self.assertEqual(type(after), type(before))
        self.assertEqual(repr(after), repr(before))
        self.assertEqual(repr(after.to_columns()), repr(before.to_columns()))
        self.assertEqual(repr(after.to_list()), repr(before.to_list()))
        self.assertEqual(after.types(), before.types())
        self.assertEqual((after.flags, after.bookmark, after.stats(), after.leg_stats()), (before.flags, before.bookmark, before.stats(), before.leg_stats()))
        for hit, other in zip(before, after):
            self.assertEqual(repr((hit.leg_scores, hit.leg_parts, hit.group)), repr((other.leg_scores, other.leg_parts, other.group)))
        if numpy is not None:
            for name in before.columns:
                self.assertEqual(repr(after.array(name)), repr(before.array(name)))

    def test_results_are_pickled_as_data(self):
        docs = self.everything()
        for rows in (docs.search([0, 0], field="v", columns="*"), docs.list(columns="*", order="id desc"), self.db.sql("select i, i, s, b from 'all'"),
                     docs.search(legs=[quern.Leg([0, 0], field="v"), quern.Leg(text="two")], columns=["i"]), docs.list("i = 99")):
            data = pickle.dumps(rows)
            made = pickle.loads(data)
            self.same(rows, made)
            self.same(rows, pickle.loads(pickle.dumps(made)))
        many = docs.search([[0, 0], [1, 0]], k=1, field="v")
        made = pickle.loads(pickle.dumps(many))
        self.assertEqual(repr((made.ids, made.distances, made.counts, made.exact)), repr((many.ids, many.distances, many.counts, many.exact)))
        self.same(many[1], pickle.loads(pickle.dumps(many[1])))
        hit = pickle.loads(pickle.dumps(docs.search([1, 0], field="v", columns="*")[1]))
        self.assertEqual((hit.id, hit.distance, hit.metadata["j"], hit["t"], list(hit["v"])), ("a", 1, {"a": [1]}, ["p", "q"], [0, 0]))
        self.assertEqual(pickle.loads(pickle.dumps(docs.get("c"))).metadata, docs.get("c").metadata)
        self.assertIsNotNone(made.all.__arrow_c_stream__())

    def test_copies_of_results_are_the_results(self):
        docs = self.letters()
        hits = docs.search([0, 0])
        for original in (hits, hits[1], docs.get("b"), docs.list(), docs.search([[0, 0]])):
            told = repr(original)
            made, deep, named = copy.copy(original), copy.deepcopy({"x": original})["x"], dataclasses.asdict(Answer(original))["hit"]
            del original
            gc.collect()
            others = [docs.search([4, 0]) for _ in range(50)]
            self.assertEqual([repr(made), repr(deep), repr(named)], [told] * 3)
            del made, deep, named
            gc.collect()
            self.assertEqual({repr(other.ids) for other in others}, {repr(docs.search([4, 0]).ids)})

    def test_handles_are_not_copied(self):
        docs = self.letters()
        owners = [self.db, docs, docs.query(), self.db.snapshot(), quern.KeySet(["a"]), docs.arrow(), self.db.transaction(), docs.search([0, 0])._table]
        for owner in owners:
            for function in (copy.copy, copy.deepcopy, pickle.dumps, lambda value: dataclasses.asdict(Answer(value))):
                self.raises(TypeError, type(owner).__name__, function, owner)
        owners.clear()
        gc.collect()
        self.assertEqual(docs.search([0, 0], k=1).ids, ["a"])
        leg = pickle.loads(pickle.dumps(quern.Leg([0, 0], weight=2, name="x")))
        self.assertEqual((leg.vectors, leg.weight, leg.name), ([0, 0], 2, "x"))

    def test_another_process_sends_hits(self):
        program = ("import pickle, sys, quern\n"
                   "with quern.open(':memory:') as db:\n"
                   "    docs = db.collection('d', dim=2, metric='l2', key='int')\n"
                   "    docs.upsert([1, 2], [[0, 0], [1, 1]], {'who': ['worker', 'other']})\n"
                   "    sys.stdout.buffer.write(pickle.dumps(list(docs.search([0, 0]))))\n")
        environment = dict(os.environ, QUERN_LIBRARY=os.path.abspath(quern.library_path), PYTHONPATH=os.path.join(HERE, ".."))
        ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=120, check=True)
        mine = self.letters().search([0, 0])
        hits = pickle.loads(ran.stdout)
        self.assertEqual([(hit.id, hit.distance, hit.metadata) for hit in hits], [(1, 0, {"who": "worker"}), (2, 2, {"who": "other"})])
        del hits
        gc.collect()
        self.assertEqual(mine.ids, list("abcde"))


if __name__ == "__main__":
    unittest.main()

"""29,810 papers of the ACL Anthology, from Python: dense, filtered, text and hybrid searches give what a plain loop gives, what the
shell gives, and the figures that the data's README has."""
import io
import json
import os
import subprocess
import tempfile
import unittest

from python_case import data_directory, numpy, quern

DATA = data_directory("acl-anthology")
SHELL = os.environ.get("QUERN_CLI")


def unpack(name):
    return subprocess.run(["zstd", "-dcq", os.path.join(DATA, name)], check=True, capture_output=True).stdout


def reciprocal_rank(ids, wanted, depth=10):
    return next((1 / (rank + 1) for rank, found in enumerate(ids[:depth]) if found == wanted), 0)


@unittest.skipIf(numpy is None, "numpy is not installed: the searches of real data are not tested")
@unittest.skipIf(DATA is None, "the data set acl-anthology is not there (QUERN_DATA): the searches of real data are not tested")
class RealDataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.directory.name, "papers.quern")
        cls.records = [json.loads(line) for line in unpack("corpus.jsonl.zst").splitlines()]
        cls.docs = numpy.load(io.BytesIO(unpack("lsa256.docs.f16.npy.zst")))
        cls.titles = numpy.load(io.BytesIO(unpack("lsa256.titles.f16.npy.zst")))
        cls.years = numpy.array([record["year"] for record in cls.records])
        cls.db = quern.open(cls.path, durability="relaxed")
        cls.papers = cls.db.create("papers", quern.Schema({"emb": quern.dense(256, "cosine", type="f16", codes="4bit", ef_build=40), "body": quern.text("porter stop=english")},
                                                          {"year": int, "venue": str, "authors": list}))
        cls.ids = [record["_id"] for record in cls.records]
        cls.papers.upsert(cls.ids, cls.docs, {"year": cls.years, "venue": [str(record["venue"]) for record in cls.records],
                                              "authors": [authors_of(record) for record in cls.records]},
                          [record["text"] for record in cls.records])
        cls.db.optimize()
        cls.tests = [i for i, record in enumerate(cls.records) if record["split"] == "test"]

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        cls.directory.cleanup()

    def shell(self, *arguments):
        """The hits of the shell for one query: [(id, distance)]"""
        ran = subprocess.run([SHELL, "search", self.path, "papers", *arguments, "--json"], capture_output=True, text=True, check=True)
        told = json.loads(ran.stdout)
        return [(hit["key"], hit["distance"] if "distance" in hit else -hit["score"]) for hit in told["results"][0]["hits"]]

    def same_as_shell(self, hits, *arguments):
        if SHELL is None:
            self.skipTest("the shell is not there (QUERN_CLI): its answers are not compared")
        told = self.shell(*arguments)
        self.assertEqual(hits.ids, [found for found, _ in told])
        self.assertTrue(numpy.allclose(hits.distances, [distance for _, distance in told], rtol=1e-5, atol=1e-6))

    def test_every_record_is_there(self):
        self.assertEqual(len(self.papers), 29810)
        record = self.records[1234]
        hit = self.papers.get(record["_id"], "*")
        self.assertEqual((hit["year"], hit["body"]), (record["year"], record["text"]))
        self.assertEqual(hit["emb"].tobytes(), self.docs[1234].tobytes())
        self.assertTrue(self.db.verify()["ok"])

    def test_dense_figures(self):
        queries = self.titles[self.tests].astype("f4")
        hits = self.papers.search(queries, k=100, recall="exact", columns=())
        self.assertTrue(hits.exact)
        ids = hits.ids
        ranks = numpy.mean([reciprocal_rank(list(row), self.ids[test]) for row, test in zip(ids, self.tests)])
        found = numpy.mean([self.ids[test] in set(row) for row, test in zip(ids, self.tests)])
        self.assertAlmostEqual(ranks, 0.263, delta=0.002)
        self.assertAlmostEqual(found, 0.732, delta=0.002)
        fast = self.papers.search(queries, k=10, recall=0.95, columns=())
        shared = numpy.mean([len(set(a) & set(b[:10])) / 10 for a, b in zip(fast.ids, ids)])
        self.assertGreater(shared, 0.8)

    def test_filtered_is_that_of_a_loop(self):
        stored, keep = self.docs.astype("f4"), (self.years >= 2015) & (self.years < 2019)
        norms = numpy.linalg.norm(stored, axis=1)
        for test in self.tests[:40]:
            query = self.titles[test].astype("f4")
            scores = stored @ query / numpy.maximum(norms * numpy.linalg.norm(query), 1e-30)
            best = numpy.sort(scores[keep])[::-1][:10]
            for where in ({"year": {"$gte": 2015, "$lt": 2019}}, ("year >= ?1 and year < ?2", [2015, 2019])):
                hits = self.papers.search(query, k=10, where=where, recall="exact")
                self.assertTrue(numpy.allclose(hits.scores, best, atol=1e-5))
                self.assertTrue(all(2015 <= hit.metadata["year"] < 2019 for hit in hits))
        self.assertEqual(self.papers.count({"year": {"$gte": 2015, "$lt": 2019}}), int(keep.sum()))
        authors = self.papers.facet("authors", n=5)
        name = next(iter(authors))
        self.assertEqual(self.papers.count({"authors": {"$contains": name}}), authors[name])

    def test_text_figures(self):
        queries = [quern.words(self.records[test]["title"]) for test in self.tests]
        hits = self.papers.search(text=queries, k=10, columns=())
        ranks = numpy.mean([reciprocal_rank(list(row.ids), self.ids[test]) for row, test in zip(hits, self.tests)])
        self.assertGreater(ranks, 0.600)  # the README's tf-idf cosine

    def test_hybrid_is_better_than_dense(self):
        chosen = self.tests[:500]
        queries, texts = self.titles[chosen].astype("f4"), [quern.words(self.records[test]["title"]) for test in chosen]

        def rank(**settings):
            hits = self.papers.search(k=10, columns=(), **settings)
            return numpy.mean([reciprocal_rank(list(row.ids), self.ids[test]) for row, test in zip(hits, chosen)])

        dense, text = rank(vectors=queries, recall="exact"), rank(text=texts)
        fused = rank(legs=[quern.Leg(queries, weight=0.3, recall="exact"), quern.Leg(text=texts, weight=0.7)], fusion="normalize=minmax")
        self.assertGreater(text, dense)
        self.assertGreater(fused, dense)

    def test_the_shell_says_the_same(self):
        for test in self.tests[:5]:
            vector = json.dumps([float(x) for x in self.titles[test].astype("f4")])
            words = quern.words(self.records[test]["title"])
            query = self.titles[test].astype("f4")
            self.same_as_shell(self.papers.search(query, k=10), "--vector", vector, "--field", "emb", "-k", "10")
            self.same_as_shell(self.papers.search(query, k=10, where={"year": {"$gte": 2018}}), "--vector", vector, "--field", "emb", "-k", "10",
                               "--where", "year >= 2018")
            self.same_as_shell(self.papers.search(text=words, k=10, where="venue like 'E%'"), "--text", words, "-k", "10", "--where", "venue like 'E%'")
            legs = [quern.Leg(query, weight=0.3), quern.Leg(text=words, weight=0.7)]
            self.same_as_shell(self.papers.search(legs=legs, k=10, fusion="normalize=minmax"), "--leg", "0.3*emb:" + vector, "--leg", "0.7*body:" + words,
                               "--fusion", "normalize=minmax", "-k", "10")
            self.same_as_shell(self.papers.search(query, k=10, candidates=quern.Leg(text=words, k=200)), "--vector", vector, "--field", "emb", "-k", "10",
                               "--candidates", "body limit=200:" + words)


def authors_of(record):
    authors = record["authors"]
    return [str(author) for author in authors] if isinstance(authors, list) else [part.strip() for part in str(authors).split(";") if part.strip()]


if __name__ == "__main__":
    unittest.main()

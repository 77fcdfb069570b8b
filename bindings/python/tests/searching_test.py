"""Searches: one vector and many, texts, sparse vectors, legs, filters, shapes, and what their results tell."""
import math
import os
import sqlite3
import tempfile
import pickle
import unittest

from python_case import PythonCase, needs_numpy, numpy, quern


def model_filter(docs, test):
    """The ids of the records for whose metadata a plain Python test is true."""
    return [hit.id for hit in docs.scan() if test(hit.metadata)]


class SearchingTest(PythonCase):
    def test_ranges_of_dimensions_have_weights(self):
        with quern.open(":memory:") as db:
            docs = db.collection("docs", quern.Schema({"v": quern.sparse(dims=100, buckets=4)}, key="int"))
            docs.upsert([1, 2], sparse=[{3: 1.0}, {60: 1.0}])
            self.assertEqual(docs.search(keys=1, include_self=True).ids, [1])  # the only field

            def ids(**settings):
                return list(docs.search(sparse={3: 1.0, 60: 2.0}, **settings).ids)
            self.assertEqual(ids(), [2, 1])
            self.assertEqual(ids(bucket_weights=[1, 1, 0.1, 0]), [1, 2])
            self.assertEqual(ids(bucket_weights="0,0,1,0", terms=2), [2])
            self.raises(quern.UsageError, "'v'", ids, bucket_weights=[1])

    def test_one_vector(self):
        docs = self.letters()
        for _ in range(3):  # the second and third run through what the first has kept
            hits = docs.search([0.9, 0], k=2)
            self.assertEqual(hits.ids, ["b", "a"])
            self.assertEqual([round(float(d), 2) for d in hits.distances], [0.01, 0.81])
            self.assertEqual([float(s) for s in hits.scores], [-float(d) for d in hits.distances])
        self.assertEqual(hits[0].metadata, {"year": 2001, "lang": "en", "tags": ["x", "y"], "price": 1.5, "open": False})
        self.assertEqual(hits[-1].id, "a")
        self.assertEqual([hit.id for hit in hits[:1]], ["b"])
        self.assertTrue(hits.exact)
        self.assertFalse(hits.partial)
        self.assertFalse(hits.degraded)
        self.assertEqual(hits.stats()["recall"], 1)
        several = docs.search([[0.9, 0], [0, 0]], k=2)
        self.assertFalse(several.degraded)
        self.assertEqual(several.explain(), several[1].explain())
        self.assertEqual(hits.to_list()[0]["id"], "b")
        self.assertIn("score", repr(hits))
        self.assertEqual(docs.search([0, 0], k=50).ids, list("abcde"))
        self.assertEqual(len(docs.search([0, 0])), 5)

    def test_kept_searches_see_changes(self):
        docs = self.letters()
        self.assertEqual(docs.search([0, 0], k=1).ids, ["a"])
        self.assertEqual(docs.search([0, 0], k=1).ids, ["a"])
        docs.delete("a")
        self.assertEqual(docs.search([0, 0], k=1).ids, ["b"])
        other = self.db.collection("letters")
        other.drop_column("lang")
        self.assertNotIn("lang", docs.search([0, 0], k=1)[0].metadata)
        self.assertNotIn("lang", docs.search([0, 0], k=1)[0].metadata)
        self.raises(quern.NotFoundError, "lang", docs.search, [0, 0], columns=["lang"])

    def test_matrix(self):
        docs = self.letters()
        hits = docs.search([[0, 0], [4, 0]], k=2)
        self.assertEqual([list(row) for row in hits.ids], [["a", "b"], ["e", "d"]])
        self.assertEqual(len(hits), 2)
        self.assertEqual(hits[1].ids, ["e", "d"])
        self.assertEqual(hits.counts, [2, 2])
        self.assertEqual([list(map(float, row)) for row in hits.distances], [[0, 1], [0, 1]])
        ragged = docs.search([[0, 0], [40, 0]], k=2, max_distance=1)
        self.assertEqual(ragged.counts, [2, 0])
        self.assertEqual([list(row) for row in ragged.ids], [["a", "b"], [None, None]])
        self.assertEqual(list(ragged.distances[1]), [math.inf, math.inf])
        self.assertEqual([hits.ids for hits in docs.search([[0, 0]], k=1)], [["a"]])

    @needs_numpy
    def test_arrays_keep_their_table(self):
        docs = self.db.collection("d", dim=2, metric="l2", key="int")
        docs.upsert(numpy.arange(100), numpy.random.default_rng(1).random((100, 2), "f4"))
        made = [docs.search(numpy.zeros(2, "f4"), k=5) for _ in range(50)]
        ids, distances = made[7].ids, made[7].distances
        wanted = ids.tolist(), distances.tolist()
        del made
        for _ in range(200):
            docs.search(numpy.ones(2, "f4"), k=5)
        self.assertEqual((ids.tolist(), distances.tolist()), wanted)
        self.assertRaises(ValueError, ids.__setitem__, 0, 1)
        batch = docs.search(numpy.zeros((3, 2)), k=4)
        self.assertEqual(batch.ids.shape, (3, 4))
        self.assertEqual(batch.distances.dtype, numpy.float32)

    def test_prepared_query(self):
        docs = self.letters()
        query = docs.query(k=2, where={"lang": "de"}, columns=["year"])
        self.assertEqual(query.search([0, 0]).ids, ["a", "c"])
        self.assertEqual(query.search((4, 0)).ids, ["c", "a"])
        self.assertEqual(query.search([4, 0])[1].metadata, {"year": 2000})
        self.raises(ValueError, "vectors", query.search, [1, 2, 3])
        self.assertEqual([hits.ids for hits in query.search([[0, 0], [4, 0]])], [["a", "c"], ["c", "a"]])
        self.raises(ValueError, "vectors", query.search, [])
        self.raises(quern.UsageError, "NaN", query.search, [1, math.nan])
        self.assertEqual(query.search([0, 0]).ids, ["a", "c"])

    def test_kept_searches_take_anything(self):
        docs = self.letters()
        bits = self.db.collection("bits", dim=9, metric="hamming")
        bits.upsert(["a", "b"], [[0] * 9, [1] * 9])
        for _ in range(3):
            self.assertEqual(docs.search((4, 0), k=1).ids, ["e"])
            self.assertEqual([hits.ids for hits in docs.search([[0, 0], [4, 0]], k=1)], [["a"], ["e"]])
            self.assertEqual(docs.search([[4, 0]], k=1).counts, [1])
            self.assertEqual(docs.search(text="whale", k=1).ids, ["a"])
            self.assertEqual(bits.search(memoryview(bytes([255, 1])), k=1).ids, ["b"])
            self.assertEqual(bits.search([0] * 9, k=1).ids, ["a"])
            self.raises(ValueError, "vectors", docs.search, [1, 2, 3], k=1)
            self.raises(ValueError, "no rows", docs.search, [], k=1)

    def test_text_sparse_keys(self):
        docs = self.letters(sparse=True)
        self.assertEqual(docs.search(text="white").ids, ["a", "c"])
        self.assertEqual([hits.ids for hits in docs.search(text=["whale", "nothing", "gone"])], [["a"], ["e"], []])
        docs.upsert(["s", "t"], sparse=[{1: 1, 2: 0.5}, {2: 2}])
        self.assertEqual(docs.search(sparse={2: 1}).ids, ["t", "s"])
        self.assertEqual(docs.search(sparse=([1, 2], [3, 0.1])).ids, ["s", "t"])
        self.assertEqual([hits.ids for hits in docs.search(sparse=[{1: 1}, {9: 1}])], [["s"], []])
        sparse = next(name for name, field in docs._schema.fields.items() if field.kind == "sparse")
        docs.set_token_weights({"mill": (1, 2.0), "stone": (2, 0.5)}, porter=True)
        self.assertEqual(docs.search(text="the mills", field=sparse).ids, ["s"])
        self.assertEqual([hits.ids for hits in docs.search(text=["stone", "none"], field=sparse)], [["t", "s"], []])
        docs.set_token_weights({"mill": (1, 2.0), "the": (3, 1.0)}, porter=True, stop="english")
        self.assertEqual(docs.search(text="the mills", field=sparse).ids, ["s"])
        docs.set_token_weights(["zero", "mill", "stone"])
        self.assertEqual(docs.search(text="stone", field=sparse).ids, ["t", "s"])
        self.assertEqual(docs.search(keys="s", field=sparse).ids, ["t"])  # records like it, by sparse vectors
        self.assertEqual(docs.search(keys=["t", "s"], field=sparse, include_self=True)[0].ids, ["t", "s"])
        self.raises(ValueError, "no dense field 'none'", docs.search, keys="s", field="none")
        stats = docs.sparse_stats([{2: 1}])
        self.assertEqual((stats["vectors"], stats["entries"], stats["postings_per_query"]), (2, 3, 2))
        self.assertEqual(docs.sparse_stats()["queries"], None)
        docs.set_token_weights(None)
        self.raises(quern.Error, "no token weights", docs.search, text="stone", field=sparse)
        self.assertEqual(docs.search(keys="a", k=2).ids, ["b", "c"])
        self.assertEqual(docs.search(keys="a", k=1, include_self=True).ids, ["a"])
        self.assertIn("**whale**", docs.snippet("whale", "a white whale"))
        self.assertEqual(docs.snippet("whale", "a white whale", before="<b> ", after="'"), "a white <b> whale'")

    def test_legs(self):
        docs = self.letters()
        mixed = docs.search([0, 0], text="ship", k=5)
        self.assertEqual(set(mixed.ids), set("abcde"))
        self.assertEqual(len(mixed[0].leg_scores), 2)
        legs = [quern.Leg([0, 0], weight=0.01, name="near"), quern.Leg(text="ship", weight=1, name="terms")]
        fused = docs.search(legs=legs, k=2)
        self.assertEqual(fused.ids, ["b", "c"])
        self.assertAlmostEqual(sum(fused[0].leg_parts), fused[0].score, 5)
        self.assertEqual(docs.search(legs=legs, k=5, fusion="kind=rrf").ids[:2], ["b", "c"])
        self.assertEqual(docs.search(legs=legs, k=2, fusion={"normalize": "minmax", "weights": [1, 0]}).ids, ["a", "b"])
        self.raises(quern.UsageError, "weight", docs.search, legs=legs, formula="terms")
        legs = [quern.Leg([0, 0], name="near"), quern.Leg(text="ship", name="terms")]
        formula = docs.search(legs=legs, k=1, formula="terms * if(year > :y, 1, 0)", formula_params={"y": 2000})
        self.assertEqual(formula.ids, ["b"])
        self.assertEqual(docs.search([0, 0], formula="vector + 100 * if(open, 1, 0)", k=1).ids, ["a"])
        self.assertEqual(docs.search(legs=legs, k=1, formula="terms", fusion="normalize=minmax").ids, ["b"])
        for fusion in ("stored=mine", {"stored": "mine"}, "kind=rrf", "normalize=minmax weights=1,2"):
            self.raises(ValueError, "normalize=... alone", docs.search, legs=legs, formula="terms", fusion=fusion)
        self.raises(TypeError, "legs[0]", docs.search, legs=["x"])
        self.raises(TypeError, "where", quern.Leg, [0, 0], where={"a": 1})

    def test_candidates_and_feedback(self):
        docs = self.letters()
        self.assertEqual(docs.search([4, 0], candidates=quern.Leg(text="white", k=10)).ids, ["c", "a"])
        self.assertEqual(len(docs.search([4, 0], feedback="docs=2", k=2)), 2)
        self.raises(TypeError, "candidates", docs.search, [4, 0], candidates="x")

    def test_shapes(self):
        docs = self.letters()
        self.assertEqual(docs.search([0, 0], k=2, offset=1).ids, ["b", "c"])
        grouped = docs.search([0, 0], k=2, group_by="lang", per_group=2)
        self.assertEqual(grouped.ids, ["a", "c", "b"])
        self.assertEqual([hit.group for hit in grouped], [0, 0, 1])
        self.assertEqual(len(docs.search([0, 0], k=3, diversify=0.5)), 3)
        self.assertEqual(docs.search([0, 0], k=0, max_distance=4).ids, ["a", "b", "c"])
        self.assertEqual(docs.search([0, 0], min_score=-1).ids, ["a", "b"])

    def test_budget_and_options(self):
        docs = self.letters()
        self.assertTrue(docs.search([0, 0], max_scored=1000000, recall="exact").exact)
        self.assertTrue(docs.search([0, 0], options="threads=1 recall=exact").exact)
        self.raises(quern.UsageError, "recal", docs.search, [0, 0], options="recal=1")
        self.raises(TypeError, "recal", docs.search, [0, 0], recal=1)

    def test_filters_as_dicts(self):
        docs = self.letters()
        cases = [
            ({"lang": "de"}, lambda m: m.get("lang") == "de"),
            ({"lang": None}, lambda m: "lang" not in m),
            ({"lang": {"$ne": "de"}}, lambda m: m.get("lang") != "de"),
            ({"lang": {"$ne": None}}, lambda m: "lang" in m),
            ({"year": {"$gte": 2001, "$lt": 2004}}, lambda m: 2001 <= m.get("year", 0) < 2004),
            ({"year": {"$in": [2000, 2004]}}, lambda m: m.get("year") in (2000, 2004)),
            ({"year": {"$nin": [2000, 2004]}}, lambda m: m.get("year") not in (2000, 2004)),
            ({"year": {"$in": []}}, lambda m: False),
            ({"year": {"$nin": []}}, lambda m: True),
            ({"lang": {"$in": ["de", None]}}, lambda m: m.get("lang") in ("de", None)),
            ({"price": {"$in": [0.5, 4.5]}}, lambda m: m.get("price") in (0.5, 4.5)),
            ({"price": {"$gt": 1}}, lambda m: m.get("price", 0) > 1),
            ({"open": True}, lambda m: m.get("open") is True),
            ({"open": {"$ne": True}}, lambda m: m.get("open") is not True),
            ({"tags": {"$contains": "x"}}, lambda m: "x" in m.get("tags", ())),
            ({"tags": {"$not_contains": "x"}}, lambda m: "x" not in m.get("tags", ())),
            ({"lang": {"$contains": "e"}}, lambda m: "e" in m.get("lang", "")),
            ({"lang": {"$not_contains": "e"}}, lambda m: "e" not in m.get("lang", "")),
            ({"price": {"$exists": False}}, lambda m: "price" not in m),
            ({"$or": [{"lang": "fr"}, {"year": 2000}]}, lambda m: m.get("lang") == "fr" or m.get("year") == 2000),
            ({"$and": [{"lang": "de"}, {"year": 2000}]}, lambda m: m.get("lang") == "de" and m.get("year") == 2000),
            ({"$not": {"lang": "de"}}, lambda m: m.get("lang") != "de"),
            ({"$or": [{"$and": [{"lang": "de"}, {"open": True}]}, {"$not": {"year": {"$gt": 0}}}], "price": {"$lt": 3}},
             lambda m: (m.get("lang") == "de" and m.get("open") is True or not m.get("year", -1) > 0) and m.get("price", 9) < 3),
            ({}, lambda m: True),
        ]
        for where, test in cases:
            with self.subTest(where=where):
                wanted = model_filter(docs, test)
                self.assertEqual(docs.search([0, 0], where=where).ids, wanted)
                self.assertEqual(docs.count(where), len(wanted))
        self.db.optimize()
        for where, test in cases:
            with self.subTest(where=where, sealed=True):
                self.assertEqual(docs.list(where, k=0).ids, model_filter(docs, test))

    def test_filters_as_sql(self):
        docs = self.letters()
        self.assertEqual(docs.search([0, 0], where="year >= 2003").ids, ["d", "e"])
        self.assertEqual(docs.search([0, 0], where="year >= ?1 and lang = ?2", params=[2001, "en"]).ids, ["b"])
        self.assertEqual(docs.search([0, 0], where="lang = :l or id = $i", params={"l": "fr", "i": "a"}).ids, ["a", "e"])
        self.assertEqual(docs.search([0, 0], where=("lang in ?1", [["fr", "en"]])).ids, ["b", "e"])
        self.assertEqual(docs.search([0, 0], where="year in ?1", params=[{2000, 2003}]).ids, ["a", "d"])
        each = docs.search([[0, 0], [0, 0]], where="lang = ?1", params=["x"], params_of=[["de"], ["fr"]])
        self.assertEqual([hits.ids for hits in each], [["a", "c"], ["e"]])
        self.raises(quern.UsageError, "nope", docs.search, [0, 0], where="nope = 1")
        self.raises(ValueError, "params['x']", docs.search, [0, 0], where="year = :y", params={"x": 1})

    def test_attached_files(self):
        docs = self.letters()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "app.db")
            app = sqlite3.connect(path)
            app.executescript("create table marks(doc, stars); insert into marks values('a', 5), ('c', 1), ('e', 4)")
            self.db.attach("app", path)
            where = "id in (select doc from app.marks where stars > ?1)"
            self.assertEqual(docs.search([0, 0], where=where, params=[3]).ids, ["a", "e"])
            app.executescript("delete from marks where doc = 'a'")
            app.close()
            self.assertEqual(docs.search([0, 0], where=where, params=[3]).ids, ["e"])
            self.assertEqual(self.db.sql("select sum(stars) as stars from app.marks")[0]["stars"], 5)
            self.db.detach("app")
            self.raises(quern.Error, "app", self.db.sql, "select * from app.marks")

    def test_a_dict_is_never_sql(self):
        docs = self.letters()
        for text in ("' or 1 --", '" or 1', "de'; drop table letters", "%", "?1"):
            self.assertEqual(docs.count({"lang": text}), 0)
            self.raises(ValueError, "where", docs.count, {text: 1})
            self.assertEqual(docs.count({"lang": {"$contains": text}}), 0)

    def test_only_and_exclude(self):
        docs = self.letters()
        self.assertEqual(docs.search([0, 0], only=["b", "d", "zz"]).ids, ["b", "d"])
        self.assertEqual(docs.search([0, 0], exclude=quern.KeySet(["a", "a"])).ids, list("bcde"))
        self.assertEqual(len(quern.KeySet(["a", "a"])), 1)
        self.assertRaises(quern.UsageError, quern.KeySet, b"xx", 32)

    def test_only_and_exclude_without_a_search(self):
        docs = self.letters()
        some = quern.KeySet(["a", "b", "e", "zz"])
        self.assertEqual(docs.list(only=some, order="id desc").ids, ["e", "b", "a"])
        self.assertEqual(docs.list({"lang": "de"}, only=some).ids, [hit.id for hit in docs.list({"lang": "de"}, k=0) if hit.id in "abe"])
        self.assertEqual(docs.list(exclude=["a", "c"], k=2).ids, ["b", "d"])
        self.assertEqual(docs.list(only=some, exclude=["b"]).ids, ["a", "e"])
        self.assertEqual(docs.list(only=[]).ids, [])
        self.assertEqual((docs.count(only=some), docs.count(exclude=some), docs.count("1", only="a"), docs.count(only=[])), (3, 2, 1, 0))
        whole = docs.facet("lang")
        inside, outside = docs.facet("lang", only=some), docs.facet("lang", exclude=some)
        self.assertEqual({value: inside.get(value, 0) + outside.get(value, 0) for value in whole}, whole)
        self.assertEqual((inside.matches, outside.matches), (3, 2))
        self.assertEqual(docs.update_where({"year": 77}, only=some), 3)
        self.assertEqual(docs.update_where("year = ?1", only=["c"], params=[78]), 1)
        self.assertEqual(docs.update_where("year = ?2", "year = ?1", [77, 79], exclude=["a"]), 2)
        self.assertEqual([docs.get(i).metadata["year"] for i in "abce"], [77, 79, 78, 79])
        with docs._db.transaction() as txn:
            self.assertEqual(docs.delete(only=["a", "zz"], txn=txn), 1)
        self.assertEqual(docs.delete(where="year = 79", exclude=["e"]), 1)
        self.assertEqual(docs.list().ids, ["c", "d", "e"])
        for call in (docs.delete, lambda **keys: docs.update_where({"year": 1}, **keys)):
            self.raises(ValueError, "exclude is empty", call, exclude=[])
            self.raises(ValueError, "exclude is empty", call, exclude=quern.KeySet([]))
            self.raises(ValueError, "where", call)
            self.raises(TypeError, "only", call, only=[1])
            self.raises(ValueError, "where", call, where={}, only=["c"])
            self.assertEqual(call(only=[]), 0)
        self.raises(ValueError, "delete() takes", docs.delete, ["c"], only=["d"])
        self.assertEqual(docs.delete(exclude=["d"]), 2)
        self.assertEqual(docs.list().ids, ["d"])

    def test_explain_and_audit(self):
        docs = self.letters()
        self.assertEqual(docs.explain([0, 0], where={"lang": "de"})["matches"], 2)
        audit = docs.recall_audit([[0, 0], [1, 1]], k=2)
        self.assertEqual((audit["queries"], audit["recall"]), (2, 1))

    def test_columns_are_their_values(self):
        docs = self.letters()
        for hits in (docs.search([0, 0], columns="*"), docs.search([[0, 0], [4, 0]], k=3, columns="*")[1], docs.list(columns="*", k=2)):
            for name in hits.columns:
                values = [hit[name] for hit in hits]
                if name != "vector":
                    self.assertEqual(hits.column(name), values)

    @needs_numpy
    def test_columns_as_arrays(self):
        docs = self.letters()
        docs.upsert("f", metadata={"year": 2005})
        rows = docs.list(columns="*", k=0)
        self.assertEqual(rows.array("year").tolist(), [2000, 2001, None, 2003, 2004, 2005])
        self.assertEqual(rows.array("price").tolist()[:3], [0.5, 1.5, 2.5])
        self.assertTrue(numpy.isnan(rows.array("price")[3]))
        self.assertEqual(rows.array("open").dtype, bool)
        self.assertEqual(rows.array("tags")[1], ["x", "y"])
        self.assertEqual(rows.array("vector").tolist(), [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0, 0]])
        hits = docs.search([[0, 0], [4, 0]], k=2)
        self.assertEqual(hits[1].array("year").tolist(), [2004, 2003])
        self.assertEqual(hits[1].array("year").dtype, numpy.int64)
        self.assertEqual(docs.search([0, 0], where="0").array("year").tolist(), [])
        self.raises(KeyError, "nope", rows.array, "nope")

    def test_fit_and_hubs(self):
        docs = self.letters()
        legs = [quern.Leg([[0, 0], [4, 0]]), quern.Leg(text=["whale", "nothing"])]
        fusion, before, after = docs.fit_fusion(legs, ["a", "e"], [0, 1])
        self.assertGreaterEqual(after, before)
        self.assertEqual([hits.ids[0] for hits in docs.search(legs=legs, fusion=fusion, k=1)], ["a", "e"])
        docs.add_attribute("hub", float)
        docs.measure_hubs("hub", [[0, 0], [1, 1]], k=1)
        self.assertIsNotNone(docs.get("a").metadata["hub"])

    def test_results_explain_themselves(self):
        docs = self.letters()
        hits = docs.search([0, 0], k=2, where="year >= 2001")
        told = hits.explain()
        self.assertEqual((told["queries"], told["hits"]), (1, 2))
        scored = sum(segment["truth"]["vectors_scored"] for segment in told["segments"])
        self.assertEqual(scored, hits.stats()["vectors_scored"])
        self.assertEqual(told["counts"]["read"]["chunks"], hits.stats()["chunks_read"])
        self.assertLessEqual(told["segments"][0]["estimate"]["selectivity"], 1)
        both = docs.search(legs=[quern.Leg([0, 0]), quern.Leg(text="whale")]).explain()
        self.assertEqual([leg["kind"] for leg in both["legs"]], ["dense", "text"])
        guided = docs.search(legs=[quern.Leg([0, 0], guide="text"), quern.Leg(text="whale")])
        self.assertEqual(guided.ids[0], "a")
        self.raises(quern.UsageError, "names no leg", docs.search, legs=[quern.Leg([0, 0], guide="nobody"), quern.Leg(text="whale")])
        self.raises(quern.UsageError, "no result of a search", docs.list().explain)

    def test_searches_go_on_behind_a_bookmark_and_have_an_order(self):
        docs = self.letters()
        ids = docs.search([0, 0], k=6).ids
        first = docs.search([0, 0], k=2)
        second = docs.search([0, 0], k=2, after=first.bookmark)
        self.assertEqual(first.ids + second.ids, ids[:4])
        ordered = docs.search([0, 0], k=4, order="year desc")
        self.assertEqual(sorted(ordered.ids), sorted(ids[:4]))
        years = [hit.metadata.get("year") for hit in ordered]
        known = [year for year in years if year is not None]
        self.assertEqual(known, sorted(known, reverse=True))
        self.raises(quern.UsageError, "another search", docs.search, [3, 3], k=2, after=first.bookmark)

    def test_pandas_and_arrow_are_not_needed(self):
        hits = self.letters().search([0, 0])
        for name, module in (("to_pandas", "pandas"), ("to_arrow", "pyarrow")):
            try:
                __import__(module)
            except ImportError:
                self.raises(ImportError, module, getattr(hits, name))
        self.assertEqual(list(hits.to_columns()), ["id", "distance", "score", "year", "lang", "tags", "price", "open"])

    def test_sums_of_vectors_and_records(self):
        docs = self.letters()
        self.assertEqual(docs.search(compose=[(1, "b"), (1, [3, 0])], k=1, compose_options="scale=mean").ids, ["c"])
        self.assertEqual(docs.search(compose=[(1, "e"), (-1, "b"), (1, "a")], k=1).ids, ["d"])
        self.assertEqual(docs.search(compose=[(1.0, "b")], k=1).ids, ["a"])  # a term does not find itself
        self.assertEqual(docs.search(compose=[(1, "b")], k=1, include_self=True).ids, ["b"])
        many = docs.search(compose=[[(1, [0, 0])], [(1, "e"), (1, "b"), (-1, "a")]], k=1, compose_options={"terms": "raw"}, include_self=True)
        self.assertEqual([hits.ids for hits in many], [["a"], ["e"]])
        self.assertEqual(docs.search(legs=[quern.Leg(compose=[(1, [4, 0])]), quern.Leg(text="ship", weight=0)], k=1).ids, ["e"])
        for bad in ([(1, "a"), 5], [[(1, "a"), (1, None)]], [(1, [1, 2, 3])], [(1, [[1, 2]])], [("x", "a")], 5, "a", [(1, 7)], [(float("nan"), "a")]):
            self.assertRaises((TypeError, ValueError), docs.search, compose=bad)
        self.raises(quern.NotFoundError, "zz", docs.search, compose=[(1, "zz")])
        self.raises(ValueError, "compose_options", docs.search, [0, 0], compose_options="terms=raw")
        self.raises(ValueError, "compose", docs.search, [0, 0], compose=[(1, "a")])

    def test_what_scores_are_made_of(self):
        docs = self.letters()
        hits = docs.search(text="white ship")
        told = docs.explain_hits(hits, text="white ship")
        self.assertEqual([hit["key"] for hit in told["hits"]], hits.ids)
        for hit, score in zip(told["hits"], hits.scores):
            parts = hit["legs"][0]["parts"]
            self.assertLessEqual({part["term"] for part in parts}, {"white", "ship"})
            self.assertTrue(parts)
            self.assertAlmostEqual(sum(part["adds"] for part in parts), score, 5)
        many = docs.search([[0, 0], [4, 0]], k=1)
        self.assertEqual([hit["key"] for hit in docs.explain_hits(many, [[0, 0], [4, 0]])["hits"]], ["a", "e"])
        for bad in (None, 5, docs.list(), pickle.loads(pickle.dumps(hits))):
            self.raises(TypeError, "hits", docs.explain_hits, bad, text="white ship")
        self.raises(quern.UsageError, "", docs.explain_hits, many, text="ship")

    def test_what_legs_have_cost(self):
        docs = self.letters()
        hits = docs.search(legs=[quern.Leg([0, 0], name="near", guide="body"), quern.Leg(text="white", name="body")], fusion="kind=sum", k=3)
        stats = hits.leg_stats()
        self.assertEqual(len(stats), 2)
        self.assertEqual(stats[0]["vectors_scored"] + stats[1]["vectors_scored"], hits.stats()["vectors_scored"])
        self.assertEqual((stats[0]["recall"], docs.search([0, 0]).leg_stats()), (1.0, []))
        told = docs.explain(legs=[quern.Leg([0, 0], guide="body"), quern.Leg(text="white", name="body")])
        self.assertEqual(told["legs"][0]["guide"], 1)
        self.raises(quern.UsageError, "nope", docs.search, legs=[quern.Leg([0, 0], guide="nope"), quern.Leg(text="white")])

    def test_fusions_are_kept(self):
        docs = self.letters()
        legs = [quern.Leg([0, 0], name="near", weight=0.2), quern.Leg(text="ship", name="body", weight=0.8)]
        before = docs.search(legs=legs, fusion="normalize=minmax")
        docs.store_fusion("mine", legs, "normalize=minmax")
        plain = [quern.Leg([0, 0], name="near"), quern.Leg(text="ship", name="body")]
        after = docs.search(legs=plain, fusion="stored=mine")
        self.assertEqual((after.ids, list(after.scores)), (before.ids, list(before.scores)))
        docs.drop_fusion("mine")
        self.raises(quern.Error, "mine", docs.search, legs=plain, fusion="stored=mine")
        self.raises(quern.NotFoundError, "mine", docs.drop_fusion, "mine")
        self.raises(quern.UsageError, "", docs.store_fusion, "a b", legs)


if __name__ == "__main__":
    unittest.main()

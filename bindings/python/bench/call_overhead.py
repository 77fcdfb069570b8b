#!/usr/bin/env python3
"""What Python adds to the calls of the library: single searches, batches of 100, and an upsert of 100,000 x 768 f32.

Each is timed beside the same loop in C (call_floor.c, compiled here), in turns, and the least of all turns counts: what other programs do
meanwhile falls away. Needs numpy and a C compiler.

Usage: call_overhead.py [search] [batch] [upsert]      default: all
"""
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import numpy  # noqa: E402
import quern  # noqa: E402
from quern._library import api  # noqa: E402

DIM = 768


def compile_floor(directory):
    path = os.path.join(directory, "call_floor.so")
    capi = os.path.join(HERE, "..", "..", "..", "capi")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-I", capi, os.path.join(HERE, "call_floor.c"), "-o", path], check=True)
    floor = ctypes.CDLL(path)
    floor.floor_search.restype = floor.floor_upsert.restype = ctypes.c_double
    return floor


def pointer(function):
    return ctypes.cast(function, ctypes.c_void_p)


def c_search(floor, query, vectors, queries, n):
    seconds = floor.floor_search(ctypes.c_void_p(query), ctypes.c_void_p(vectors.ctypes.data), ctypes.c_size_t(queries), ctypes.c_size_t(DIM),
                                 ctypes.c_size_t(n), *map(pointer, (api.quern_query_dense, api.quern_search, api.quern_result_free)))
    assert seconds > 0
    return seconds / n


def timed(function, n):
    start = time.perf_counter()
    for _ in range(n):
        function()
    return (time.perf_counter() - start) / n


def collection(db, rows):
    docs = db.collection(f"d{rows}", dim=DIM, metric="cosine", key="int", index="none")
    docs.upsert(numpy.arange(rows), numpy.random.default_rng(rows).standard_normal((rows, DIM), "f4"))
    return docs


def plain_query(docs, k):
    """A quern_query of the C loop's own."""
    with docs._db._using as handle:
        query = api.quern_query_new(handle, docs.name.encode())
    api.quern_query_limit(query, k)
    api.quern_query_options(query, b"threads=1")
    return query


def bench_search(floor, turns=400, n=100):  # turns so short that some have the processor for themselves
    with quern.open(":memory:", threads=1) as db:
        docs = collection(db, 100)
        vector = numpy.random.default_rng(1).standard_normal(DIM).astype("f4")
        query, prepared, c_query = docs.query(k=10), docs.query(k=10), plain_query(docs, 10)

        def read():
            hits = prepared.search(vector)
            return hits.ids, hits.distances

        rivals = {"Query.search": lambda: query.search(vector), "Query.search, ids and distances read": read,
                  "Collection.search": lambda: docs.search(vector, 10)}
        least = {name: [] for name in rivals}
        floors = []
        for _ in range(turns):
            floors.append(c_search(floor, c_query, vector, 1, n))
            for name, function in rivals.items():
                least[name].append(timed(function, n))
        api.quern_query_free(c_query)
    base = min(floors)
    print(f"one query, 100 x {DIM}, k 10: C {base * 1e6:.2f} us")
    for name, seconds in least.items():
        print(f"  {name}: {min(seconds) * 1e6:.2f} us, {(min(seconds) - base) * 1e6:+.2f} us over C "
              f"(median of turns {statistics.median(s - f for s, f in zip(seconds, floors)) * 1e6:+.2f})")


def bench_batch(floor, turns=200):
    with quern.open(":memory:", threads=1) as db:
        docs = collection(db, 10000)
        vectors = numpy.random.default_rng(1).standard_normal((100, DIM)).astype("f4")
        c_query, python, c = plain_query(docs, 10), [], []

        def search():
            hits = docs.search(vectors, 10, threads=1)
            return hits.ids, hits.distances

        for _ in range(turns):
            c.append(both_clocks(lambda: c_search(floor, c_query, vectors, 100, 1)))
            python.append(both_clocks(search))
        api.quern_query_free(c_query)
    tell(f"100 queries, 10,000 x {DIM}, k 10, ids and distances read", c, python)


def both_clocks(function):
    """(seconds, seconds of the processor)"""
    start, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - cpu


def tell(what, c_turns, python_turns):
    for i, kind in enumerate(("seconds", "seconds of the processor")):
        c, python = (min(turn[i] for turn in turns) for turns in (c_turns, python_turns))
        print(f"{what}, {kind}: C {c:.4f}, Python {python:.4f}, {100 * (python / c - 1):+.2f} %")


def bench_upsert(floor, turns=8, rows=100000):
    keys, vectors = numpy.arange(rows), numpy.random.default_rng(1).standard_normal((rows, DIM), "f4")
    made = {"C": [], "Python": []}
    with tempfile.TemporaryDirectory() as directory:
        for turn in range(2 * turns):
            path = os.path.join(directory, "x.quern")
            with quern.open(path, durability="relaxed", maintenance="off") as db:
                docs = db.collection("d", dim=DIM, key="int", index="none")
                if turn % 2:
                    made["Python"].append(both_clocks(lambda: docs.upsert(keys, vectors)))
                else:
                    made["C"].append(both_clocks(lambda: c_upsert(floor, docs, keys, vectors)))
                assert docs.count() == rows
            os.remove(path)
    tell(f"upsert of {rows:,} x {DIM} f32", made["C"], made["Python"])


def c_upsert(floor, docs, keys, vectors):
    rows = len(keys)
    functions = api.quern_batch_new, api.quern_batch_key_int, api.quern_batch_dense, api.quern_upsert, api.quern_batch_free
    with docs._db._using as handle:
        seconds = floor.floor_upsert(ctypes.c_void_p(handle), b"d", ctypes.c_void_p(keys.ctypes.data), ctypes.c_void_p(vectors.ctypes.data),
                                     ctypes.c_size_t(rows), ctypes.c_size_t(DIM), *map(pointer, functions))
    assert seconds > 0


def main():
    chosen = sys.argv[1:] or ["search", "batch", "upsert"]
    with tempfile.TemporaryDirectory() as directory:
        floor = compile_floor(directory)
        for name, bench in (("search", bench_search), ("batch", bench_batch), ("upsert", bench_upsert)):
            if name in chosen:
                bench(floor)


if __name__ == "__main__":
    main()

"""Use after close, after fork, from many threads, and at the end of the program: clear errors, and never a crash."""
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from python_case import HERE, PythonCase, needs_numpy, numpy, quern


def run_program(program, directory):
    """(exit code, output) of a program of its own."""
    environment = dict(os.environ, QUERN_LIBRARY=os.path.abspath(quern.library_path), PYTHONPATH=os.path.join(HERE, ".."), PYTHONFAULTHANDLER="1")
    ran = subprocess.run([sys.executable, "-c", program], cwd=directory, env=environment, capture_output=True, text=True, timeout=120)
    return ran.returncode, ran.stdout + ran.stderr


class LifetimesTest(PythonCase):
    def test_use_after_close(self):
        docs = self.letters()
        query, hits, rows, snapshot = docs.query(k=2), docs.search([0, 0]), docs.list(), self.db.snapshot()
        pages = docs.scan(page=1)
        next(pages)
        txn = self.db.transaction()
        self.db.close()
        self.db.close()
        self.assertTrue(self.db.closed)
        for call in (lambda: docs.search([0, 0]), lambda: docs.search([[0, 0]]), lambda: query.search([0, 0]), lambda: docs.get("a"), docs.count,
                     lambda: docs.upsert("a", [0, 0]), lambda: docs.delete("a"), lambda: docs.list(), lambda: list(docs.scan()), lambda: list(pages),
                     self.db.optimize, self.db.verify, self.db.info, self.db.collections, lambda: self.db.collection("letters"), self.db.snapshot,
                     self.db.transaction, lambda: self.db.sql("select 1"), lambda: snapshot.generation if docs.count(snapshot=snapshot) else 0,
                     lambda: docs.delete("a", txn=txn), docs.refresh, lambda: docs.explain([0, 0]), self.db.interrupt):
            self.assertRaises(quern.ClosedError, call)
        self.assertEqual(hits.ids, list("abcde"))
        self.assertEqual(rows[1].metadata["year"], 2001)
        snapshot.close()
        txn.rollback()

    def test_everything_may_be_dropped_in_any_order(self):
        for order in range(6):
            db = quern.open(":memory:")
            docs = db.collection("d", dim=2)
            docs.upsert("a", [1, 2])
            kept = [db, docs, docs.query(), docs.search([1, 2]), db.snapshot(), docs.scan(), db.transaction()]
            next(kept[5])
            while kept:
                del kept[order % len(kept)]
                del db, docs
                gc.collect()
                db = docs = None

    def test_close_while_other_threads_work(self):
        with tempfile.TemporaryDirectory() as directory:
            db = quern.open(os.path.join(directory, "x.quern"))
            docs = db.collection("d", dim=8)
            docs.upsert(list(map(str, range(2000))), [[float(i % 7)] * 8 for i in range(2000)])
            errors = []

            def work(job):
                try:
                    while True:
                        job()
                except (quern.ClosedError, quern.Interrupted):
                    pass
                except BaseException as error:
                    errors.append(error)

            jobs = [lambda: docs.search([1.0] * 8), docs.count, lambda: list(docs.scan(page=100)), db.verify, db.info, lambda: docs.upsert("x", [1.0] * 8),
                    db.collections]
            threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
            for thread in threads:
                thread.start()
            time.sleep(0.3)
            db.close()
            for thread in threads:
                thread.join(60)
                self.assertFalse(thread.is_alive())
            self.assertEqual(errors, [])
            self.assertEqual(os.listdir(directory), ["x.quern"])

    def test_one_query_in_many_threads(self):
        docs = self.db.collection("d", dim=2, metric="l2", key="int")
        docs.upsert(list(range(100)), [[i, 0] for i in range(100)])
        query, wrong = docs.query(k=1), []

        def work(start):
            for i in range(start, 100, 4):
                for found in (query.search([i, 0]), docs.search([i, 0], k=1)):
                    if list(found.ids) != [i]:
                        wrong.append((i, found))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    @needs_numpy
    def test_other_threads_run_during_a_call(self):
        docs = self.db.collection("d", dim=64, key="int")
        docs.upsert(numpy.arange(20000), numpy.random.default_rng(1).random((20000, 64), "f4"))
        seen, done = [0], []

        def count():
            while not done:
                seen[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        before = seen[0]
        docs.search(numpy.random.default_rng(2).random((400, 64), "f4"), threads=1)
        after = seen[0]
        done.append(True)
        thread.join()
        self.assertGreater(after, before)

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork here")
    def test_use_after_fork(self):
        docs = self.letters()
        query, snapshot, txn, hits = docs.query(k=1), self.db.snapshot(), self.db.transaction(), docs.search([0, 0])
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                told = []
                for call in (lambda: docs.search([0, 0]), lambda: docs.search([[0, 0]]), lambda: query.search([0, 0]), docs.count, self.db.verify,
                             self.db.snapshot, lambda: docs.delete("a", txn=txn), lambda: docs.count(snapshot=snapshot),
                             lambda: docs.upsert("a", [1, 1]), txn.commit):
                    try:
                        call()
                        told.append("returned")
                    except quern.ForkError:
                        told.append("ForkError")
                    except BaseException as error:
                        told.append(repr(error))
                self.db.close()
                snapshot.close()
                txn.rollback()
                with quern.open(":memory:") as own:
                    told.append(str(own.collections()))
                told.append(",".join(hits.ids))
                del query, snapshot, txn, hits
                gc.collect()
                os.write(writing, " ".join(told).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = pipe.read()
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(told, " ".join(["ForkError"] * 10 + ["[]", "a,b,c,d,e"]))
        txn.rollback()
        self.assertEqual(docs.search([0, 0], k=1).ids, ["a"])

    def test_transaction_of_two_threads(self):
        docs = self.letters()
        with self.db.transaction() as txn:
            with txn.lock:
                self.raises(quern.UsageError, "another thread", docs.delete, "a", txn=txn)
            docs.delete("a", txn=txn)
        self.assertEqual(len(docs), 4)

    def test_end_of_program(self):
        programs = {
            "open": "db = quern.open('x.quern'); d = db.collection('d', dim=2); d.upsert('a', [1, 2]); h = d.search([1, 2]); s = db.snapshot()",
            "threads": "import threading, time\ndb = quern.open('x.quern'); d = db.collection('d', dim=2); d.upsert('a', [1, 2])\n"
                       "def work():\n    while True: d.search([1, 2]); d.count()\n"
                       "for _ in range(3): threading.Thread(target=work, daemon=True).start()\ntime.sleep(0.2)",
            "cycle": "db = quern.open('x.quern'); d = db.collection('d', dim=2); d.upsert('a', [1, 2])\n"
                     "class Node: pass\nn = Node(); n.self = n; n.held = [db, d, d.query(), d.search([1, 2]), db.transaction()]",
            "exit in progress": "import sys\ndb = quern.open('x.quern'); d = db.collection('d', dim=2)\n"
                                "def stop(*told): sys.exit(0)\nd.upsert(list(map(str, range(30000))), [[1.0, 2.0]] * 30000, progress=stop); db.optimize(progress=stop)",
            "arrow": "db = quern.open('x.quern'); d = db.collection('d', dim=2); d.upsert('a', [1, 2]); c = d.search([1, 2]).__arrow_c_stream__()",
        }
        for name, program in programs.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as directory:
                code, output = run_program("import quern\n" + program, directory)
                self.assertEqual(code, 0, output)
                self.assertEqual(os.listdir(directory), ["x.quern"], output)
                if name != "threads":
                    self.assertEqual(output, "")

    @unittest.skipUnless(hasattr(signal, "pthread_kill"), "needs signals")
    def test_control_c_stops_slow_work(self):
        program = ("import os, quern, signal, threading\n"
                   "db = quern.open(':memory:', threads=1); d = db.collection('d', dim=64, metric='l2', index='graph')\n"
                   "import random\nd.upsert(list(map(str, range(20000))), [[random.random() for _ in range(64)] for _ in range(20000)])\n"
                   "threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
                   "try:\n    db.optimize(); print('through')\nexcept KeyboardInterrupt: print('stopped')\n"
                   "print(len(d))")
        with tempfile.TemporaryDirectory() as directory:
            code, output = run_program(program, directory)
        self.assertEqual(code, 0, output)
        self.assertIn(output.split()[0], ("stopped", "through"))
        self.assertEqual(output.split()[1], "20000")

    def test_interrupt(self):
        self.letters()
        self.db.interrupt()
        self.assertEqual(self.db.collection("letters").count(), 5)

    def test_close_inside_progress(self):
        docs = self.db.collection("d", dim=4)
        docs.upsert(list(map(str, range(3000))), [[1.0] * 4] * 3000)
        told = []

        def close(*_):
            try:
                self.db.close()
            except quern.UsageError as error:
                told.append(str(error))
            try:
                docs.count()
            except quern.UsageError as error:
                told.append(str(error))

        self.db.verify(progress=close)
        self.assertFalse(self.db.closed)
        self.assertEqual(len(told) % 2, 0)


if __name__ == "__main__":
    unittest.main()

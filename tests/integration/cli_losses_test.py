#!/usr/bin/env python3
"""What a file holds comes into a collection and out of it as it is, or the shell says what did not: numbers that are none, texts with U+0000, and
keys that begin with a byte order mark.

Usage: cli_losses_test.py PATH-OF-QUERN
"""
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

QUERN = ""
MARK = "\ufeff"
NAN, INF = float("nan"), float("inf")


def npy(rows, kind="f8"):
    """A file of numpy's with these numbers, or rows of them."""
    shape = f"({len(rows)}, {len(rows[0])})" if rows and isinstance(rows[0], list) else f"({len(rows)},)"
    head = f"{{'descr': '<{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    flat = [number for row in rows for number in (row if isinstance(row, list) else [row])]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + struct.pack(f"<{len(flat)}{'d' if kind == 'f8' else 'q'}", *flat)


class LossesTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name

    def path(self, name):
        return os.path.join(self.place, name)

    def run_shell(self, *arguments, code=0):
        ran = subprocess.run([QUERN, *arguments], cwd=self.place, capture_output=True, encoding="utf-8", timeout=120)
        self.assertEqual(ran.returncode, code, (arguments, ran.stdout, ran.stderr))
        return ran.stdout + ran.stderr

    def records(self, collection):
        text = self.run_shell("export", "x.quern", collection, "-", "--format", "jsonl")
        return [json.loads(line) for line in text.splitlines()]

    def npz(self, name, **arrays):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for array, content in arrays.items():
                archive.writestr(array + ".npy", content)
        self.write(name, data.getvalue())
        return name

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return name

    # ---- npz

    def test_the_only_matrix_is_the_field(self):
        file = self.npz("one.npz", v=npy([[1.0, 2.0], [3.0, 4.5]]), year=npy([7, 8], "i8"))
        self.assertIn("note: array 'v' becomes a vector field", self.run_shell("import", "x.quern", "c", file))
        self.assertEqual(self.records("c"), [{"id": 0, "year": 7, "v": [1, 2]}, {"id": 1, "year": 8, "v": [3, 4.5]}])
        self.assertIn('"distance":0', self.run_shell("search", "x.quern", "c", "--vector", "[3,4.5]", "-k", "1", "--json").replace(" ", ""))
        self.assertIn("imported 2", self.run_shell("import", "x.quern", "c", file, "--start-key", "5"))  # a field that is there
        self.run_shell("import", "x.quern", "renamed", file, "--rename", "v=emb")
        self.assertEqual(self.records("renamed")[0], {"id": 0, "year": 7, "emb": [1, 2]})
        self.run_shell("import", "x.quern", "json", file, "--attr", "v:json")
        self.run_shell("import", "x.quern", "years", file, "--columns", "year")
        self.assertEqual((self.records("json")[1], self.records("years")[1]), ({"id": 1, "v": [3, 4.5], "year": 8}, {"id": 1, "year": 8}))
        self.run_shell("create", "x.quern", "there", "--attr", "year:int")
        self.run_shell("import", "x.quern", "there", file, "--add")
        self.assertEqual(self.records("there")[1]["v"], [3, 4.5])

    def test_numbers_that_are_none(self):
        for number, word in ((NAN, "nan"), (INF, "inf"), (-INF, "-inf")):
            file = self.npz("bad.npz", v=npy([[1.0, 2.0], [3.0, number]]))
            for options in ([], ["--field", "v"]):
                told = self.run_shell("import", "x.quern", "bad", file, *options, code=1)
                self.assertIn("row 1", told)
                self.assertIn("element 1 of 'v'", told)
                self.assertIn("not finite", told)
            file = self.npz("two.npz", v=npy([[1.0, 2.0], [3.0, number]]), w=npy([[1.0], [1.0]]))
            for i, options in enumerate(([], ["--attr", "v:json"], ["--field", "w"])):
                told = self.run_shell("import", "x.quern", f"two{word}{i}", file, *options, code=1)
                self.assertIn("row 1", told)
                self.assertIn(f"'v': element 1 is {word}, which JSON has not", told)
            told = self.run_shell("import", "x.quern", "rest" + word, file, "--columns", "w", "--rest", "more", "--field", "w", code=1)
            self.assertIn(f"'v': element 1 is {word}", told)
            self.assertIn("1 bad line skipped", self.run_shell("import", "x.quern", "skipped" + word, file, "--skip-bad"))
        file = self.npz("real.npz", v=npy([[1.0], [2.0], [3.0]]), price=npy([NAN, 1.5, NAN]))
        self.assertIn("note: array 'price': 2 NaN became null", self.run_shell("import", "x.quern", "reals", file))
        self.assertEqual([record.get("price") for record in self.records("reals")], [None, 1.5, None])
        file = self.npz("infinite.npz", v=npy([[1.0]]), price=npy([INF]))
        self.assertIn("'price'", self.run_shell("import", "x.quern", "infinite", file, code=1))
        self.assertIn("it is inf, which JSON has not", self.run_shell("import", "x.quern", "endless", file, "--attr", "price:json", code=1))
        self.write("nan.npy", npy([[1.0, NAN]]))
        self.assertIn("not finite", self.run_shell("import", "x.quern", "npy", "nan.npy", "--field", "v", code=1))
        self.write("nan.csv", "id,price\n1,2.5\n2,nan\n")
        self.assertIn("'nan' does not fit the type real", self.run_shell("import", "x.quern", "csv", "nan.csv", "--attr", "price:real", code=1))

    # ---- U+0000

    def test_nul_in_json(self):
        lines = [{"id": 1, "j": {"k": ["a"]}}, {"id": 2, "j": {"k": ["a\0b"]}}, {"id": 3, "j": {"k": "\\u0000"}}]
        self.write("j.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        told = self.run_shell("import", "x.quern", "j", "j.jsonl", code=1)
        self.assertIn("j.jsonl:2: column 'j': there is \\u0000 in it", told)
        self.assertIn("1 bad line skipped", self.run_shell("import", "x.quern", "j", "j.jsonl", "--skip-bad"))
        self.assertEqual(self.records("j"), [lines[0], lines[2]])
        self.assertIn("\\u0000", self.run_shell("import", "x.quern", "rest", "j.jsonl", "--columns", "id", "--rest", "more", code=1))
        # The library itself: names the record and the attribute.
        told = self.run_shell("update", "x.quern", "j", "--where", "id = 3", "--set", "j = '[\"\\u0000\"]'", code=1)
        self.assertIn("'j' holds \\u0000", told)
        self.run_shell("update", "x.quern", "j", "--where", "id = 3", "--set", "j = '[\"\\\\u0000\"]'")
        self.assertEqual(self.records("j")[1]["j"], ["\\u0000"])

    # ---- Byte order marks

    def test_a_key_that_begins_with_a_mark(self):
        for keys in ([MARK + "x", "\uffff"], [MARK + MARK, MARK + "a"], [MARK, "\uffff"], ["a", MARK]):
            lines = [{"id": key, "v": [float(i), 1.0], "t": "x"} for i, key in enumerate(keys)]
            self.write("k.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
            self.run_shell("import", "x.quern", "k", "k.jsonl", "--field", "v", "--key", "id:text")
            self.run_shell("export", "x.quern", "k", "k.fvecs", "--field", "v", "--key-file", "k.keys", "--force")
            self.run_shell("import", "x.quern", "back", "k.fvecs", "--field", "v", "--key-file", "k.keys", "--key", "id:text")
            self.assertEqual([record["id"] for record in self.records("back")], sorted(keys))
            self.assertIn("2", self.run_shell("count", "x.quern", "k", "--only-keys", "k.keys"))
            self.run_shell("export", "x.quern", "k", "k.csv", "--force", "--columns", "t")
            self.run_shell("import", "x.quern", "csv", "k.csv")
            self.assertEqual([record["id"] for record in self.records("csv")], sorted(keys))
            for name in ("k", "back", "csv"):
                self.run_shell("drop", "x.quern", name, "--yes")

    def test_a_column_and_a_term_that_begin_with_a_mark(self):
        self.write("c.csv", f'"{MARK}key",n\na,1\n')
        self.run_shell("import", "x.quern", "c", "c.csv", "--key", MARK + "key:text")
        self.run_shell("export", "x.quern", "c", "back.csv")
        with open(self.path("back.csv"), encoding="utf-8") as file:
            self.assertEqual(file.readline(), f'"{MARK}key",n\n')
        self.write("s.jsonl", json.dumps({"id": 1, "s": {MARK + "whale": 1.0, "ship": 2.0}}) + "\n")
        self.run_shell("import", "x.quern", "s", "s.jsonl", "--sparse", "s", "--vocabulary", "terms.txt")
        told = self.run_shell("export", "x.quern", "s", "-", "--format", "anserini", "--vocabulary", "terms.txt")
        self.assertEqual(json.loads(told)["vector"], {MARK + "whale": 1.0, "ship": 2.0})


if __name__ == "__main__":
    QUERN = os.path.abspath(sys.argv.pop(1))
    unittest.main()

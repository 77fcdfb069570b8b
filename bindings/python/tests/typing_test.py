"""The package's types hold together, and a user's type checker is told what calls take and give. Needs mypy; skips without."""
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(HERE, "..", "quern")
PROGRAM = '''\
import quern

with quern.open(":memory:") as db:
    docs: quern.Collection = db.collection("docs", dim=2, attributes={"year": int})
    written: int = docs.upsert(["a"], [[0.0, 1.0]], [{"year": 1999}])
    hits = docs.search([0.0, 1.0], k=1)
    scores: list[float] = [hit.score for hit in hits]
    near: float = hits[0].distance
    told: dict[str, object] = docs.explain([0.0, 1.0])
    count: int = docs.count({"year": 1999})
'''
# Each is wrong in its last line.
MISTAKES = {"docs.upsert()": "ids", "hits[0].scre": "scre", "docs.search([0.0], key=7, k='ten')": "int", "docs.insert('a', [0.0], texts='b')": "texts",
            "quern.dense('384')": "int", "near + hits[0].leg_scores": "+", "db.optimise()": "optimise"}


@unittest.skipIf(importlib.util.find_spec("mypy") is None, "mypy is not installed: types are not checked")
class TypingTest(unittest.TestCase):
    def check(self, *arguments):
        """What mypy says."""
        with tempfile.TemporaryDirectory() as cache:
            ran = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, *arguments], cwd=cache, capture_output=True, text=True,
                                 env={**os.environ, "MYPYPATH": os.path.join(HERE, "..")})
        return ran.stdout + ran.stderr

    def test_the_package_is_strict(self):
        self.assertTrue(os.path.exists(os.path.join(PACKAGE, "py.typed")))
        self.assertIn("Success", self.check(PACKAGE))

    def test_users_are_told(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "program.py")
            lines = PROGRAM.count("\n")
            with open(path, "w", encoding="utf-8") as file:
                file.write(PROGRAM + "".join(f"    {mistake}\n" for mistake in MISTAKES))
            found = {int(line): problem for line, problem in re.findall(r"program\.py:(\d+): error: (.*)", self.check(path))}
        self.assertEqual(sorted(found), list(range(lines + 1, lines + 1 + len(MISTAKES))), found)
        for line, told in enumerate(MISTAKES.values(), lines + 1):
            self.assertIn(told, found[line])


if __name__ == "__main__":
    unittest.main()

"""What the tests of the Python binding share: a database in memory for each, numpy if there is one, and real data if there are."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import quern  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
needs_numpy = unittest.skipIf(numpy is None, "numpy is not installed: what takes its arrays is not tested")


def data_directory(name):
    """A folder of real data, or None."""
    root = os.environ.get("QUERN_DATA", os.path.join(TREE, "..", "shared", "data"))
    path = os.path.join(root, name)
    return path if os.path.isdir(path) else None


class PythonCase(unittest.TestCase):
    def setUp(self):
        self.db = quern.open(":memory:")
        self.addCleanup(self.db.close)

    def letters(self, **options):
        """A collection of five records, a to e, on a line."""
        docs = self.db.collection("letters", dim=2, metric="l2", **options)
        docs.upsert(list("abcde"), [[i, 0] for i in range(5)],
                    {"year": [2000, 2001, None, 2003, 2004], "lang": ["de", "en", "de", None, "fr"],
                     "tags": [["x"], ["x", "y"], None, [], ["y"]], "price": [0.5, 1.5, 2.5, None, 4.5], "open": [True, False, None, True, True]},
                    ["a white whale", "a ship", "the white ship", None, "nothing"])
        return docs

    def raises(self, kind, told, function, /, *arguments, **named):
        """The call raises that kind of exception, and its message tells that."""
        with self.assertRaises(kind) as caught:
            function(*arguments, **named)
        self.assertIn(told, str(caught.exception))
        return caught.exception

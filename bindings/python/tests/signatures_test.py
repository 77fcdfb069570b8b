"""The table of prototypes, and the numbers that the binding knows, are those of quern.h."""
import os
import re
import unittest

from python_case import TREE, PythonCase
from quern import _arrays, _columns, _errors, _result, _schema
from quern._signatures import SIGNATURES, SIZED

LETTERS = (("void", "v"), ("uint32_t", "u"), ("int32_t", "i"), ("size_t", "z"), ("uint64_t", "Q"), ("int64_t", "q"), ("double", "d"),
           ("float", "f"))


def header():
    with open(os.path.join(TREE, "capi", "quern.h"), encoding="utf-8") as file:
        return re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.DOTALL)


def letter(kind):
    stars = kind.count("*")
    if "quern_error" in kind:
        return "e"
    if "quern_progress_fn" in kind:
        return "c"
    if "quern_" in kind:
        return {1: "h", 2: "H"}[stars]
    if stars:
        return "s" if stars == 1 and re.search(r"\bchar\b", kind) else "p"
    return next(code for name, code in LETTERS if re.search(rf"\b{name}\b", kind))


def prototypes():
    found = {}
    for returned, name, taken in re.findall(r"QUERN_API\s+([^;(]*?)(quern_\w+)\s*\(([^;]*?)\)\s*(?:QUERN_MUST_USE)?\s*;", header()):
        arguments = [] if taken.strip() == "void" else [letter(argument) for argument in taken.split(",")]
        found[name] = f"{'p' if name in SIZED else letter(returned)}:{''.join(arguments)}"
    return found


class SignaturesTest(PythonCase):
    def test_prototypes(self):
        found = prototypes()
        self.assertGreater(len(found), 150)
        self.assertEqual(found, SIGNATURES)

    def test_numbers(self):
        defined = {name: int(value) for name, value in re.findall(r"#define QUERN_(\w+) \(?(-?\d+)u?\)?\s", header())}
        for name, number in {**_columns.TYPES, **_arrays.ELEMENTS, **_schema.METRICS}.items():
            self.assertEqual(defined[name.upper()], number, name)
        for name, number in _result.STATS.items():
            self.assertEqual(defined[f"RESULT_{name.upper()}"], number, name)
        for name in ("EXACT", "DEGRADED", "UNREFINED", "MEMORY", "PARTIAL"):
            self.assertEqual(defined[f"FLAG_{name}"], getattr(_result, name), name)
        self.assertEqual(defined["MESSAGE_BYTES"], _errors.CError.message.size)

    def test_every_status_has_an_exception(self):
        statuses = {int(value): name for name, value in re.findall(r"#define (QUERN_ERR_\w+) \((-\d+)\)", header())}
        self.assertGreater(len(statuses), 25)
        for status, name in statuses.items():
            error = _errors.failure(status, "message")
            self.assertIsNot(type(error), _errors.Error, name)
            self.assertEqual(error.name, name)


if __name__ == "__main__":
    unittest.main()

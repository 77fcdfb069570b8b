#!/usr/bin/env python3
"""Proves that check_batches.py sees what it claims to see: two sources of a folder, with and without a name in common."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_batches

# Two sources, and whether they clash.
CASES = [
    ("struct Job {\n    int size;\n};\n", "struct Job {\n    int size;\n};\n", True),
    ("class Job final : public Work {\n};\n", "enum class Job : int { kA };\n", True),
    ("constexpr size_t kRows = 4;\n", "constexpr uint32_t kRows = 8;\n", True),
    ("constexpr int kRows[2] = {1, 2};\n", "const char* const kRows[] = {\n", True),
    ("int Cost(int x) {\n    return x;\n}\n", "double Cost(double x) {\n    return x;\n}\n", True),
    ("template <typename T>\nT Cost(T x) {\n", "int Cost(int x) {\n", True),
    ("using Job = int;\n", "using Job = long;\n", True),
    ("using Job = int;\n", "using Job = int;\n", False),
    ("using storage::Part;\n", "using storage::Part;\n", False),
    ("class Job;\n", "class Job {\n};\n", False),
    ("int Cost(int x) {\n    Add(x);\n}\n", "int Price(int x) {\n    Add(x);\n}\n", False),
    ("int Reader::Cost(int x) {\n", "int Writer::Cost(int x) {\n", False),
]


def clashes(first, second, frame="namespace {{\n\n{}\n}}  // namespace\n"):
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(os.path.join(tree, "engine/db"))
        for name, text in (("a.cpp", first), ("b.cpp", second)):
            with open(os.path.join(tree, "engine/db", name), "w", encoding="utf-8") as out:
                out.write(frame.format(text))
        return list(check_batches.clashes(tree))


def main():
    wrong = [case for case in CASES if bool(clashes(*case[:2])) != case[2]]
    # Outside of an unnamed namespace only what is static is local.
    if not clashes("static int Cost(int x) {\n", "static int Cost(long x) {\n", "{}"):
        wrong.append("static functions")
    if clashes("int Cost(int x) {\n", "int Cost(long x) {\n", "{}"):
        wrong.append("functions with a linkage")
    for case in wrong:
        print("wrong about", case)
    print(f"{len(CASES) + 2 - len(wrong)} of {len(CASES) + 2} right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""No two sources of a folder may call something local by one name: compiled in one batch (cmake/QuernUnity.cmake), two types or values
clash, and of two functions a call may quietly take the other file's. Usage: check_batches.py TREE"""
import collections
import glob
import os
import re
import sys

# Folder: the sources that are compiled alone there. The kernels all are, and the tests.
FOLDERS = {"storage": {"memory_vfs.cpp", "page_vfs.cpp"}, "engine/curves": (), "engine/dense": (), "engine/dense/codes": (), "engine/sparse": (),
           "engine/filter": (), "engine/query": (), "engine/db": (), "capi": (), "bindings/cli": (), "tests/corruption": {"corruption_test.cpp"}}

TYPE = re.compile(r"(?:template <.*> )?(?:struct|class|enum class|enum|union) (\w+)")
ALIAS = re.compile(r"(?:template <.*> )?using (\w+) = (.*)")
FUNCTION = re.compile(r"(\w+)\(")
VALUE = re.compile(r"(\w+)(?:\[\w*\])*\s*(?:=|\{|;)")
NOTHING = re.compile(r"[^A-Za-z_\[]|$|return\b|public:|private:|protected:|using namespace|using [\w:]+;|static_assert")


def local_names(text):
    """Yields (name, what it stands for, number of the line) of what is declared at the margin of an unnamed namespace, or static."""
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("namespace {"):
            inside = True
        elif re.match(r"\}\s*// namespace$", line):
            inside = False
        elif (inside or line.startswith("static ")) and not NOTHING.match(line):
            alias, kind = ALIAS.match(line), TYPE.match(line)
            function, value = FUNCTION.search(line), VALUE.search(line)
            if alias:
                yield alias[1], alias[2], number
            elif kind:
                if "{" in line or not line.endswith(";"):  # else only announced
                    yield kind[1], None, number
            elif value and (not function or value.start() < function.start()):
                yield value[1], None, number
            elif function and "::" + function[1] not in line and "operator" not in line:
                yield function[1], None, number


def clashes(tree):
    for folder, alone in FOLDERS.items():
        seen = collections.defaultdict(list)
        for path in sorted(glob.glob(os.path.join(tree, folder, "*.cpp"))):
            with open(path, encoding="utf-8") as source:
                text = source.read()
            if os.path.basename(path) not in alone:
                for name, meaning, number in local_names(text):
                    seen[name].append((os.path.relpath(path, tree), meaning, number))
        for name, places in sorted(seen.items()):
            first = places[0]
            for path, meaning, number in places[1:]:
                # One name for the same type is no clash; nor are overloads within one file.
                if path != first[0] and (meaning is None or meaning != first[1]):
                    yield f"{path}:{number}: {name} is local to {first[0]}:{first[2]}, too"


def main():
    found = list(clashes(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) or "no two sources of a folder have a local name in common")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Holds the source tree to its layers and its house rules.

Arrows point down only: bindings -> capi -> engine -> storage -> storage/base. ROOMS below says for each folder which
of our folders and which libraries its #include lines may name. A folder that is not in the table may not hold C or
C++ at all, so a new room begins with a line here. tests/ and fuzz/ may look at everything.

The rest are rules that a reader would otherwise have to trust: file names are unique, no file is a heap,
every source file (or its header) begins with a comment that says what it is for, and nothing in the tree names a place on one machine.

Usage: check_layers.py [ROOT]      prints each violation as path:line: message; exit code 1 when there is any.
"""
import os
import re
import sys
from collections import namedtuple

LINES_MAX = 700
HEADER_LINES_MAX = 2500  # capi/quern.h is the manual: one file, however much there is to say
SOURCE_SUFFIXES = (".h", ".hpp", ".c", ".cpp")
CODE_SUFFIXES = SOURCE_SUFFIXES + (".py", ".sh", ".cmake")
TEXT_SUFFIXES = CODE_SUFFIXES + (".md", ".txt", ".in", ".json", ".1", ".map", ".fish", ".bash")
SHARED_NAMES = {"CMakeLists.txt", "README.md", "__init__.py"}
HEAP_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}

# own: prefixes of our files that the room may include. libraries: prefixes of other people's headers.
Room = namedtuple("Room", "own libraries")
ROOMS = {
    "storage/base": Room(("storage/base/",), ("xxhash.h",)),
    "storage": Room(("storage/",), ("sqlite3.h", "zstd.h")),
    "engine/kernels": Room(("engine/kernels/", "storage/base/"), ("hwy/",)),
    "engine/curves": Room(("engine/curves/", "storage/base/"), ()),
    "engine/dense": Room(("engine/dense/", "engine/curves/", "engine/kernels/", "storage/base/"), ("faiss/", "omp.h")),
    "engine/sparse": Room(("engine/sparse/", "engine/curves/", "engine/kernels/", "storage/base/"), ()),
    "engine/filter": Room(("engine/filter/", "storage/base/"), ()),
    "engine/query": Room(("engine/query/", "storage/base/"), ()),
    "engine/db": Room(("engine/", "storage/"), ()),
    "capi": Room(("capi/", "engine/db/", "engine/filter/", "engine/kernels/distance.h", "storage/"), ()),
    "bindings": Room((), ("quern.h", "CLI/", "nlohmann/", "zlib.h", "zstd.h")),
}
FREE = ("tests", "fuzz")

# Headers that only these files may name, whatever their room's table says. tests/ stays free.
DOORS = {
    "sqlite3.h": ("storage/connection.cpp", "storage/file_store.cpp", "storage/sql_reader.cpp",
                  "storage/sql_functions.cpp", "storage/page_vfs.cpp",
                  "storage/memory_vfs.cpp", "storage/file_place.cpp", "storage/text_tokens.cpp", "storage/attached_files.cpp"),
}

# C and POSIX headers; C++ ones are known by having no suffix.
SYSTEM_HEADERS = {
    "assert.h", "ctype.h", "dirent.h", "errno.h", "fcntl.h", "float.h", "inttypes.h", "limits.h", "locale.h", "math.h",
    "pthread.h", "sched.h", "signal.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
    "string.h", "strings.h", "time.h", "unistd.h", "immintrin.h", "malloc.h",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Spelt in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile("(?<![\\w.$}])/(?:" + "|".join(("wo" "rk", "fa" "rm", "ho" "me/\\w+", "tmp/" "build", "ro" "ot/")) + ")")
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def is_skipped(folder):
    return folder.startswith((".", "build")) or folder in ("__pycache__", "node_modules")


def list_files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_skipped(name))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            yield path.replace(os.sep, "/")


def room_of(path):
    """The name of the innermost room that holds the path, or None."""
    folder = os.path.dirname(path)
    while folder:
        if folder in ROOMS or folder in FREE:
            return folder
        folder = os.path.dirname(folder)
    return None


def is_system(header):
    return "." not in header and "/" not in header or header in SYSTEM_HEADERS or header.startswith("sys/")


def check_include(root, path, room, quote, header):
    """What is wrong with this #include in this file, or None."""
    if header in DOORS and path not in DOORS[header]:
        return f"<{header}> may be included by {', '.join(DOORS[header])} only"
    rule = ROOMS[room]
    if quote == "<":
        if is_system(header) or header.startswith(rule.libraries):
            return None
        return f"{room} may not use <{header}>"
    if room == "bindings":
        # A binding includes its own files by their bare names.
        beside = os.path.join(root, os.path.dirname(path), header)
        if "/" not in header and os.path.exists(beside):
            return None
        return f'bindings may not use "{header}": the library is reached through <quern.h> only'
    if not os.path.exists(os.path.join(root, header)):
        return f'"{header}" is not a path from the top of the tree'
    if not header.startswith(rule.own):
        return f'{room} may not use "{header}"'
    return None


def strip_block_comments(lines):
    """The lines with what stands in /* */ blanked, so that an example in a comment is not code."""
    inside = False
    for line in lines:
        out = ""
        while line:
            mark = "*/" if inside else "/*"
            before, found, line = line.partition(mark)
            out += "" if inside else before
            inside = inside != bool(found)
        yield out


def begins_with_own_header(path, lines):
    """x.cpp may open with #include "x.h": the comment stands there."""
    stem = os.path.splitext(os.path.basename(path))[0]
    match = INCLUDE.match(lines[0])
    return bool(match) and os.path.basename(match.group(2)).startswith(stem + ".")


def check_source(root, path, lines):
    room = room_of(path)
    if room is None:
        yield 1, "no room: add this folder to the table in tests/lint/check_layers.py"
        return
    if room in FREE:
        return
    if lines and not lines[0].startswith(("//", "/*")) and not begins_with_own_header(path, lines):
        yield 1, "the file begins neither with a comment that says what it is for nor with its own header"
    for number, line in enumerate(strip_block_comments(lines), 1):
        match = INCLUDE.match(line)
        problem = match and check_include(root, path, room, match.group(1), match.group(2))
        if problem:
            yield number, problem


def check_text(path, lines):
    for number, line in enumerate(lines, 1):
        if MACHINE_PATHS.search(line):
            yield number, "names a place on one machine"
        if UNFINISHED.search(line):
            yield number, "mark of unfinished work"
    lines_max = HEADER_LINES_MAX if path.endswith("capi/quern.h") else LINES_MAX
    if path.endswith(CODE_SUFFIXES) and len(lines) > lines_max:
        yield len(lines), f"{len(lines)} lines; at most {lines_max}"
    stem = os.path.basename(path).split(".")[0]
    if path.endswith(CODE_SUFFIXES) and stem in HEAP_NAMES:
        yield 1, f"'{stem}' says nothing about what is inside"


def check_tree(root):
    """All violations, as strings."""
    problems = []
    homes = {}
    for path in list_files(root):
        name = os.path.basename(path)
        if name not in SHARED_NAMES and path.endswith(CODE_SUFFIXES):
            if name in homes:
                problems.append(f"{path}:1: the name is taken by {homes[name]}")
            homes.setdefault(name, path)
        if not path.endswith(TEXT_SUFFIXES) and name != "CMakeLists.txt":
            continue
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        found = list(check_text(path, lines))
        if path.endswith(SOURCE_SUFFIXES):
            found += check_source(root, path, lines)
        problems += [f"{path}:{number}: {message}" for number, message in found]
    return problems


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    problems = check_tree(root)
    print("\n".join(problems) if problems else "layers and house rules: no violation")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Proves that check_layers.py sees what it claims to see: plants one violation at a time in a small clean tree."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_layers

CLEAN = {
    "CMakeLists.txt": "project(x)\n",
    "storage/base/status.h": "// Status.\n#pragma once\n#include <string>\n#include <stdint.h>\n",
    "storage/base/hash.cpp": '#include "storage/base/hash.h"\n#include <xxhash.h>\n',
    "storage/base/hash.h": "// Hash.\n",
    "storage/connection.h": '// Connection.\n#include "storage/base/status.h"\n',
    "storage/connection.cpp": '#include "storage/connection.h"\n#include <sqlite3.h>\n',
    "engine/kernels/distance.h": '// Kernels.\n#include "storage/base/status.h"\n',
    "engine/kernels/distance.cpp": '// Kernels.\n#include <hwy/highway.h>\n#include "engine/kernels/distance.h"\n',
    "engine/dense/flat.h": '// Flat.\n#include "engine/kernels/distance.h"\n#include "storage/base/status.h"\n',
    "engine/db/database.h": '// Db.\n#include "engine/dense/flat.h"\n#include "storage/connection.h"\n',
    "capi/quern.h": '/* Manual:\n   #include "engine/example.h" in a comment is not code */\n#include <stddef.h>\n',
    "capi/open_api.cpp": '// Open.\n#include "engine/db/database.h"\n#include "engine/kernels/distance.h"\n',
    "bindings/cli/shell.h": "// Shell.\n#include <quern.h>\n",
    "bindings/cli/shell.cpp": '#include "shell.h"\n#include <CLI/CLI.hpp>\n',
    "tests/unit/any_test.cpp": '#include "storage/connection.h"\n#include <sqlite3.h>\n',
    "build/generated.cpp": "#include <anything.h>\n",
}

# What is planted, where, and a piece of the message that must come.
VIOLATIONS = [
    ("storage/base/a.h", '// A.\n#include "storage/connection.h"\n', "storage/base may not use"),
    ("storage/base/a.h", "// A.\n#include <zstd.h>\n", "storage/base may not use <zstd.h>"),
    ("storage/a.cpp", '// A.\n#include "engine/kernels/distance.h"\n', "storage may not use"),
    ("storage/a.cpp", "// A.\n#include <sqlite3.h>\n", "may be included by"),
    ("storage/a.cpp", "// A.\n#  include   <sqlite3.h>\n", "may be included by"),
    ("storage/a.cpp", "// A.\n/* x */ #include <hwy/highway.h>\n", "storage may not use <hwy/highway.h>"),
    ("engine/kernels/a.cpp", '// A.\n#include "engine/dense/flat.h"\n', "engine/kernels may not use"),
    ("engine/kernels/a.cpp", '// A.\n#include "storage/connection.h"\n', "engine/kernels may not use"),
    ("engine/dense/a.cpp", '// A.\n#include "engine/db/database.h"\n', "engine/dense may not use"),
    ("engine/dense/a.cpp", "// A.\n#include <hwy/highway.h>\n", "engine/dense may not use"),
    ("engine/db/a.cpp", '// A.\n#include "capi/quern.h"\n', "engine/db may not use"),
    ("engine/db/a.cpp", "// A.\n#include <sqlite3.h>\n", "may be included by"),
    ("capi/a.cpp", '// A.\n#include "engine/dense/flat.h"\n', "capi may not use"),
    ("capi/a.cpp", "// A.\n#include <sqlite3.h>\n", "may be included by"),
    ("bindings/cli/a.cpp", '// A.\n#include "storage/base/status.h"\n', "through <quern.h> only"),
    ("bindings/cli/a.cpp", "// A.\n#include <sqlite3.h>\n", "may be included by"),
    ("bindings/cli/a.cpp", '// A.\n#include "../../capi/quern.h"\n', "through <quern.h> only"),
    ("engine/db/a.cpp", '// A.\n#include "nowhere.h"\n', "not a path from the top"),
    ("engine/novel/a.cpp", "// A.\n", "no room"),
    ("tests/unit/shell.cpp", "// A.\n", "the name is taken by"),
    ("storage/utils.cpp", "// A.\n", "says nothing"),
    ("storage/a.cpp", "int x;\n", "begins neither"),
    ("storage/a.cpp", "// A.\n" * (check_layers.LINES_MAX + 1), "lines; at most"),
    ("storage/a.cpp", '// A.\nconst char* kPath = "/wo' 'rk/data";\n', "one machine"),
    ("README.md", "Built in /tmp/" "build-x.\n", "one machine"),
    ("storage/a.cpp", "// TO" "DO\n", "unfinished"),
]


def check(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return check_layers.check_tree(root)


def main():
    failures = []
    problems = check(CLEAN)
    if problems:
        failures.append(f"the clean tree has violations: {problems}")
    for path, text, message in VIOLATIONS:
        problems = check({**CLEAN, path: text})
        if not any(path in problem and message in problem for problem in problems):
            failures.append(f"{path}: {text[:60]!r} was not seen (wanted '{message}', got {problems})")
        if len(problems) > 1:
            failures.append(f"{path}: {text[:60]!r} gave more than one violation: {problems}")
    print("\n".join(failures) if failures else f"all {len(VIOLATIONS)} planted violations were seen")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

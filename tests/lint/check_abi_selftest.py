#!/usr/bin/env python3
"""Proves that check_abi.py sees what it must: each change below is made to a copy of quern.h, and must be called what it is.

Usage: check_abi_selftest.py HEADER MAP ABI_DIRECTORY COMPILER      exit code 77: abidw is not installed
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
BREAKS, ADDS, SAME = "breaks", "adds", "same"
CHANGES = [
    ("nothing", "", "", SAME),
    ("a comment", "QUERN_API void quern_close(", "/* closes */ QUERN_API void quern_close(", SAME),
    ("a function is added", "QUERN_API void quern_close(quern_db *db);",
     "QUERN_API void quern_close(quern_db *db);\nQUERN_API void quern_close_twice(quern_db *db);", ADDS),
    ("a constant is added", "#define QUERN_OK 0", "#define QUERN_OK 0\n#define QUERN_MORE_THAN_OK 1", ADDS),
    ("a function is gone", "QUERN_API void quern_close(quern_db *db);", "", BREAKS),
    ("an argument is added", "quern_text_size(const quern_text *t)", "quern_text_size(const quern_text *t, int unit)", BREAKS),
    ("a struct grows", "int32_t os_errno; ", "int32_t os_errno; int32_t more;", BREAKS),
    ("a value is another", "#define QUERN_ERR_LIMIT (-200)", "#define QUERN_ERR_LIMIT (-250)", BREAKS),
]


def check(header, version_map, record, compiler, *mode):
    return subprocess.run([sys.executable, "-B", os.path.join(HERE, "check_abi.py"), header, version_map, record, compiler, *mode],
                          capture_output=True, text=True, check=False)


def judge(header, version_map, record, compiler):
    """What check_abi.py takes the header for: what fails, and can be written down, adds."""
    done = check(header, version_map, record, compiler)
    if done.returncode == 0:
        return SAME
    return ADDS if check(header, version_map, record, compiler, "--write").returncode == 0 else BREAKS


def main():
    header, version_map, abi, compiler = sys.argv[1:5]
    if check(header, version_map, abi, compiler).returncode == SKIPPED:
        print("skipped: abidw and abidiff are not installed (package abigail-tools)")
        return SKIPPED
    with open(header, encoding="utf-8") as file:
        text = file.read()
    wrong = []
    for what, before, after, expected in CHANGES:
        with tempfile.TemporaryDirectory() as folder:
            changed, record = os.path.join(folder, "quern.h"), os.path.join(folder, "abi")
            shutil.copytree(abi, record)
            if before not in text:
                sys.exit(f"the header has no '{before}' any more")
            with open(changed, "w", encoding="utf-8") as file:
                file.write(text.replace(before, after, 1))
            found = judge(changed, version_map, record, compiler)
        if found != expected:
            wrong.append(f"{what}: {found}, expected {expected}")
    print("\n".join(wrong) if wrong else f"{len(CHANGES)} changes are called what they are")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

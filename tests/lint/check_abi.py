#!/usr/bin/env python3
"""Programs that were built with an earlier header must go on working: compares quern.h with the interface on record.

On record are, in capi/abi: libquern.0.abi, every function with its version, the types of its arguments and of what it returns, and every struct
with its layout (abidw's words); and constants.txt, the values of all macros that stand for numbers. quern.h is compiled with a body for each
function, so that the debugger's information tells what programs see; that the library has the same functions is what check_symbols.py
proves, that it defines them as declared is what the compiler proves.

A function, type or value that changed or is gone is an incompatible change: it fails and stays one (--write does not accept it; --break does,
for a new major version). What was added fails until it is written down, so that a reviewer sees it.

Usage: check_abi.py HEADER MAP ABI_DIRECTORY COMPILER [--write | --break]     exit code 77: abidw is not installed
"""
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# abidiff's bits: 1 error, 2 usage, 4 change, 8 incompatible change.
FAILED_BITS = 3
INCOMPATIBLE_BIT = 8


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def functions_with_bodies(header, compiler):
    """quern.h as a C source in which each function that it declares is defined."""
    text = run(compiler, "-E", "-P", "-x", "c", header).replace(" __attribute__((warn_unused_result))", "")
    text, count = re.subn(r'(__attribute__\(\(visibility\("default"\)\)\)[^;{]*\))\s*;', r"\1 { for (;;) {} }", text)
    return text, count


def build_library(header, version_map, compiler, directory):
    text, count = functions_with_bodies(header, compiler)
    source, library = os.path.join(directory, "quern_interface.c"), os.path.join(directory, "libquern.so.0")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    run(compiler, "-g", "-O0", "-fPIC", "-shared", "-w", source, "-o", library, "-Wl,-soname,libquern.so.0",
        "-Wl,--version-script=" + version_map)
    return library, count


def describe(library, target):
    run("abidw", "--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--no-elf-needed", "--type-id-style", "hash",
        "--out-file", target, library)


def compare(record, library):
    """(exit code of abidiff, its report)"""
    done = subprocess.run(["abidiff", "--no-show-locs", record, library], capture_output=True, text=True, check=False)
    if done.returncode & FAILED_BITS:
        sys.exit(f"abidiff failed:\n{done.stdout}{done.stderr}")
    return done.returncode, done.stdout


def only_adds(code, report):
    """Whether abidiff has seen additions and nothing else. Bit 8 is set for few kinds of change, so its words are looked at, too."""
    if code & INCOMPATIBLE_BIT:
        return False
    counts = re.findall(r"(\d+) (Removed|Changed)", report)
    return bool(counts) and all(number == "0" for number, _ in counts)


def constants_of(header, compiler):
    """{name: value} of the macros of the header that are numbers."""
    values = {}
    for line in run(compiler, "-E", "-dM", "-x", "c", header).splitlines():
        found = re.match(r'#define (QUERN_\w+) (\(?-?(?:0x)?[0-9a-fA-F]+[uU]?\)?|\(\(size_t\)-1\))$', line)
        if found and found.group(1) != "QUERN_VERSION_NUMBER":
            values[found.group(1)] = found.group(2).strip("()") if "size_t" not in found.group(2) else found.group(2)
    return values


def recorded_constants(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return dict(line.split(" ", 1) for line in file.read().splitlines() if line and not line.startswith("#"))


def write_constants(path, values):
    with open(path, "w", encoding="utf-8") as file:
        file.write("# The numbers of quern.h, which programs have inside. Written by tests/lint/check_abi.py --write, then reviewed.\n")
        file.write("".join(f"{name} {values[name]}\n" for name in sorted(values)))


def check_constants(path, values, mode):
    """What is wrong, as lines; writes down what was added when that is allowed."""
    record = recorded_constants(path)
    broken = [f"{name}: was {record[name]}, is {values.get(name, 'gone')}" for name in sorted(record) if values.get(name) != record[name]]
    added = sorted(set(values) - set(record))
    if mode == "--break" or (mode == "--write" and not broken):
        write_constants(path, values)
        return []
    return broken + ([] if broken else [f"{name} = {values[name]}: not on record; run this with --write and have it reviewed" for name in added])


def check_functions(record, library, mode):
    if mode == "--break" or not os.path.exists(record):
        describe(library, record)
        return []
    code, report = compare(record, library)
    if code == 0:
        return []
    if not only_adds(code, report):
        return ["an incompatible change: programs built with the header before would break", report]
    if mode == "--write":
        describe(library, record)
        return []
    return ["additions that are not on record; run this with --write and have it reviewed", report]


def main():
    header, version_map, directory, compiler = sys.argv[1:5]
    mode = sys.argv[5] if len(sys.argv) > 5 else ""
    problems = check_constants(os.path.join(directory, "constants.txt"), constants_of(header, compiler), mode)
    if problems:
        sys.exit("\n".join(problems))
    if shutil.which("abidw") is None or shutil.which("abidiff") is None or platform.machine() != "x86_64":
        print("skipped but for the constants: abidw and abidiff are not installed (package abigail-tools), or this is not x86-64")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        library, count = build_library(header, version_map, compiler, folder)
        problems = check_functions(os.path.join(directory, "libquern.0.abi"), library, mode)
    if problems:
        sys.exit("\n".join(problems))
    print(f"{count} functions and all constants are as on record")
    return 0


if __name__ == "__main__":
    sys.exit(main())

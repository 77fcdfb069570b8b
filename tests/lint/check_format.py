#!/usr/bin/env python3
"""Every C and C++ file looks as .clang-format says.

Each version of clang-format breaks some lines in its own way, so only the version that the tree was formatted with is asked;
where that one is missing, the exit code is 77 (skipped). To format: clang-format -i FILE.

Usage: check_format.py [ROOT]
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_layers

VERSION = "14"
SKIPPED = 77


def find_formatter():
    """The command of the wanted version, or None."""
    for command in (f"clang-format-{VERSION}", "clang-format"):
        try:
            told = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        if re.search(rf"version {VERSION}\.", told):
            return command
    return None


def violations(formatter, root, paths):
    """path:line:column: message of each place that would change."""
    ran = subprocess.run([formatter, "--dry-run", "-Werror", "--style=file", *paths], cwd=root, capture_output=True, text=True)
    found = [line for line in ran.stderr.splitlines() if re.match(r"\S+:\d+:\d+: ", line)]
    if ran.returncode != 0 and not found:
        found = [f"{formatter} failed: {ran.stderr}"]
    return found


def sees_a_planted_violation(formatter, root):
    """Without this a formatter that finds no .clang-format would call everything fine."""
    ran = subprocess.run([formatter, "--dry-run", "-Werror", "--style=file", "--assume-filename=storage/planted.cpp"], cwd=root,
                         input="int Planted( ) {\n  return 1;\n}\n", capture_output=True, text=True)
    return ran.returncode != 0


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    formatter = find_formatter()
    if formatter is None:
        print(f"skipped: there is no clang-format {VERSION}")
        return SKIPPED
    if not sees_a_planted_violation(formatter, root):
        print("a planted violation was not seen")
        return 1
    paths = [path for path in check_layers.list_files(root) if path.endswith(check_layers.SOURCE_SUFFIXES)]
    found = violations(formatter, root, paths)
    print("\n".join(found) if found else f"{len(paths)} files are formatted")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

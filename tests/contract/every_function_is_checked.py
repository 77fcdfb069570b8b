#!/usr/bin/env python3
"""Every exported function is called by the contract checks, and every topic is run.

Usage: every_function_is_checked.py SYMBOLS DIRECTORY
"""
import glob
import os
import re
import sys


def main():
    symbols, directory = sys.argv[1:3]
    with open(symbols, encoding="utf-8") as file:
        functions = {line.split("@")[0] for line in file if line.strip() and not line.startswith("#")}
    text = ""
    for path in sorted(glob.glob(os.path.join(directory, "contract_*.c"))):
        with open(path, encoding="utf-8") as file:
            text += file.read()
    called = set(re.findall(r"\b(quern_\w+)\b", text))
    missing = sorted(functions - called)
    print("\n".join(f"{name}: no contract check calls it" for name in missing) or f"all {len(functions)} functions are checked")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

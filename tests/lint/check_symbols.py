#!/usr/bin/env python3
"""Three lists must be one: what libquern.so exports, what quern.h declares, and what capi/abi/symbols.txt has on record.

A symbol that appears by accident becomes somebody's dependency; one that disappears breaks programs already built. So both
take a change of symbols.txt, which a reviewer sees.

Usage: check_symbols.py LIBRARY HEADER SYMBOLS [--write]     --write makes SYMBOLS anew from the library.
"""
import re
import subprocess
import sys


def exported(library):
    """Names with their version node, as in quern_open@@QUERN_0; the nodes themselves are left out."""
    out = subprocess.run(["nm", "--dynamic", "--defined-only", library], check=True, capture_output=True, text=True)
    names = set()
    for line in out.stdout.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":
            names.add(name)
    return names


def declared(header):
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    return set(re.findall(r"\bQUERN_API\b[^;{]*?\b(quern_\w+)\s*\(", text))


def recorded(symbols):
    with open(symbols, encoding="utf-8") as file:
        return {line.strip() for line in file if line.strip() and not line.startswith("#")}


def differences(what, left, right):
    return [f"{name}: {what}" for name in sorted(left - right)]


def main():
    library, header, symbols = sys.argv[1:4]
    names = exported(library)
    if "--write" in sys.argv:
        with open(symbols, "w", encoding="utf-8") as file:
            file.write("# What libquern.so exports: name and version. Made by tests/lint/check_symbols.py --write, then reviewed.\n")
            file.write("".join(f"{name}\n" for name in sorted(names)))
    on_record = recorded(symbols)
    plain = {name.split("@")[0] for name in names}
    functions = declared(header)
    problems = (differences("exported, but not in " + symbols, names, on_record) +
                differences("in " + symbols + ", but no longer exported", on_record, names) +
                differences("exported, but not declared in quern.h", plain, functions) +
                differences("declared in quern.h, but not exported", functions, plain))
    print("\n".join(problems) if problems else f"{len(names)} symbols: library, header and record agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

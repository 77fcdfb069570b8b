#!/usr/bin/env python3
"""quern.hpp and the library share no name of the namespace quern: a program that links the static library holds both.

Usage: names_test.py NM LIBRARY OBJECT_WITH_THE_HEADER
"""
import re
import subprocess
import sys


def defined(nm, path):
    """The mangled names with something of the namespace quern that a file defines."""
    out = subprocess.run([nm, "-P", "--defined-only", path], check=True, capture_output=True, text=True, timeout=100).stdout
    names = set()
    for line in out.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[1] in "TWVDRBu" and re.search(r"(?<!\d)5quern", fields[0]):
            names.add(fields[0])
    return names


def main():
    nm, library, header = sys.argv[1:4]
    ours, theirs = defined(nm, header), defined(nm, library)
    both = sorted(ours & theirs)
    if not ours or not theirs:
        sys.exit(f"names_test.py: {len(ours)} names of the header, {len(theirs)} of the library: nothing was looked at")
    if both:
        sys.exit(f"names_test.py: {len(both)} names are in both: {' '.join(both[:10])}")
    print(f"{len(ours)} names of the header, {len(theirs)} of the library, none in both")


if __name__ == "__main__":
    main()

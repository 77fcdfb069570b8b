#!/usr/bin/env python3
"""Makes the files that the shell examples of the READMEs are about, small ones, in the current directory: base.fvecs, docs.jsonl and so on.

Usage: readme_files.py QUERN_SHELL
"""
import json
import random
import struct
import subprocess
import sys

WORDS = "mill stone grind grain white whale ship corn flour sea wheel water wind oak how do mills".split()


def vectors(path, rows, dim, numbers):
    with open(path, "wb") as file:
        for _ in range(rows):
            file.write(struct.pack(f"<i{dim}f", dim, *(round(numbers.random() * 100) for _ in range(dim))))


def npy(path, rows):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}".ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        for row in rows:
            file.write(struct.pack(f"<{len(row)}f", *row))


def lines(path, values):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values)


def main():
    shell, numbers = sys.argv[1], random.Random(7)
    vectors("base.fvecs", 5000, 128, numbers)
    vectors("query.fvecs", 60, 128, numbers)
    with open("truth.ivecs", "wb") as file:
        for row in range(60):
            file.write(struct.pack("<i10i", 10, *range(row, row + 10)))
    text = lambda: " ".join(numbers.choice(WORDS) for _ in range(12))  # noqa: E731
    point = lambda: [round(numbers.uniform(-1, 1), 3) for _ in range(4)]  # noqa: E731
    lines("docs.jsonl", ({"id": f"d{i}", "vector": {"dims": [17, 2043 - i % 3], "weights": [1 + i, 0.5]}} for i in range(50)))
    lines("idf.tsv", (f"{word}\t{17 + i}\t1.5" for i, word in enumerate(WORDS)))
    lines("terms.jsonl", ({"id": f"d{i}", "contents": "", "vector": {numbers.choice(WORDS): 1.5}} for i in range(20)))
    lines("texts.jsonl", ({"id": f"t{i}", "body": text()} for i in range(50)))
    lines("books.jsonl", ({"id": f"b{i}", "title": text(), "year": 1950 + i, "lang": numbers.choice(["en", "eng", "de"]), "tags": ["poetry"],
                           "emb": point()} for i in range(80)))
    lines("papers.jsonl", ({"id": f"p{i}", "body": text(), "emb": point()} for i in range(80)))
    lines("v.json", [json.dumps(point())])
    lines("vector.json", [json.dumps(point())])
    npy("queries.npy", [point() for _ in range(5)])
    lines("queries.txt", (text() for _ in range(5)))
    lines("qrels.txt", (f"{query} 0 p{query + i} {i}" for query in range(5) for i in range(3)))
    for command in ("import books.quern books books.jsonl --key id --field emb --metric cosine",
                    "import papers.quern papers papers.jsonl --key id --field emb --metric cosine --text body"):
        subprocess.run([shell, *command.split()], check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    main()

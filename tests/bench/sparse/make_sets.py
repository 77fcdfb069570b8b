#!/usr/bin/env python3
"""Makes the large sparse sets of the benchmarks from real texts.

    make_sets.py OUT [--data DIR] [--tool splade_like.cpp] [--sizes 0,600000,2400000]

Abstracts of the ACL anthology, scifact, nfcorpus and arXiv cs.IR are cut into passages of about 37 words, long WordNet
glosses are one each; titles and judged queries are the queries. The tool weights them as learned sparse encoders do. A
size of 0 is the real passages alone; what is beyond their number is mixed from neighbouring passages (near-duplicates:
say so beside a figure). Writes OUT/passages.csr, OUT/mixed600k.csr, ... with their .queries.txt. Needs zstd, xz and g++.
"""
import argparse
import csv
import io
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
WORDS = 37
LONG_GLOSS = 15


def unpacked(path):
    tool = "xz" if path.suffix == ".xz" else "zstd"
    text = subprocess.run([tool, "-dc", str(path)], check=True, stdout=subprocess.PIPE).stdout
    return io.StringIO(text.decode("utf-8", "replace"), newline="\n")


def pieces(text):
    """Passages of about WORDS words: whole sentences, joined until long enough."""
    held = []
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        held += sentence.split()
        while len(held) >= 2 * WORDS:
            yield " ".join(held[:WORDS])
            held = held[WORDS:]
        if len(held) >= WORDS:
            yield " ".join(held)
            held = []
    if len(held) >= WORDS // 3:
        yield " ".join(held)


def texts(data):
    """(source, text, title or None) of every document."""
    for name in ("acl-anthology", "scifact", "nfcorpus"):
        for line in unpacked(data / name / "corpus.jsonl.zst"):
            entry = json.loads(line)
            yield name, entry["text"], entry["title"] if name == "acl-anthology" else None
    csv.field_size_limit(1 << 24)
    for row in csv.DictReader(unpacked(data / "arxiv-ir" / "cs.IR.tsv.xz"), delimiter="\t"):
        yield "arxiv-ir", row["abstract"] or "", row["title"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("QUERN_DATA", ROOT.parent / "shared" / "data")))
    parser.add_argument("--tool", type=pathlib.Path, default=ROOT.parent / "shared" / "tools" / "splade_like.cpp")
    parser.add_argument("--sizes", default="0,600000")
    wanted = parser.parse_args()
    for needed in (wanted.data / "acl-anthology", wanted.tool):
        if not needed.exists():
            sys.exit(f"skipped: {needed} is not there")
    wanted.out.mkdir(parents=True, exist_ok=True)
    passages, queries = wanted.out / "passages.tsv", wanted.out / "queries.tsv"
    count = 0
    with open(passages, "w") as rows, open(queries, "w") as asked:
        for source, text, title in texts(wanted.data):
            for piece in pieces(" ".join(text.split())):
                rows.write(f"{source}\t{piece}\n")
                count += 1
            if title:
                asked.write(f"{source}\t{' '.join(title.split())}\n")
        for row in csv.DictReader(unpacked(wanted.data / "wordnet-nouns" / "synsets.tsv.zst"), delimiter="\t",
                                  quoting=csv.QUOTE_NONE):
            if len(row["gloss"].split()) >= LONG_GLOSS:
                rows.write(f"wordnet\t{row['gloss']}\n")
                count += 1
        for name in ("scifact", "nfcorpus"):
            for line in unpacked(wanted.data / name / "queries.jsonl.zst"):
                asked.write(f"{name}\t{' '.join(json.loads(line)['text'].split())}\n")
    print(f"{count} passages", flush=True)
    program = wanted.out / "splade_like"
    subprocess.run(["g++", "-O2", "-std=c++17", "-w", str(wanted.tool), "-o", str(program)], check=True)
    for size in map(int, wanted.sizes.split(",")):
        name = "passages" if size <= count else f"mixed{size // 1000}k"
        print(f"{name}: ", end="", flush=True)
        subprocess.run([str(program), str(passages), str(queries), str(wanted.out / name), str(size)], check=True)


if __name__ == "__main__":
    main()

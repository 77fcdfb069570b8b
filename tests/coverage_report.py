#!/usr/bin/env python3
"""Sums up what gcov has counted, by folder of the source tree. Usage: coverage_report.py BUILD_DIRECTORY [FOLDER]

A line or branch counts as reached if any object has reached it: headers are compiled into many. Branches that only an exception takes, or
comes to (coverage_graph.py), are not counted, nor those of lines without a condition (clean-up that the compiler makes). Untaken ones of lines marked with
`// never: why` (a defence against what cannot happen by all that is known) are counted apart, and so is one for each TestFault, which
is a constant but for planted faults.
With a FOLDER, the branches that were never taken are listed, and marks of lines all of whose branches were: file:line: source.
"""
import collections
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

import coverage_graph

ROOMS = ("storage/base", "storage", "capi", "engine/kernels", "engine/curves", "engine/dense", "engine/sparse", "engine/filter",
         "engine/query", "engine/db", "bindings/cli")
MARK = "// never: "
PLANTED = "TestFault("
CONDITION = re.compile(r"\b(if|for|while|switch|QUERN_TRY|QUERN_ASSIGN)\b|\?|&&|\|\|")


def room_of(path):
    fitting = [room for room in ROOMS if path.startswith(room + "/")]
    return max(fitting, key=len) if fitting else None


def read_objects(build):
    """gcov's JSON of each object that has run, and the graph of its blocks."""
    counts = []
    for folder, _, names in os.walk(build):
        counts += [os.path.abspath(os.path.join(folder, name)) for name in names if name.endswith(".gcda")]
    for count in sorted(counts):
        with tempfile.TemporaryDirectory() as place:
            subprocess.run(["gcov", "--json-format", "--branch-probabilities", count], cwd=place, check=False, capture_output=True)
            for name in os.listdir(place):
                with gzip.open(os.path.join(place, name)) as file:
                    yield json.load(file), coverage_graph.Graph(count[:-len("gcda")] + "gcno")


class File:
    def __init__(self, path):
        self.lines = collections.Counter()
        # By line, then by place among the line's branches in one function: how often taken.
        self.branches = collections.defaultdict(collections.Counter)
        with open(path, encoding="utf-8") as file:
            self.text = file.read().splitlines()

    def missed(self, line):
        """How many branches of a line nobody took, and how many of these are marked."""
        untaken = sum(count == 0 for count in self.branches[line].values())
        source = self.source(line)
        return untaken, untaken if MARK in source else min(untaken, source.count(PLANTED))

    def has_condition(self, line):
        return bool(CONDITION.search(self.source(line))) or self.source(line - 1).endswith(("&&", "||", "("))

    def source(self, line):
        return self.text[line - 1].strip() if 0 < line <= len(self.text) else ""

    def add(self, lines, exceptional):
        numbers = collections.Counter()
        for line in lines:
            number = line["line_number"]
            self.lines[number] += line["count"]
            if not self.has_condition(number):
                continue
            function = line.get("function_name", "")
            behind = exceptional(function, number, len(line["branches"]))
            for branch, excepted in zip(line["branches"], behind):
                if not branch["throw"] and not excepted:
                    # Instances of a template have the same branches; what is no template comes once.
                    place = numbers[(number, function)]
                    numbers[(number, function)] += 1
                    self.branches[number][place] += branch["count"]


def collect(build, root):
    files = {}
    for unit, graph in read_objects(build):
        for entry in unit["files"]:
            path = os.path.normpath(os.path.join(unit["current_working_directory"], entry["file"]))
            # Trees may be built under another name than they are read under.
            relative = os.path.relpath(path, root) if path.startswith(root + os.sep) else path.split(os.sep, 2)[-1]
            if room_of(relative) is None or not os.path.exists(os.path.join(root, relative)):
                continue
            name = entry["file"]
            files.setdefault(relative, File(os.path.join(root, relative))).add(
                entry["lines"], lambda function, line, count: graph.exceptional(function, name, line, count))
    return files


def share(part, whole):
    return f"{100 * part / whole:5.1f} %" if whole else "      -"


def main():
    build, folder = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else "")
    root = os.getcwd()
    sums = collections.defaultdict(lambda: [0, 0, 0, 0, 0])
    missed, idle = [], []
    for path, file in sorted(collect(build, root).items()):
        figures = sums[room_of(path)]
        figures[0] += sum(count > 0 for count in file.lines.values())
        figures[1] += len(file.lines)
        for line, branches in sorted(file.branches.items()):
            untaken, marked = file.missed(line)
            figures[2] += len(branches) - untaken
            figures[3] += len(branches)
            figures[4] += marked
            if path.startswith(folder + "/"):
                if untaken > marked:
                    missed.append(f"{path}:{line}: {file.source(line)}")
                elif untaken == 0 and MARK in file.source(line):
                    idle.append(f"{path}:{line}: {file.source(line)}")
    print(f"{'folder':16} {'lines':>8} {'reached':>8} {'branches':>9} {'marked':>7} {'others taken':>13}")
    for room in ROOMS:
        if room in sums:
            lines, all_lines, taken, branches, marked = sums[room]
            print(f"{room:16} {all_lines:8} {share(lines, all_lines):>8} {branches:9} {marked:7} {share(taken, branches - marked):>13}")
    if folder:
        print(f"\nlines of {folder} with a branch that was never taken: {len(missed)}")
        print("\n".join(missed))
        if idle:
            print("\nmarked, yet all branches were taken:")
            print("\n".join(idle))
    return 0


if __name__ == "__main__":
    sys.exit(main())

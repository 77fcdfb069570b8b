"""Which branches of an object only an exception reaches, from the graph of blocks that gcc leaves beside it (a .gcno file of gcc 12).

gcov tells which branches an exception takes, but not which lie behind those: clean-up has branches of its own. Blocks that nothing
but an exception leads to are found here, by following all other branches from where a function begins.
"""
import collections
import struct

MAGIC = b"oncg"
FUNCTION, BLOCKS, ARCS, LINES = 0x01000000, 0x01410000, 0x01430000, 0x01450000
FAKE, FALLS_THROUGH = 2, 4


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self):
        value = struct.unpack_from("<I", self.data, self.at)[0]
        self.at += 4
        return value

    def text(self):
        size = self.number()  # of bytes, with the zero at its end
        value = self.data[self.at:self.at + size].rstrip(b"\0").decode()
        self.at += size
        return value


class Function:
    def __init__(self, name):
        self.name = name
        self.arcs = collections.defaultdict(list)  # by block: (to, flags)
        self.lines = {}  # of each block the last one, with its file

    def exceptional(self):
        """By (file, line): for each branch that gcov tells, in its order, whether only an exception leads there."""
        calls = {block for block, arcs in self.arcs.items() if block and any(flags & FAKE for _, flags in arcs)}
        seen, waiting = {0}, [0]
        while waiting:
            block = waiting.pop()
            for to, flags in self.arcs[block]:
                thrown = block in calls and not flags & FALLS_THROUGH
                if not flags & FAKE and not thrown and to not in seen:
                    seen.add(to)
                    waiting.append(to)
        branches = collections.defaultdict(list)
        for block in sorted(self.lines):
            real = sum(not flags & FAKE for _, flags in self.arcs[block])
            if real > 1:
                branches[self.lines[block]] += [block not in seen] * real
        return branches


def read(path):
    """The functions of an object, in order."""
    with open(path, "rb") as file:
        reader = Reader(file.read())
    if reader.data[:4] != MAGIC or not reader.data[4:8].endswith(b"B"):  # the version, of gcc 12: "B22*"
        return []
    reader.at = 16
    reader.text()  # the directory
    reader.number()
    functions = []
    while reader.at + 8 <= len(reader.data):
        tag, size = reader.number(), reader.number()
        end = reader.at + size
        if tag == FUNCTION:
            reader.at += 12
            functions.append(Function(reader.text()))
        elif tag == ARCS:
            block = reader.number()
            while reader.at < end:
                functions[-1].arcs[block].append((reader.number(), reader.number()))
        elif tag == LINES:
            block, file = reader.number(), ""
            while reader.at < end:
                line = reader.number()
                if line:
                    functions[-1].lines[block] = (file, line)
                else:
                    file = reader.text()
        reader.at = end
    return functions


class Graph:
    """Of all functions of an object."""

    def __init__(self, path):
        self.of_function = collections.defaultdict(list)
        self.of_line = collections.defaultdict(list)
        for function in read(path):
            for (file, line), branches in function.exceptional().items():
                self.of_function[(function.name, file, line)] += branches
                self.of_line[(file, line)] += branches

    def exceptional(self, function, file, line, count):
        """For each of `count` branches of a line; none is, where the graph does not tell so many."""
        for found in (self.of_function.get((function, file, line), []), self.of_line.get((file, line), [])):
            if len(found) == count:
                return found
        return [False] * count

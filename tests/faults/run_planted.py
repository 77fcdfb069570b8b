"""Plants each fault of planted.txt and expects the test beside it to find it.

    run_planted.py --bin BUILD/tests [--only 9,10] [--control] [--list planted.txt]

--control: also runs each test without its fault, which must succeed.

Prints a table: the fault, the file that it is planted in, the test that found it and how, seconds. Exit code 1: one was not found, a test
fails without its fault, or a fault of test_fault.h has no test.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
HEADER = "storage/base/test_fault.h"
SECONDS_MAX = 600
PROGRAMS = {
    "crash_faults": "crash/quern_crash_faults",
    "crash_column_faults": "crash/quern_crash_column_faults",
    "nth_call": "faults/quern_nth_call_faulty",
    "contract": "faults/quern_contract_faulty",
    "unit": "faults/quern_unit_faulty",
    "unit_indexes": "faults/quern_unit_indexes_faulty",
    "bombs": "faults/quern_bombs_faulty",
}


def read_list(path):
    """(number, program, arguments); of a unit test the name is one argument."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                number, program, arguments = line.split(None, 2)
                # A comma in a name would be another name to Catch2.
                words = [arguments.strip().replace(",", "\\,")] if program.startswith("unit") else arguments.split()
                yield int(number), program, words


def read_faults():
    """What test_fault.h names: number to (name, what it does)."""
    with open(os.path.join(TREE, HEADER), encoding="utf-8") as text:
        found = re.findall(r"^ +(k\w+) = (\d+), +// (.+)$", text.read(), re.M)
    return {int(number): (name, does) for name, number, does in found}


def planted_in():
    """The file that each fault is planted in, by its name."""
    files = {}
    for room in ("storage", "capi", "engine"):
        for folder, _, names in os.walk(os.path.join(TREE, room)):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".cpp"):
                    with open(path, encoding="utf-8") as text:
                        for fault in re.findall(r"Fault::(k\w+)", text.read()):
                            files.setdefault(fault, os.path.relpath(path, TREE))
    return files


def check_list(rows, faults, files):
    """What is wrong with the list and the faults, each in a line."""
    listed = [number for number, _, _ in rows]
    wrong = [f"fault {number} is in the list twice" for number in sorted(set(listed)) if listed.count(number) > 1]
    wrong += [f"fault {number} is not in {HEADER}" for number in listed if number not in faults]
    for number, (name, _) in faults.items():
        if number not in listed:
            wrong.append(f"fault {number} has no test")
        if name not in files:
            wrong.append(f"fault {number} is planted nowhere")
    return wrong


def run(program, words, fault):
    """How the test failed; None: it says that all is well."""
    command = [program, *words]
    if os.path.basename(program).startswith("quern_crash"):
        # These say themselves whether it was found, and fail without a fault as others do.
        if fault:
            command += ["--fault", str(fault)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
            return "fails" if f"fault {fault}: found" in done.stdout else None
    environment = dict(os.environ, QUERN_FAULT=str(fault))
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS_MAX, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return "does not end"
    except OSError as error:
        sys.exit(f"{program}: {error.strerror} (cmake --build BUILD --target quern_planted)")
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    return "fails" if done.returncode else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--list", default=os.path.join(HERE, "planted.txt"))
    parser.add_argument("--only", default="")
    parser.add_argument("--control", action="store_true")
    options = parser.parse_args()
    only = {int(number) for number in options.only.split(",") if number}
    rows = list(read_list(options.list))
    faults = read_faults()
    files = planted_in()
    wrong = check_list(rows, faults, files)
    found = tried = 0
    sound = {}
    for number, program_name, words in rows:
        if only and number not in only or number not in faults:
            continue
        name, _ = faults[number]
        program = os.path.join(options.bin, PROGRAMS[program_name])
        key = (program_name, *words)
        if options.control and key not in sound:
            sound[key] = run(program, words, 0)
        before = sound.get(key)
        begin = time.monotonic()
        how = run(program, words, number)
        seconds = time.monotonic() - begin
        tried += 1
        found += before is None and how is not None
        verdict = how or "NOT FOUND"
        if before is not None:
            verdict = f"{before} WITHOUT IT"
        test = " ".join([program_name, *words]).replace("\\,", ",")
        print(f"{number:3} {name[1:]:20} {files.get(name, '-'):34} {verdict:12} {seconds:6.1f} s  {test}", flush=True)
    for line in wrong:
        print(line)
    controls = f"; {len(sound)} tests without a fault" if options.control else ""
    print(f"{found} of {tried} planted faults found{controls}")
    return 0 if tried and found == tried and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())

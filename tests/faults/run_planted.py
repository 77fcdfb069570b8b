"""Plants each fault of planted.txt and expects the test beside it to find it.

    run_planted.py --bin BUILD/tests [--only 9,10] [--list planted.txt] [--control]

--control: also runs each test without its fault, which must succeed.
"""
import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {
    "crash_faults": "crash/quern_crash_faults",
    "crash_column_faults": "crash/quern_crash_column_faults",
    "crash_short_faults": "crash/quern_crash_short_faults",
    "nth_call": "faults/quern_nth_call_faulty",
    "contract": "faults/quern_contract_faulty",
    "unit": "faults/quern_unit_faulty",
}


def read(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                number, program, arguments = line.split(None, 2)
                words = [arguments.strip()] if program == "unit" else arguments.split()
                yield int(number), program, words


def run(program, words, fault):
    """Whether the test says that all is well."""
    command = [program, *words]
    told = os.path.basename(program).startswith("quern_crash")
    if told and fault:
        # These say themselves whether it was found.
        done = subprocess.run([*command, "--fault", str(fault)], capture_output=True, text=True, timeout=600, check=False)
        return f"fault {fault}: found" not in done.stdout
    environment = dict(os.environ, QUERN_FAULT=str(fault))
    try:
        done = subprocess.run(command, capture_output=True, timeout=600, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--list", default=os.path.join(HERE, "planted.txt"))
    parser.add_argument("--only", default="")
    parser.add_argument("--control", action="store_true")
    options = parser.parse_args()
    only = {int(number) for number in options.only.split(",") if number}
    found = tried = 0
    sound = {}
    for number, name, words in read(options.list):
        if only and number not in only:
            continue
        program = os.path.join(options.bin, PROGRAMS[name])
        begin = time.monotonic()
        key = (name, *words)
        if options.control and key not in sound:
            sound[key] = run(program, words, 0)
        well = sound.get(key, True)
        caught = not run(program, words, number)
        tried += 1
        found += well and caught
        verdict = "found" if caught else "NOT FOUND"
        if not well:
            verdict = "the test fails without it"
        print(f"fault {number:2}: {verdict} by {name} {' '.join(words)} ({time.monotonic() - begin:.1f} s)", flush=True)
    print(f"{found} of {tried} planted faults found")
    return 0 if tried and found == tried else 1


if __name__ == "__main__":
    sys.exit(main())

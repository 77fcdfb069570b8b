#!/usr/bin/env python3
"""Takes the examples out of a README and runs them as they stand.

A block fenced as c, cpp or python is a program; the text block behind it is what it must print. Programs run in an empty directory, with
the library where the loader finds it, and the Python package of this tree where Python does.

Usage: readme_test.py README HEADER_DIRECTORY LIBRARY C_COMPILER [LANGUAGES]     LANGUAGES: those there must be examples of (c,python)
"""
import os
import re
import subprocess
import sys
import tempfile

BINDINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bindings")
SUFFIXES = {"c": "c", "cpp": "cpp", "python": "py"}
BLOCKS = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(readme):
    """(language, program, wanted output) of each program that has a text block behind it."""
    with open(readme, encoding="utf-8") as file:
        blocks = BLOCKS.findall(file.read())
    for (language, program), (next_language, output) in zip(blocks, blocks[1:] + [("", "")]):
        if language in SUFFIXES:
            if next_language != "text":
                sys.exit(f"{readme}: a {language} example without its output behind it")
            yield language, program, output


def run(command, directory, environment):
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)


def main():
    readme, headers, library, compiler = sys.argv[1:5]
    library_directory = os.path.dirname(os.path.abspath(library))
    package = os.path.join(BINDINGS, "python")
    environment = dict(os.environ, LD_LIBRARY_PATH=library_directory, PYTHONPATH=package, PYTHONDONTWRITEBYTECODE="1")
    languages = sys.argv[5] if len(sys.argv) > 5 else "c,python"
    seen = []
    for language, program, output in examples(readme):
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "example." + SUFFIXES[language])
            with open(source, "w", encoding="utf-8") as file:
                file.write(program)
            command = [sys.executable, source]
            if language != "python":
                command = [os.path.join(directory, "example")]
                kind = ["-std=c99"] if language == "c" else ["-std=c++17", "-lstdc++", "-I", os.path.join(BINDINGS, "cpp")]
                built = run([compiler, source, *kind, "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", os.path.abspath(headers),
                             "-L", library_directory, "-lquern", "-o", command[0]], directory, environment)
                if built.returncode != 0:
                    sys.exit(f"the {language} example does not compile:\n{built.stderr}")
            ran = run(command, directory, environment)
            if ran.returncode != 0 or ran.stdout != output:
                sys.exit(f"the {language} example ended with {ran.returncode} and printed\n{ran.stdout}{ran.stderr}\nwanted\n{output}")
        seen.append(language)
    if sorted(set(seen)) != sorted(languages.split(",")):
        sys.exit(f"{readme}: expected examples in {languages}, found {seen}")
    print(f"{len(seen)} examples print what {os.path.basename(readme)} says")


if __name__ == "__main__":
    main()

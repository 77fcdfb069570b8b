#!/usr/bin/env python3
"""Takes the examples out of a README, or of all READMEs of a tree, and runs them as they stand.

A block fenced as c, cpp or python is a program; the text block behind it is what it must print. Programs run in an empty directory, with
the library where the loader finds it, and the Python package of this tree where Python does. A block fenced as sh is lines for bash, each of
which must succeed, in a directory with the files that readme_files.py makes; all such blocks of a README share it, and a text block behind
one is what it must print. Lines of a block fenced as layout begin with a path of the tree. In tests/README.md, C is a piece of the contract
checks and must stand there. In a tree, there may be no other fences, and indented commands must name scripts, presets and targets that
there are.

Usage: readme_test.py README HEADER_DIRECTORY LIBRARY C_COMPILER [LANGUAGES [SHELL]]     LANGUAGES: those there must be examples of (c,python)
       readme_test.py TREE HEADER_DIRECTORY LIBRARY C_COMPILER all SHELL
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BINDINGS = os.path.join(HERE, "..", "..", "bindings")
SUFFIXES = {"c": "c", "cpp": "cpp", "python": "py"}
RUN = (*SUFFIXES, "sh")
BLOCKS = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_of(readme):
    with open(readme, encoding="utf-8") as file:
        return BLOCKS.findall(file.read())


def examples(readme):
    """(language, program, wanted output) of each program that has a text block behind it."""
    blocks = blocks_of(readme)
    for (language, program), (next_language, output) in zip(blocks, blocks[1:] + [("", "")]):
        if language in SUFFIXES:
            if next_language != "text":
                sys.exit(f"{readme}: a {language} example without its output behind it")
            yield language, program, output


def run(command, directory, environment):
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60)


def run_programs(readme, headers, library, compiler):
    """Runs the programs, and tells their languages."""
    library_directory = os.path.dirname(os.path.abspath(library))
    package = os.path.join(BINDINGS, "python")
    environment = dict(os.environ, LD_LIBRARY_PATH=library_directory, PYTHONPATH=package, PYTHONDONTWRITEBYTECODE="1")
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
                    sys.exit(f"{readme}: the {language} example does not compile:\n{built.stderr}")
            ran = run(command, directory, environment)
            if ran.returncode != 0 or ran.stdout != output:
                sys.exit(f"{readme}: the {language} example ended with {ran.returncode} and printed\n{ran.stdout}{ran.stderr}\nwanted\n{output}")
        seen.append(language)
    return seen


def run_shell(readme, shell):
    """Runs the sh blocks; their number."""
    blocks = blocks_of(readme) + [("", "")]
    count = sum(language == "sh" for language, _ in blocks)
    if count == 0:
        return 0
    shell = os.path.abspath(shell)
    environment = dict(os.environ, PATH=os.path.dirname(shell) + os.pathsep + os.environ["PATH"], NO_COLOR="1", LC_ALL="C.UTF-8")
    with tempfile.TemporaryDirectory() as directory:
        made = run([sys.executable, os.path.join(HERE, "readme_files.py"), shell], directory, environment)
        if made.returncode != 0:
            sys.exit(f"readme_files.py: {made.stderr}")
        for (language, script), (next_language, output) in zip(blocks, blocks[1:]):
            if language != "sh":
                continue
            ran = run(["bash", "-euo", "pipefail", "-c", script], directory, environment)
            if ran.returncode != 0:
                sys.exit(f"{readme}: a shell example ended with {ran.returncode}:\n{script}{ran.stdout[-2000:]}{ran.stderr}")
            if next_language == "text" and ran.stdout != output:
                sys.exit(f"{readme}: the shell example printed\n{ran.stdout}wanted\n{output}")
    return count


def words_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_block(tree, readme, language, before, text):
    """A block that is not run."""
    if language == "layout":
        for line in text.splitlines():
            if not os.path.exists(os.path.join(tree, line.split()[0])):
                sys.exit(f"{readme}: there is no {line.split()[0]}")
    elif language == "c":
        checks = "".join("".join(words_of(path).split()) for path in glob.glob(os.path.join(tree, "tests", "contract", "*.c")))
        if "".join(text.split()) not in checks:
            sys.exit(f"{readme}: this is not in the contract checks:\n{text}")
    elif language != "text" or before not in RUN:
        sys.exit(f"{readme}: a block fenced as '{language}' is not run: {text[:60]}")


def check_commands(tree, readme, targets, presets):
    """Indented commands name what is there."""
    for line in re.findall(r"(?<=\n\n)((?:    \S.*\n)+)", re.sub(BLOCKS, "", words_of(readme))):
        for word in re.sub(r"#.*", "", line).split():
            if word.startswith("./") and not os.path.exists(os.path.join(tree, word)):
                sys.exit(f"{readme}: there is no {word}")
        for name in re.findall(r"--target (\S+)|build/\w+/\S*/((?:quern|bench|fuzz)_\w+)", line):
            if not set(name) & targets:
                sys.exit(f"{readme}: there is no target {''.join(name)}")
        for name in re.findall(r"--preset (\w+)", line):
            if name not in presets:
                sys.exit(f"{readme}: there is no preset {name}")


def run_tree(tree, headers, library, compiler, shell):
    targets, readmes = set(), []
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if name not in ("build", "node_modules") and not name.startswith("."))
        if "CMakeLists.txt" in names:
            lists = words_of(os.path.join(folder, "CMakeLists.txt"))
            targets |= set(re.findall(r"\b((?:quern|bench|fuzz)_\w+)", lists))
            # Fuzz targets are named after their sources.
            targets |= {name[:-4] for name in names if re.fullmatch(r"fuzz_\w+\.cpp", name)}
        readmes += [os.path.join(folder, name) for name in names if name == "README.md"]
    presets = {preset["name"] for preset in json.loads(words_of(os.path.join(tree, "CMakePresets.json")))["configurePresets"]}
    run_there = 0
    for readme in readmes:
        pieces_of_checks = os.path.relpath(readme, tree) == os.path.join("tests", "README.md")
        before = ""
        for language, text in blocks_of(readme):
            if language not in RUN or (language == "c" and pieces_of_checks):
                check_block(tree, readme, language, before, text)
            before = language
        check_commands(tree, readme, targets, presets)
        run_there += (0 if pieces_of_checks else len(run_programs(readme, headers, library, compiler))) + run_shell(readme, shell)
    print(f"{len(readmes)} READMEs: {run_there} examples run, and nothing else is fenced")


def main():
    readme, headers, library, compiler = sys.argv[1:5]
    languages = sys.argv[5] if len(sys.argv) > 5 else "c,python"
    if languages == "all":
        run_tree(os.path.abspath(readme), headers, library, compiler, sys.argv[6])
        return
    seen = run_programs(readme, headers, library, compiler)
    if len(sys.argv) > 6 and run_shell(readme, sys.argv[6]) > 0:
        seen.append("sh")
    if sorted(set(seen)) != sorted(languages.split(",")):
        sys.exit(f"{readme}: expected examples in {languages}, found {seen}")
    print(f"{len(seen)} examples print what {os.path.basename(readme)} says")


if __name__ == "__main__":
    main()

"""The wheel, put into an empty place, does the main job there with the library that is inside it: unpacked as installers do, and by pip
in a virtual environment where there is one."""
import base64
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

from python_case import HERE, quern

BUILDER = os.path.join(HERE, "..", "build_wheel.py")
MAIN_JOB = """
import os, quern
assert os.path.dirname(quern.library_path) == os.path.dirname(quern.__file__), quern.library_path
with quern.open("x.quern") as db:
    docs = db.collection("docs", dim=2, metric="l2")
    docs.upsert(["a", "b"], [[0, 0], [1, 1]], [{"year": 1}, {"year": 2}], ["white", "black"])
with quern.open("x.quern", mode="ro") as db:
    docs = db.collection("docs")
    print(docs.search([1, 1], where={"year": {"$gt": 0}}).ids, docs.search(text="white").ids)
"""


def run(command, directory, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("QUERN_LIBRARY", "PYTHONPATH", "LD_LIBRARY_PATH")}
    return subprocess.run(command, cwd=directory, env={**kept, **environment}, capture_output=True, text=True, timeout=300)


class WheelTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name
        made = run([sys.executable, BUILDER, os.path.abspath(quern.library_path), self.place], self.place)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.wheel = os.path.join(self.place, os.path.basename(made.stdout.strip()))

    def main_job(self, command, **environment):
        ran = run([*command, "-c", MAIN_JOB], self.place, **environment)
        self.assertEqual((ran.returncode, ran.stdout), (0, "['b', 'a'] ['a']\n"), ran.stderr)

    def test_unpacked(self):
        target = os.path.join(self.place, "site")
        with zipfile.ZipFile(self.wheel) as archive:
            archive.extractall(target)
        self.main_job([sys.executable], PYTHONPATH=target)

    def test_record(self):
        with zipfile.ZipFile(self.wheel) as archive:
            names = archive.namelist()
            record = next(name for name in names if name.endswith("RECORD"))
            for name, told, size in csv.reader(io.StringIO(archive.read(record).decode())):
                names.remove(name)
                if name != record:
                    data = archive.read(name)
                    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                    self.assertEqual((told, int(size)), (f"sha256={digest}", len(data)))
            self.assertEqual(names, [])

    def test_what_it_needs_of_the_system_is_told(self):
        self.assertRegex(os.path.basename(self.wheel), r"-py3-none-(linux|macosx|win)[^-]*\.whl$")  # no promise of manylinux
        if shutil.which("readelf") is None or ".so" not in quern.library_path:
            self.skipTest("no readelf, or no ELF: what the library needs is not compared with the guide")
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run(["readelf", "-d", os.path.abspath(quern.library_path)], self.place).stdout))
        with open(os.path.join(HERE, "..", "README.md"), encoding="utf-8") as file:
            told = set(re.findall(r"`(lib[a-z0-9+]+\.so\.\d+)`", file.read()))
        self.assertIn("libsqlite3.so.0", needed)
        elsewhere = ("ld-", "libc.", "libm.", "libgcc_s.", "libomp.")  # there with any C++; and what another compiler has in place of libgomp
        self.assertLessEqual({name for name in needed if not name.startswith(elsewhere)}, told)

    def test_the_same_files_make_the_same_wheel(self):
        with open(self.wheel, "rb") as file:
            before = file.read()
        run([sys.executable, BUILDER, os.path.abspath(quern.library_path), self.place], self.place)
        with open(self.wheel, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_installed_by_pip(self):
        environment = os.path.join(self.place, "venv")
        if run([sys.executable, "-m", "venv", environment], self.place).returncode != 0:
            self.skipTest("this Python makes no virtual environments (python3-venv): the wheel is not installed by pip")
        python = os.path.join(environment, "bin", "python")
        installed = run([python, "-m", "pip", "install", "--no-index", "--quiet", self.wheel], self.place)
        self.assertEqual(installed.returncode, 0, installed.stderr)
        self.main_job([python])

    def test_without_a_library(self):
        made = run([sys.executable, BUILDER, "absent.so", self.place], self.place)
        self.assertNotEqual(made.returncode, 0)
        self.assertIn("absent.so", made.stderr)


if __name__ == "__main__":
    unittest.main()

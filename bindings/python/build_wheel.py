#!/usr/bin/env python3
"""Makes a wheel: the package, and the library inside it. One wheel serves every Python 3 of a platform, since nothing in it is compiled
against Python. A wheel is a zip with three files of metadata, so nothing but Python is needed.

Usage: build_wheel.py LIBRARY [DIRECTORY]      LIBRARY: libquern.so; DIRECTORY: where the wheel goes (default: here)

It is also the build backend that pyproject.toml names: `QUERN_LIBRARY=libquern.so pip install bindings/python`. The tag says
linux_x86_64 (or what the platform is): the library uses those of the system it was built on, which README.md lists, and that is less than any
tag of manylinux promises. A wheel for an index needs a library that holds them, built on a system old enough, and its tag.
"""
import base64
import hashlib
import os
import re
import stat
import sys
import sysconfig
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TIME = (2020, 1, 1, 0, 0, 0)  # the same files make the same wheel


def setting(name):
    """A value of pyproject.toml; tomllib came with Python 3.11 only."""
    with open(os.path.join(HERE, "pyproject.toml"), encoding="utf-8") as file:
        return re.search(rf'^{name} = "(.*)"$', file.read(), re.MULTILINE).group(1)


def library_name(path):
    """What the package looks for beside itself."""
    base = os.path.basename(os.path.realpath(path))
    return "libquern.so.0" if ".so" in base else "libquern.0.dylib" if base.endswith(".dylib") else "quern.dll"


def package_files():
    for folder, folders, names in os.walk(os.path.join(HERE, "quern")):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith((".py", ".typed")):
                path = os.path.join(folder, name)
                yield os.path.relpath(path, HERE).replace(os.sep, "/"), path


def metadata():
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        guide = file.read()
    return (f"Metadata-Version: 2.1\nName: quern\nVersion: {setting('version')}\nSummary: {setting('description')}\nLicense: MIT\n"
            f"Requires-Python: {setting('requires-python')}\nProvides-Extra: numpy\nRequires-Dist: numpy; extra == 'numpy'\n"
            f"Description-Content-Type: text/markdown\n\n{guide}")


def build(library, directory):
    """Writes the wheel and returns its name."""
    if not os.path.isfile(library):
        sys.exit(f"build_wheel.py: there is no library {library}: build quern first")
    version = setting("version")
    tag = "py3-none-" + re.sub(r"[^A-Za-z0-9]", "_", sysconfig.get_platform())
    info = f"quern-{version}.dist-info"
    parts = []
    for name, path in package_files():
        with open(path, "rb") as file:
            parts.append((name, file.read(), 0o644))
    with open(library, "rb") as file:
        parts.append((f"quern/{library_name(library)}", file.read(), 0o755))
    with open(os.path.join(HERE, "..", "..", "LICENSE"), "rb") as file:
        parts.append((f"{info}/LICENSE", file.read(), 0o644))
    parts.append((f"{info}/METADATA", metadata().encode(), 0o644))
    parts.append((f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: quern\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(), 0o644))
    lines = [f"{name},sha256={digest(data)},{len(data)}" for name, data, _ in parts] + [f"{info}/RECORD,,"]
    parts.append((f"{info}/RECORD", ("\n".join(lines) + "\n").encode(), 0o644))
    wheel = f"quern-{version}-{tag}.whl"
    os.makedirs(directory, exist_ok=True)
    with zipfile.ZipFile(os.path.join(directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in parts:
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, data)
    return wheel


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


# The hooks of PEP 517. There is no source distribution: it would lack the library.
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    library = os.environ.get("QUERN_LIBRARY")
    if not library:
        sys.exit("set QUERN_LIBRARY to the libquern.so that the wheel is to hold")
    if os.path.isdir(library):
        library = os.path.join(library, "libquern.so")
    return build(library, wheel_directory)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    directory = sys.argv[2] if len(sys.argv) == 3 else "."
    print(os.path.join(directory, build(sys.argv[1], directory)))


if __name__ == "__main__":
    main()

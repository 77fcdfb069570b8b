"""Finds libquern and loads it. In this order:

    1. what the environment variable QUERN_LIBRARY names: the file, or the directory that holds it
    2. beside this package, where a wheel puts it
    3. where the system's loader looks

Calls go through ctypes.CDLL, which lets other Python threads run meanwhile; those that only look at a result go by ctypes.PYFUNCTYPE, which does not:
they are over sooner than the interpreter's lock is given away and taken back.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from typing import Any

from ._signatures import SIGNATURES, TYPES, is_quick

if sys.platform == "darwin":
    NAMES = ("libquern.0.dylib", "libquern.dylib")
elif os.name == "nt":
    NAMES = ("quern.dll", "libquern.dll")
else:
    NAMES = ("libquern.so.0", "libquern.so")

HERE = os.path.dirname(os.path.abspath(__file__))


def candidates() -> list[str]:
    """Where the library may be, best first."""
    told = os.environ.get("QUERN_LIBRARY")
    if told:
        # Who says where it is means that one and no other.
        return [os.path.join(told, name) for name in NAMES] if os.path.isdir(told) else [told]
    return [os.path.join(HERE, name) for name in NAMES if os.path.exists(os.path.join(HERE, name))] + list(NAMES)


def load() -> tuple[Any, str]:
    """The library with the types of its functions set. ImportError says where it was looked for, and why that failed."""
    reasons = []
    for path in candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            reasons.append(f"  {path}: {error}")
            continue
        missing = set_types(library)
        if not missing:
            return library, path
        reasons.append(f"  {path}: is of another version, without {missing}")
    raise ImportError("quern: its library was not found. Set QUERN_LIBRARY to libquern.so, or to its directory. Tried:\n" + "\n".join(reasons))


def set_types(library: Any) -> str | None:
    """Gives each function its prototype; the name of the first one that is not there, or None."""
    for name, signature in SIGNATURES.items():
        returned, _, taken = signature.partition(":")
        try:
            function = getattr(library, name)
        except AttributeError:
            return name
        function.restype = TYPES[returned]
        function.argtypes = [TYPES[letter] for letter in taken]
        if is_quick(name) and hasattr(ctypes, "PYFUNCTYPE"):
            setattr(library, name, ctypes.PYFUNCTYPE(TYPES[returned], *function.argtypes)((name, library)))
    return None


api, path = load()

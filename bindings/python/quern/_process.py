"""Which process this is. A database belongs to the process that opened it."""
from __future__ import annotations

import os
from typing import Any


class Process:
    """The number of forks behind this process: cheaper to ask than the system."""

    forks = 0


def count_fork() -> None:
    Process.forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=count_fork)


class Owner:
    """What holds a handle of the library, or what lies in this process. A copy would free it a second time: there is none."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} of quern cannot be copied or pickled: it belongs to an open file of this process")

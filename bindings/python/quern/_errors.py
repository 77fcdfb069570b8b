"""Exceptions, a class for each family of status codes; and how a failed call becomes one.

What is wrong with an argument before the library sees it (its shape, its type) is a TypeError or ValueError of Python's. UsageError
is a ValueError, too, so that `except ValueError` catches both.
"""
from __future__ import annotations

import ctypes
import threading
from typing import Any, NoReturn

from ._library import api


class Error(Exception):
    """What quern says went wrong. status: the code of quern.h; name: its name; detail: SQLite's code, or 0; os_errno: errno, or 0."""

    def __init__(self, message: str, status: int = 0, detail: int = 0, os_errno: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.os_errno = os_errno

    @property
    def name(self) -> str:
        found: str = api.quern_status_name(self.status).decode() if self.status else ""
        return found


class UsageError(Error, ValueError):
    """The call was wrong; nothing happened."""


class ClosedError(UsageError):
    """The database was closed."""


class ForkError(UsageError):
    """A database, or something made from it, was carried over fork(). Open the file again in the child."""


class NotFoundError(UsageError, LookupError):
    """There is no such collection, key, field or attribute."""


class ExistsError(UsageError):
    """A collection, field, attribute or key of that name is there already."""


class LimitError(Error):
    """More than a limit allows."""


class OutOfMemoryError(LimitError, MemoryError):
    """The library got no memory."""


class BusyError(Error):
    """Another writer holds the file for longer than busy_ms."""


class FileError(Error):
    """Reading or writing failed; os_errno tells more."""


class OutcomeUnknownError(FileError):
    """A commit failed part-way: reopen the file to learn whether the transaction is there."""


class CorruptError(Error):
    """Damaged content; the message names what is damaged."""


class FormatError(Error):
    """No quern file, or one of a newer version."""


class Interrupted(Error):
    """Database.interrupt() was called, or the progress function said stop; what was begun was rolled back."""


class InternalError(Error):
    """A bug in quern: please report it."""


FAMILIES = {1: UsageError, 2: LimitError, 3: BusyError, 4: FileError, 5: CorruptError, 6: FormatError, 7: Interrupted, 9: InternalError}
SPECIAL = {-102: ClosedError, -103: NotFoundError, -104: NotFoundError, -105: ExistsError, -106: ExistsError, -201: OutOfMemoryError,
           -403: OutcomeUnknownError, -404: OutcomeUnknownError}
UNKNOWN_FIELD = -104
NOT_FINITE = -110
INTERRUPTED = -700


class CError(ctypes.Structure):
    """quern_error"""
    _fields_ = [("struct_size", ctypes.c_uint32), ("status", ctypes.c_int32), ("detail", ctypes.c_int32), ("os_errno", ctypes.c_int32),
                ("message", ctypes.c_char * 480)]


def new_error() -> CError:
    return CError(ctypes.sizeof(CError), 0, 0, 0, b"")


class Local(threading.local):
    """What a thread needs for its calls: its error struct, and what its progress function has raised."""

    def __init__(self) -> None:
        self.error = new_error()
        self.reference = ctypes.byref(self.error)
        self.job: Any = None  # the slow call that it is in
        self.raised: BaseException | None = None
        self.inside: list[Any] = []  # the databases whose progress functions are running


local = Local()


def failure(status: int, message: str, detail: int = 0, os_errno: int = 0) -> Error:
    """The exception for a status code."""
    return SPECIAL.get(status, FAMILIES.get(-status // 100, Error))(message, status, detail, os_errno)


def throw(status: int, error: CError | None = None) -> NoReturn:
    """Raises the exception for the call that has just failed in this thread. error: where it has told why, if not in the thread's own."""
    error = local.error if error is None else error
    raised, local.raised = local.raised, None
    if raised is not None and status == INTERRUPTED:
        raise raised
    text = error.message.decode("utf-8", "replace") if error.status == status else ""
    raise failure(status, text or api.quern_status_name(status).decode(), error.detail, error.os_errno)


def relabel(error: Error, label: str) -> None:
    """Puts what the caller knows in front of a message: the argument that it is about."""
    error.args = (f"{label}: {error}", *error.args[1:])


def call(function: Any, *arguments: Any) -> None:
    """Calls a function whose last argument is the error, and raises what it reports."""
    status = function(*arguments, local.reference)
    if status:
        throw(status)

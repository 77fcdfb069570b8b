"""Slow calls: their progress, and Ctrl-C.

Python runs signal handlers on the main thread, between two of its steps. A main thread inside a long call would not see Ctrl-C until that
ends; and a progress function that the library calls there would see it before its first line, where nobody can catch it. So the main
thread lends slow calls to a thread of their own and waits: Ctrl-C ends the waiting, and the progress function tells the library to stop.
"""
from __future__ import annotations

import sys
import threading
from typing import Any

from ._arrays import describe
from ._errors import call, local
from ._library import api
from ._signatures import PROGRESS


class Job:
    """A slow call under way: whom to tell, and whether it is to stop."""

    def __init__(self, db: Any, progress: Any) -> None:
        if progress is True:
            progress = print_progress
        if progress is not None and progress is not False and not callable(progress):
            raise TypeError(f"progress is {describe(progress)}, not a function or True")
        self.db = db
        self.progress = progress or None
        self.stop = False
        self.error: BaseException | None = None
        self.done = threading.Event()


def report_progress(user: int, task: bytes, done: int, total: int) -> int:
    """What the library calls about ten times a second, on the thread that waits for it. Nonzero stops the work."""
    local.inside.append(user)
    try:
        job = local.job
        if job is None:
            return 0
        if job.stop or job.db._closing:
            return 1
        return 1 if job.progress is not None and job.progress(task.decode(), done, total) is False else 0
    except BaseException as error:
        local.raised = error
        return 1
    finally:
        local.inside.pop()


PROGRESS_FUNCTION = PROGRESS(report_progress)
NO_FUNCTION: Any = PROGRESS(0)


def print_progress(task: str, done: int, total: int) -> None:
    share = f"{100 * done // total:3d} %" if total else str(done)
    print(f"\r{task}: {share}   ", end="", file=sys.stderr, flush=True)


def run_slow(db: Any, progress: Any, function: Any, *arguments: Any) -> None:
    """Calls a function of the library that may take long; db: the Database, whose handle is in use meanwhile. progress: None, True (tell
    the terminal), or a function (task, done, total) that may return False, or raise, to stop the work."""
    job = Job(db, progress)
    with db._using as handle:
        watch(db, handle, 1)
        try:
            if threading.current_thread() is threading.main_thread():
                lend(db, job, function, arguments)
            else:
                work(job, function, arguments)
        finally:
            watch(db, handle, -1)
    if job.progress is print_progress:
        print(file=sys.stderr)
    if job.error is not None:
        raise job.error


def watch(db: Any, handle: Any, change: int) -> None:
    """The library has a progress function while any slow call is under way."""
    with db._lock:
        db._jobs += change
        if db._jobs == (1 if change > 0 else 0) and not local.inside:
            call(api.quern_progress, handle, *((PROGRESS_FUNCTION, id(db)) if change > 0 else (NO_FUNCTION, None)))


def work(job: Job, function: Any, arguments: Any) -> None:
    before, local.job = local.job, job
    try:
        call(function, *arguments)
    except BaseException as error:
        job.error = error
    finally:
        local.job = before
        job.done.set()


def lend(db: Any, job: Job, function: Any, arguments: Any) -> None:
    threading.Thread(target=work, args=(job, function, arguments), daemon=True).start()
    caught: BaseException | None = None
    while True:
        try:
            job.done.wait()
            break
        except BaseException as error:  # Ctrl-C, or what another signal's handler raises
            if caught is not None:
                api.quern_interrupt(db._handle)  # the second time: with all else that runs on this database
            caught = error
            job.stop = True
    if caught is not None:
        job.error = caught

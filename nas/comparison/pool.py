"""Jobs in parallel processes; one that fails, or kills its process, does not stop the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from nas.errors import NasError

__all__ = ["Failure", "run_all"]

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Failure:
    """Why a job has no result.

    Args:
        reason: One line.
        details: The traceback, for who mends it; empty for a mistake of the user.
    """

    reason: str
    details: str = ""


@dataclass(frozen=True)
class _Work(Generic[J, R]):
    """A function that returns what it raised; the error itself may not survive the way back."""

    function: Callable[[J], R]

    def __call__(self, job: J) -> R | Failure:
        try:
            return self.function(job)
        except NasError as error:
            return Failure(str(error))
        except Exception as error:
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            return Failure(line, traceback.format_exc())


def run_all(
    function: Callable[[J], R], jobs: Sequence[J], processes: int
) -> Iterator[tuple[J, R | Failure]]:
    """Do jobs and yield each with its result, in the order in which they end.

    Args:
        function: What to do with a job; it and the jobs can be pickled.
        jobs: What to do.
        processes: How many at the same time; 1 stays in this process.
    """
    work = _Work(function)
    if processes == 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, work(job)
        return
    suspects: list[J] = []
    left = list(jobs)
    while left:
        left, broken = yield from _until_broken(work, left, processes)
        suspects += broken
    for job in suspects:  # each with a process of its own: which one does it?
        _, broken = yield from _until_broken(work, [job], 1)
        if broken:
            yield job, Failure("its process died; perhaps the memory did not suffice")


def _until_broken(
    work: _Work[J, R], jobs: Sequence[J], processes: int
) -> Generator[tuple[J, R | Failure], None, tuple[list[J], list[J]]]:
    """Do jobs until a process dies; return which were not begun, and which were under way."""
    left = deque(jobs)
    running: dict[Future[R | Failure], J] = {}
    with _pool(min(processes, len(jobs))) as pool:
        while left or running:
            try:
                while left and len(running) < processes:
                    with _ignoring_interrupts():  # a process that is being made inherits this
                        future = pool.submit(work, left[0])
                    running[future] = left.popleft()
            except BrokenProcessPool:
                return list(left), list(running.values())
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                try:
                    result = future.result()
                except BrokenProcessPool:
                    return list(left), list(running.values())
                yield running.pop(future), result
    return [], []


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Make processes; they end with the block, at once where it is left by an error."""
    before = {child.pid for child in multiprocessing.active_children()}
    context = multiprocessing.get_context("spawn")
    with _environment(dict.fromkeys(_THREADS, "1")):
        pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
        try:
            yield pool
        except BaseException:
            for child in multiprocessing.active_children():
                if child.pid not in before:
                    child.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change what a signal does
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin() -> None:
    """Prepare a process: the parent alone heeds Ctrl-C, and none outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

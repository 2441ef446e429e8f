"""An end to what takes too long."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from nas.errors import NasError

__all__ = ["EvaluationTimeout", "time_limit"]

_AGAIN = 1.0  # seconds until it is raised once more, for code that catches everything


class EvaluationTimeout(Exception):
    """Something took longer than it may."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `EvaluationTimeout` in the block if it runs longer than it may.

    An alarm signal of the operating system interrupts Python code and waiting; one long call into
    compiled code is interrupted when it returns. A limit within a limit hides the outer one.

    Args:
        seconds: None is any time.

    Raises:
        NasError: If there is a limit and this is not the main thread, which alone gets signals.
    """
    if seconds is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise NasError("a timeout needs the main thread of the program")
    if not hasattr(signal, "SIGALRM"):
        raise NasError("a timeout needs alarm signals, which this operating system has not")

    def stop(number: int, frame: FrameType | None) -> None:
        raise EvaluationTimeout(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

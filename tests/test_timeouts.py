"""An end to what takes too long."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from nas.errors import NasError
from nas.timeouts import EvaluationTimeout, time_limit


def test_waiting_and_computing_are_interrupted() -> None:
    with pytest.raises(EvaluationTimeout, match=r"took longer than 0.05 s"), time_limit(0.05):
        time.sleep(30)
    with pytest.raises(EvaluationTimeout), time_limit(0.05):
        while True:
            pass


def test_what_is_quick_enough_goes_on() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(30):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
    with time_limit(None):
        pass


def test_code_that_catches_everything_is_interrupted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.timeouts._AGAIN", 0.05)
    caught = 0
    with pytest.raises(EvaluationTimeout), time_limit(0.05):
        for _ in range(3):
            try:
                time.sleep(30)
            except Exception:
                caught += 1
                if caught == 2:
                    raise
    assert caught == 2


def test_other_threads_have_no_limit() -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            with time_limit(1):
                pass
        except NasError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])

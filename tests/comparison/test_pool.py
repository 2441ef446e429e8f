"""Jobs in parallel processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from nas.comparison.pool import Failure, run_all
from nas.errors import NasError


def work(job: int) -> tuple[int, int, str | None]:
    if job < 0:
        raise ValueError(f"no {job}\nof more lines")
    return job * job, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def die(job: int) -> int:
    if job == 3:
        os._exit(9)
    return job


def wait_for_ever(file: str) -> None:
    Path(file).touch()
    time.sleep(600)


def test_results_and_failures_in_one_process() -> None:
    found = dict(run_all(work, [2, -1, 3], 1))
    assert found[2] == (4, os.getpid(), os.environ.get("OMP_NUM_THREADS"))
    failure = found[-1]
    assert isinstance(failure, Failure) and failure.reason == "ValueError: no -1"
    assert "Traceback" in failure.details and isinstance(found[3], tuple)


def test_mistakes_of_the_user_have_no_traceback() -> None:
    def refuse(job: int) -> None:
        raise NasError("not so")

    assert list(run_all(refuse, [1], 1)) == [(1, Failure("not so"))]


def test_results_and_failures_in_several_processes() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    found = dict(run_all(work, [2, -1, 3, 4], 2))
    values = [value for value in found.values() if isinstance(value, tuple)]
    assert sorted(value[0] for value in values) == [4, 9, 16] and isinstance(found[-1], Failure)
    assert os.getpid() not in {value[1] for value in values}
    assert {value[2] for value in values} == {"1"}  # each process has one thread
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert not multiprocessing.active_children()


def test_a_job_that_kills_its_process_is_found() -> None:
    found = dict(run_all(die, [3, 1], 2))
    failure = found.pop(3)
    assert isinstance(failure, Failure) and "process died" in failure.reason
    assert found == {1: 1}


def test_an_interrupted_pool_leaves_no_process(tmp_path: Path) -> None:
    before = time.monotonic()
    running = run_all(wait_for_ever, [str(tmp_path / "a"), str(tmp_path / "b")], 2)

    def alarm() -> None:
        while not (tmp_path / "a").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=alarm, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        next(running)
    assert not multiprocessing.active_children() and time.monotonic() - before < 300

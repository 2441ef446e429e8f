"""Processes that read batches."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.errors import NasError
from nas.task.examples.workers import Workers, _start, worker_count


def double(numbers: Any) -> Tensor:
    """Two columns: each number doubled, and the process that did it."""
    if 13 in numbers:
        raise NasError("data/thirteen.png: not a readable image")
    return torch.tensor([[2 * number, os.getpid()] for number in numbers.tolist()])


def parts(count: int, size: int = 2) -> list[Any]:
    return np.split(np.arange(count), range(size, count, size))


def values(batches: Any) -> list[int]:
    return [int(number) for batch in batches for number in batch[:, 0]]


def children() -> list[int]:
    return [child.pid or 0 for child in multiprocessing.active_children()]


def wait_until_gone(pids: list[int], seconds: float = 20) -> None:
    """Wait for processes to end; zombies whose parent has died count as ended."""
    end = time.monotonic() + seconds
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < end, "processes are left"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("count", [0, 1, 2])
def test_batches_come_in_order_from_that_many_processes(count: int) -> None:
    workers = Workers(double, count)
    found = list(workers.batches(parts(11)))
    assert values(found) == list(range(0, 22, 2))
    assert [len(batch) for batch in found] == [2] * 5 + [1]
    readers = {int(pid) for batch in found for pid in batch[:, 1]}
    assert readers == {os.getpid()} if count == 0 else len(readers) == count
    assert sorted(children()) == sorted(readers - {os.getpid()})


def test_processes_are_used_again_and_end_with_their_owner() -> None:
    workers = Workers(double, 2)
    first = values(workers.batches(parts(8)))
    started = children()
    assert values(workers.batches(parts(5, size=1))) == first[:5]
    assert len(started) == 2 and children() == started
    del workers
    assert children() == []


def test_a_pass_left_early_leaves_no_batch_behind() -> None:
    workers = Workers(double, 2)
    batches = workers.batches(parts(100))
    assert values([next(batches)]) == [0, 2]
    batches.close()
    assert values(workers.batches(parts(6)[1:])) == [4, 6, 8, 10]
    assert len(children()) == 2
    del workers, batches
    assert children() == []


def test_passes_may_overlap() -> None:
    workers = Workers(double, 1)
    pairs = list(zip(workers.batches(parts(6)), workers.batches(parts(60)), strict=False))
    assert values(first for first, _ in pairs) == values(second for _, second in pairs)
    assert len(children()) == 2
    assert values(workers.batches(parts(4))) == [0, 2, 4, 6]
    assert len(children()) == 2


@pytest.mark.parametrize("count", [0, 2])
def test_what_cannot_be_read_is_one_clear_line(count: int) -> None:
    workers = Workers(double, count)
    with pytest.raises(NasError, match=r"^data/thirteen\.png: not a readable image$"):
        values(workers.batches(parts(20)))
    assert values(workers.batches(parts(4))) == [0, 2, 4, 6]


def test_a_failure_of_the_processes_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead:
        def __iter__(self) -> Any:
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.\nmore")

    workers = Workers(double, 1)
    monkeypatch.setattr(workers, "_open", lambda: (Dead(), Dead()))
    with pytest.raises(
        NasError, match=r"worker \(pid 7\) is killed by signal: Killed\.\); .*set workers"
    ):
        next(workers.batches(parts(4)))


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    workers = Workers(double, 1)
    for _ in range(2):
        values(workers.batches(parts(4)))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_interrupt_is_left_to_the_main_process() -> None:
    workers = Workers(double, 2)
    batches = workers.batches(parts(12, size=1))
    found = values([next(batches) for _ in range(3)])  # now both have started
    for pid in children():
        os.kill(pid, signal.SIGINT)
    assert found + values(batches) == list(range(0, 24, 2))


def test_workers_can_be_sent_to_another_process() -> None:
    workers = Workers(double, 1)
    first = values(workers.batches(parts(4)))
    again = pickle.loads(pickle.dumps(workers))
    assert (again.count, again.pin) == (1, False)
    assert values(again.batches(parts(4))) == first


def test_a_daemonic_process_reads_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    assert values(Workers(double, 2).batches(parts(4))) == [0, 2, 4, 6]
    assert children() == []


def test_worker_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (worker_count(0), worker_count(40)) == (0, 40)
    for cores, expected in ((1, 0), (2, 1), (9, 8), (64, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: range(n), raising=False)
        assert worker_count(None) == expected
    with pytest.raises(NasError, match="workers=-1: expected 0"):
        worker_count(-1)


@pytest.mark.skipif(
    multiprocessing.get_start_method() == "forkserver", reason="readers have another parent"
)
def test_a_reader_that_starts_after_the_main_process_died_ends() -> None:
    for main, code in ((os.getpid(), 0), (os.getpid() + 1, 1)):
        process = multiprocessing.Process(target=_start, args=(main, 0))
        process.start()
        process.join()
        assert process.exitcode == code


ENDLESS = """
import multiprocessing, numpy as np, time, torch
from nas.task.examples.workers import Workers
batches = Workers(torch.from_numpy, 2).batches(np.split(np.arange(10**4), 10**3))
next(batches)
print(*[child.pid for child in multiprocessing.active_children()], flush=True)
for batch in batches:
    time.sleep(0.05)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_survives_the_main_one(how: signal.Signals) -> None:
    main = subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert main.stdout is not None
    readers = [int(pid) for pid in main.stdout.readline().split()]
    assert len(readers) == 2 and all(_runs(pid) for pid in readers)
    if how == signal.SIGINT:
        os.killpg(main.pid, how)  # as Ctrl-C in a terminal: every process gets it
    else:
        main.send_signal(how)
    assert main.wait(20) != 0
    wait_until_gone(readers)

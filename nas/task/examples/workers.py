"""Processes that read batches, kept from one pass over the data to the next."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from nas.errors import NasError
from nas.task.splits import Indices

__all__ = ["Read", "Workers", "worker_count"]

Read = Callable[[Indices], Tensor]
"""Reads examples by their numbers, int64 [B], into one tensor [B, ...]; may raise `NasError`."""

_MOST = 8


def worker_count(asked: int | None) -> int:
    """Return how many processes shall read: as asked, or one less than the cores, at most 8.

    Raises:
        NasError: For a negative number.
    """
    if asked is None:
        usable = getattr(os, "sched_getaffinity", None)  # not on every system
        cores = len(usable(0)) if usable else os.cpu_count() or 1
        return min(cores - 1, _MOST)
    if asked < 0:
        raise NasError(f"workers={asked}: expected 0 (read in this process) or more processes")
    return asked


class _Numbers(Sampler[Indices]):
    """What a loader shall read next: numbers of examples, batch by batch."""

    def __init__(self) -> None:
        self.batches: Sequence[Indices] = ()

    def __iter__(self) -> Iterator[Indices]:
        return iter(self.batches)


class _Reader(Dataset[Any]):
    """Hands errors on as text, which crosses from one process to another as it is."""

    def __init__(self, read: Read) -> None:
        self.read = read

    def __getitem__(self, numbers: Any) -> Tensor | str:
        try:
            return self.read(numbers)
        except NasError as error:
            return str(error)


class Workers:
    """Reads batches in other processes, ahead of their use.

    Passes may overlap, such as one over training and one over validation examples: each takes a
    set of processes that is idle, or starts one. Sets stay for later passes, and end with this
    object, with this process or, where that is killed, seconds after it.

    Args:
        read: What reads a batch; it has to be picklable where processes are not forked.
        count: Of processes in a set; 0 reads in this process.
        pin: Whether batches shall come out in pinned memory, for copies to a CUDA device.
    """

    def __init__(self, read: Read, count: int, pin: bool = False) -> None:
        self.read, self.count, self.pin = read, count, pin
        self._idle: list[tuple[_Numbers, DataLoader[Any]]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Workers, (self.read, self.count, self.pin)

    def batches(self, numbers: Sequence[Indices]) -> Generator[Tensor, None, None]:
        """Read batches in a given order.

        Args:
            numbers: Of the examples in each batch.

        Raises:
            NasError: What `read` raised, or that a process died.
        """
        sampler, loader = self._idle.pop() if self._idle else self._open()
        sampler.batches = numbers
        try:
            yield from _checked(loader)
        except GeneratorExit:  # left early: the loader drops what is under way at its next pass
            self._idle.append((sampler, loader))
            raise
        self._idle.append((sampler, loader))

    def _open(self) -> tuple[_Numbers, DataLoader[Any]]:
        # A daemonic process may not start others.
        count = 0 if multiprocessing.current_process().daemon else self.count
        sampler = _Numbers()
        loader: DataLoader[Any] = DataLoader(
            _Reader(self.read),
            batch_size=None,
            sampler=sampler,
            num_workers=count,
            persistent_workers=count > 0,
            worker_init_fn=partial(_start, os.getpid()),
            pin_memory=self.pin,
            generator=torch.Generator(),  # not the global one, which is the user's
        )
        return sampler, loader


def _checked(loader: DataLoader[Any]) -> Iterator[Tensor]:
    try:
        for batch in loader:
            if isinstance(batch, str):
                raise NasError(batch)
            yield batch
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise NasError(
            f"the processes that read examples failed ({reason}); perhaps memory or shared memory "
            "ran out: set workers to fewer, or to 0"
        ) from error


def _start(main: int, _: int) -> None:
    """Prepare a process that reads.

    Ctrl-C, which reaches every process of a terminal, is left to the main process. PyTorch ends
    readers when their parent changes, but does not know one that had changed before they began.

    Args:
        main: Id of the main process; readers that a server forks have that as their parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != main and multiprocessing.get_start_method() != "forkserver":
        os._exit(1)

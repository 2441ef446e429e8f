"""One repeat as a piece of work that any process can do, with the same result everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nas.aliases import first_name
from nas.benchmarks import Benchmark, open_benchmark
from nas.comparison.contestants import contestant, strategy_of
from nas.comparison.facts import objective_of
from nas.comparison.protocol import COUNTED, Trainings
from nas.comparison.repeat import Repeat
from nas.comparison.simulate import Budget, simulate
from nas.storage import seed_everything, seed_of

__all__ = ["Job", "one_thread", "run_job"]


@dataclass(frozen=True)
class Job:
    """What one repeat needs.

    Args:
        benchmark: `NAME` or `NAME:PROBLEM`.
        strategy: The contestant's name, maybe with settings of its own.
        repeat: Its number, from 0.
        seed: Of the whole comparison.
        budget: When the repeat ends.
        settings: Of the strategy, all that are not its class's defaults.
        protocol: "counted" or "noise-free".
        told: Without noise, strategies are told again what they propose again, as was done before
            they were reminded.
    """

    benchmark: str
    strategy: str
    repeat: int
    seed: int
    budget: Budget
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocol: str = COUNTED
    told: bool = False

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from the others of a comparison."""
        return self.benchmark, self.strategy, self.repeat

    def __str__(self) -> str:
        return f"{self.strategy} on {self.benchmark}, repeat {self.repeat}"


@lru_cache(maxsize=8)
def _opened(name: str) -> Benchmark:
    return open_benchmark(name)


def run_job(job: Job) -> Repeat:
    """Do one repeat; it depends on the seed and on what it is, not on other repeats."""
    start = time.perf_counter()
    name = first_name("strategies", strategy_of(job.strategy))  # whatever its settings
    seed = seed_of(job.seed, name, job.benchmark, job.repeat)
    benchmark = _opened(job.benchmark)
    repeat = Repeat(*job.key, seed)
    with one_thread():
        seed_everything(seed)
        entered = contestant(job.strategy, job.settings)
        strategy = entered.start(benchmark.space, objective_of(benchmark), seed)
        simulate(
            benchmark, strategy, job.budget, repeat, _trainings(job, benchmark),
            "told" if job.told else "reminded",
        )  # fmt: skip
    repeat.wall = time.perf_counter() - start
    return repeat


def _trainings(job: Job, benchmark: Benchmark) -> Trainings | None:
    """Return what answers queries, alike for all strategies in a repeat."""
    if job.protocol != COUNTED:
        return None
    return Trainings(benchmark, seed_of(job.seed, "trainings", job.benchmark, job.repeat))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numeric libraries use one thread: repeats run side by side, and sums come out the same
    whatever the number of cores."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)

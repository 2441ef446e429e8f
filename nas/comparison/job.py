"""One repeat as a piece of work that any process can do, with the same result everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nas.aliases import first_name
from nas.benchmarks import Benchmark, open_benchmark
from nas.comparison.contestants import contestant, strategy_of
from nas.comparison.facts import objective_of
from nas.comparison.front import Scale, scale_of
from nas.comparison.limits import space_of
from nas.comparison.population import different_architectures
from nas.comparison.protocol import COUNTED, Trainings
from nas.comparison.repeat import Repeat
from nas.comparison.simulate import Budget, Setup, simulate
from nas.objective import Limit, Objective
from nas.space import SearchSpace
from nas.storage import seed_everything, seed_of
from nas.strategies import Strategy

__all__ = ["Job", "one_thread", "run_job"]

Make = Callable[[SearchSpace, Objective, int], Strategy]


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
        initial: Random architectures that come first, the same for all strategies in a repeat.
        objective: What is searched, as a text; empty: what the benchmark's problem searches.
        limits: On what a search may see.
    """

    benchmark: str
    strategy: str
    repeat: int
    seed: int
    budget: Budget
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocol: str = COUNTED
    told: bool = False
    initial: int = 0
    objective: str = ""
    limits: tuple[Limit, ...] = ()

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from the others of a comparison."""
        return self.benchmark, self.strategy, self.repeat

    def __str__(self) -> str:
        return f"{self.strategy} on {self.benchmark}, repeat {self.repeat}"


@lru_cache(maxsize=8)
def _opened(name: str) -> Benchmark:
    return open_benchmark(name)


@lru_cache(maxsize=8)
def _scale(name: str, objective: Objective) -> Scale | None:
    return scale_of(_opened(name), objective) if len(objective.goals) > 1 else None


def run_job(job: Job, make: Make | None = None) -> Repeat:
    """Do one repeat; it depends on the seed and on what it is, not on other repeats.

    Args:
        job: Which.
        make: What makes a strategy of a space, an objective and a seed; None: the contestant.
    """
    start = time.perf_counter()
    name = first_name("strategies", strategy_of(job.strategy))  # whatever its settings
    seed = seed_of(job.seed, name, job.benchmark, job.repeat)
    benchmark = _opened(job.benchmark)
    objective = objective_of(benchmark, job.objective, job.limits)
    space = space_of(benchmark, objective)
    repeat = Repeat(*job.key, seed)
    with one_thread():
        seed_everything(seed)
        make = make or contestant(job.strategy, job.settings).start
        strategy = make(space, objective, seed)
        setup = _setup(job, benchmark, objective, space)
        simulate(benchmark, strategy, job.budget, repeat, setup)
    repeat.wall = time.perf_counter() - start
    return repeat


def _setup(job: Job, benchmark: Benchmark, objective: Objective, space: SearchSpace) -> Setup:
    """Return what is the same for all strategies in a repeat."""

    def seed(what: str) -> int:
        return seed_of(job.seed, what, job.benchmark, job.repeat)

    counted = job.protocol == COUNTED
    return Setup(
        objective,
        Trainings(benchmark, seed("trainings")) if counted else None,
        "told" if job.told else "reminded",
        different_architectures(space, job.initial, seed("initial")),
        _scale(job.benchmark, objective),
    )


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

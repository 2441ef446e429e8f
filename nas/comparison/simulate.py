"""A search on a table, on a simulated clock: workers evaluate for as long as the table says.

As in NAS-Bench-101's and 201's own comparisons, an evaluation is one training at random
(`protocol.py`) and takes the time that was recorded when the table was made; or, without noise, it
gives the mean of all trainings, and what is proposed again costs nothing. With several workers each
asks when it is free, so that results come in the order in which evaluations end (asynchronous, Li
et al., ASHA, MLSys 2020, arXiv:1810.05934).
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nas.benchmarks import Benchmark
from nas.comparison.facts import objective_of, reported_metrics
from nas.comparison.front import Scale, scale_of
from nas.comparison.incumbent import FoundFront, Incumbent
from nas.comparison.protocol import Trainings
from nas.comparison.repeat import Repeat
from nas.objective import Measurement, Objective
from nas.search import MOST_REPEATS, Proposals
from nas.space import Architecture
from nas.strategies import Strategy

__all__ = ["Budget", "Setup", "simulate"]

_MOST_PENDING = 20  # proposals in a row that are being evaluated, after which a worker waits


@dataclass(frozen=True)
class Budget:
    """When a repeat ends.

    Args:
        evaluations: Most queries, or without noise most different architectures; None is any
            number.
        seconds: Most simulated seconds; an evaluation that would end later does not count.
        workers: How many evaluate at the same time.
    """

    evaluations: int | None = None
    seconds: float | None = None
    workers: int = 1


@dataclass(order=True)
class _Evaluation:
    """One that is under way, in the order in which they end."""

    end: float
    number: int
    architecture: Architecture = field(compare=False)
    measurement: Measurement = field(compare=False)
    key: Architecture | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Setup:
    """How a repeat is run, beside its budget.

    Args:
        objective: What is searched; None: what the benchmark's problem searches.
        trainings: What answers a query; None: the benchmark's means, each at most once.
        repeats: Without `trainings`, what becomes of a proposal that is known.
        initial: Architectures that are evaluated before the strategy is asked.
        scale: Of the hypervolume, where there are several metrics.
    """

    objective: Objective | None = None
    trainings: Trainings | None = None
    repeats: Literal["reminded", "told"] = "reminded"
    initial: Sequence[Architecture] = ()
    scale: Scale | None = None


def simulate(
    benchmark: Benchmark,
    strategy: Strategy,
    budget: Budget,
    repeat: Repeat,
    setup: Setup | None = None,
) -> None:
    """Let a strategy search until the budget is spent.

    Args:
        benchmark: Whose architectures they are, and what their means are.
        strategy: Fresh; it is told what is searched and costs, never what is reported.
        budget: When to end.
        repeat: Where the trajectory is written.
        setup: All else.
    """
    setup = setup or Setup()
    objective = setup.objective or objective_of(benchmark)
    record = _Record(_follower(benchmark, objective, setup.scale), objective, repeat)
    search = _Search(benchmark, strategy, budget, repeat, setup, objective)
    for evaluation in search:
        record.add(evaluation)
    repeat.proposals = search.source.made


def _follower(
    benchmark: Benchmark, objective: Objective, scale: Scale | None
) -> Incumbent | FoundFront:
    if len(objective.goals) == 1:
        return Incumbent(benchmark, objective)
    return FoundFront(benchmark, objective, scale or scale_of(benchmark, objective))


class _Search:
    """Workers, a queue of what they are doing, and the strategy."""

    def __init__(
        self,
        benchmark: Benchmark,
        strategy: Strategy,
        budget: Budget,
        repeat: Repeat,
        setup: Setup,
        objective: Objective,
    ) -> None:
        self.benchmark, self.budget, self.repeat = benchmark, budget, repeat
        self.metrics = objective.metrics
        self.answers: Benchmark | Trainings = setup.trainings or benchmark
        repeats = "evaluated" if setup.trainings else setup.repeats
        self.source = Proposals(benchmark.space, strategy, repeats)
        self.initial = deque(setup.initial)
        self.awaited = len(setup.initial)  # of these, before the strategy is asked
        self.hidden = frozenset(reported_metrics(benchmark))
        self.queue: list[_Evaluation] = []
        self.numbers = itertools.count()
        self.started = 0

    def __iter__(self) -> Iterator[_Evaluation]:
        """Yield evaluations as they end, each after the strategy was told of it."""
        now, idle = 0.0, 0
        while True:
            self._occupy_workers(now)
            if not self.queue:
                self.repeat.stopped = self._reason()
                return
            done = heapq.heappop(self.queue)
            if self.budget.seconds is not None and done.end > self.budget.seconds:
                self.repeat.stopped = "seconds"
                return
            idle = idle + 1 if done.end == now else 0
            if self.budget.evaluations is None and idle == MOST_REPEATS:
                self.repeat.stopped = "exhausted"  # only of what the table lacks, in no time
                return
            now = done.end
            self.source.tell(done.architecture, done.measurement)
            self.awaited -= 1
            yield done

    def _reason(self) -> str:
        most = self.budget.evaluations
        return "evaluations" if most is not None and self.started >= most else "exhausted"

    def _occupy_workers(self, now: float) -> None:
        """Give every free worker an evaluation, as far as the strategy proposes any."""
        most = self.budget.evaluations
        while len(self.queue) < self.budget.workers and (most is None or self.started < most):
            architecture = self._propose()
            if architecture is None:
                return
            measurement = self._answer(architecture)
            end, number = now + measurement.seconds, next(self.numbers)
            heapq.heappush(self.queue, _Evaluation(end, number, architecture, measurement))
            self.started += 1

    def _propose(self) -> Architecture | None:
        """Ask for an architecture; without noise for one that is not being evaluated either."""
        if self.initial:
            return self.initial.popleft()
        if self.awaited > 0:
            return None
        space = self.benchmark.space
        for _ in range(_MOST_PENDING):
            found = self.source.ask(1)
            if not found:
                return None
            architecture = space.require(found[0])
            if not self.queue or self.source.repeats == "evaluated":
                return architecture
            if space.canonical(architecture) not in self._pending():
                return architecture
        return None

    def _pending(self) -> set[Architecture]:
        """Return what is being evaluated, by `canonical`, which some spaces take long for."""
        canonical = self.benchmark.space.canonical
        for evaluation in self.queue:
            evaluation.key = evaluation.key or canonical(evaluation.architecture)
        return {evaluation.key for evaluation in self.queue if evaluation.key}

    def _answer(self, architecture: Architecture) -> Measurement:
        """Evaluate an architecture; what a search must not see is left out."""
        found = self.answers.measure(architecture)
        metrics = {k: v for k, v in found.metrics.items() if k not in self.hidden}
        missing = [metric for metric in self.metrics if found.ok and metric not in metrics]
        if missing:
            return Measurement(error=f"{self.benchmark.name} has no {missing[0]} of it")
        return Measurement(metrics, found.seconds, found.error)


class _Record:
    """Writes a trajectory, with the best so far."""

    def __init__(self, found: Incumbent | FoundFront, objective: Objective, repeat: Repeat) -> None:
        self.found, self.objective, self.repeat = found, objective, repeat
        repeat.reported = {name: [] for name in found.reported}

    def add(self, evaluation: _Evaluation) -> None:
        """Take what has ended."""
        repeat, measurement = self.repeat, evaluation.measurement
        self.found.add(evaluation.architecture, measurement)
        repeat.choices.append(list(evaluation.architecture.choices))
        repeat.values.append(measurement.metrics.get(self.objective.metric))
        repeat.seconds.append(evaluation.end)
        repeat.best.append(self.found.quality)
        for name, value in self.found.reported.items():
            repeat.reported[name].append(value)

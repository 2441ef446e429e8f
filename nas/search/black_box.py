"""The loop around a black-box strategy: ask, evaluate, tell, record."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from nas.errors import NasError
from nas.evaluators import Evaluator
from nas.objective import Measurement
from nas.progress import Progress
from nas.run import Run, Trial
from nas.search.proposals import MOST_REPEATS, Proposals
from nas.space import Architecture
from nas.storage import load_checkpoint, restoring, save_checkpoint
from nas.strategies import Strategy

__all__ = ["run_black_box"]

_SAVE_EVERY = 1.0  # seconds
_PATIENCE = 10.0  # seconds that architectures which are evaluated at once may take
_FIRST_GROUP = 8  # architectures, before it is known how long one takes


def run_black_box(
    run: Run, strategy: Strategy, evaluator: Evaluator, evaluations: int, progress: Progress
) -> Trial:
    """Evaluate architectures until the budget is spent; return the best trial.

    Equal networks (`space.canonical`) are evaluated once; a strategy that proposes one again is
    told the known measurement. A strategy that does not learn from measurements is asked for as
    many architectures as the evaluator takes at once; which are evaluated together changes nothing
    but the time. A killed loop continues from its last checkpoint and takes measurements that are
    in the study already from there.

    Raises:
        NasError: If no architecture could be evaluated.
    """
    loop = _Loop(run, strategy, evaluator)
    with progress.bar("search", evaluations, loop.number) as bar:
        while loop.number < evaluations and (found := loop.ask(evaluations, progress)):
            for figures in loop.evaluate(found):
                bar.advance(**figures)
    loop.save()
    trials = run.trials()
    best = loop.best(trials)
    loop.say_failures(trials, progress)
    return best


class _Loop:
    """What one search knows so far."""

    def __init__(self, run: Run, strategy: Strategy, evaluator: Evaluator) -> None:
        self.run, self.strategy, self.evaluator = run, strategy, evaluator
        self.recorded = run.trials()
        self.proposals = Proposals(run.space, strategy)
        self.number = 0
        self.pace: float | None = None  # seconds an architecture, when last measured
        self.best_so_far: Measurement | None = None
        self.failed = self.refused = 0
        self.saved = time.monotonic()
        self.file = run.folder / "checkpoint" / "search.pt"
        state = load_checkpoint(self.file)
        if state is not None:
            self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        with restoring(self.file):
            self.number = int(state["number"])
            self.proposals.exhausted = bool(state["exhausted"])
            self.strategy.load_state_dict(state["strategy"])
            self.evaluator.load_state_dict(state["evaluator"])
        if self.number > len(self.recorded):
            raise NasError(f"{self.run.folder}/study.journal lacks trials that the search has had")
        for trial in self.recorded[: self.number]:
            self.proposals.remember(trial.architecture, trial.measurement)
            self._compare(trial.measurement)

    def save(self) -> None:
        """Write a checkpoint."""
        state: dict[str, Any] = {"number": self.number, "exhausted": self.proposals.exhausted}
        state |= {"strategy": self.strategy.state_dict(), "evaluator": self.evaluator.state_dict()}
        save_checkpoint(self.file, state)
        self.saved = time.monotonic()

    def ask(self, evaluations: int, progress: Progress) -> list[Architecture]:
        """Return new architectures to evaluate at once; none when the strategy has no new one."""
        was_exhausted = self.proposals.exhausted
        found = self.proposals.ask(min(self._at_once(), evaluations - self.number))
        for architecture in found:
            self.run.space.require(architecture)
        if self.proposals.exhausted and not was_exhausted:
            progress.note(f"the strategy has proposed nothing new {MOST_REPEATS} times: done")
        return found

    def _at_once(self) -> int:
        """Return how many architectures to evaluate at once."""
        if type(self.strategy).tell is not Strategy.tell:
            return 1  # it may propose another when it knows how good the last one is
        most = self.evaluator.at_once
        if self.pace is None:
            return min(most, _FIRST_GROUP)
        return max(1, min(most, int(_PATIENCE / max(self.pace, 1e-6))))

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[dict[str, float]]:
        """Evaluate architectures, record them one by one, and yield what the display shows."""
        results = self._recorded(architectures)
        new = architectures[len(results) :]
        if new:
            start = time.perf_counter()
            results += self.evaluator(new)
            self.pace = (time.perf_counter() - start) / len(new)
        for architecture, result in zip(architectures, results, strict=True):
            if self.number >= len(self.recorded):
                self.run.record(architecture, result)
            self.proposals.tell(architecture, result)
            self.evaluator.observe(architecture, result)
            self._compare(result)
            self.number += 1
            yield self.figures()
        if time.monotonic() - self.saved > _SAVE_EVERY:
            self.save()  # not before, as the strategy has proposed them all

    def _recorded(self, architectures: Sequence[Architecture]) -> list[Measurement]:
        """Take what an interrupted run had recorded already."""
        trials = self.recorded[self.number : self.number + len(architectures)]
        for trial, architecture in zip(trials, architectures, strict=False):
            if trial.architecture != architecture:
                raise NasError(
                    f"{self.run.folder}: trial {trial.number} is another architecture than the "
                    "search proposes again; the run was changed by something else"
                )
            self.run.log_trial(trial)
        return [trial.measurement for trial in trials]

    def _compare(self, measurement: Measurement) -> None:
        objective = self.run.objective
        self.failed += not measurement.ok
        self.refused += measurement.ok and not objective.allows(measurement)
        score, best = objective.score, self.best_so_far
        if score(measurement) > (-math.inf if best is None else score(best)):
            self.best_so_far = measurement

    def figures(self) -> dict[str, float]:
        """Return what the progress display shows."""
        objective = self.run.objective
        figures: dict[str, float] = {}
        if self.best_so_far is not None:
            figures[f"best {objective.metric}"] = objective.value(self.best_so_far)
        counts = {"failed": self.failed, "broke a limit": self.refused}
        return figures | {name: float(count) for name, count in counts.items() if count}

    def say_failures(self, trials: list[Trial], progress: Progress) -> None:
        """Print how many architectures do not count, and why."""
        reasons = Counter(t.measurement.error for t in trials if not t.measurement.ok)
        if reasons:
            [(reason, _)] = reasons.most_common(1)
            how = ", most often with" if len(reasons) > 1 else ":"
            progress.warn(f"{self.failed} of {len(trials)} architectures failed{how} {reason}")
        if self.refused:
            progress.note(f"{self.refused} of {len(trials)} architectures broke a limit")

    def best(self, trials: list[Trial]) -> Trial:
        """Return the first of the best trials."""
        done = [trial for trial in trials if trial.measurement.ok]
        if not done:
            reason = trials[0].measurement.error if trials else "nothing was proposed"
            raise NasError(f"none of {len(trials)} architectures could be evaluated: {reason}")
        objective = self.run.objective
        best = max(done, key=lambda trial: objective.score(trial.measurement))
        if not objective.allows(best.measurement):
            limits = ", ".join(map(str, objective.limits))
            metrics = done[-1].measurement.metrics
            reason = next(filter(None, (limit.refusal(metrics) for limit in objective.limits)))
            raise NasError(
                f"none of {len(done)} architectures keeps the limits ({limits}); of the last, "
                f"{reason}"
            )
        return best

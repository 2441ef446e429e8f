"""The loop around a black-box strategy: ask, evaluate, tell, record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from nas.checkpoint import load_checkpoint, restoring, save_checkpoint
from nas.errors import NasError
from nas.evaluators.evaluator import Evaluator
from nas.objective import Measurement
from nas.progress import Progress
from nas.run import Run, Trial
from nas.space import Architecture
from nas.strategies.strategy import Strategy

__all__ = ["run_black_box"]

_SAVE_EVERY = 1.0  # seconds
_MOST_REPEATS = 1000  # proposals in a row that were known already
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
    return loop.best(run.trials())


class _Loop:
    """What one search knows so far."""

    def __init__(self, run: Run, strategy: Strategy, evaluator: Evaluator) -> None:
        self.run, self.strategy, self.evaluator = run, strategy, evaluator
        self.recorded = run.trials()
        self.known: dict[Architecture, Measurement] = {}
        self.number = 0
        self.exhausted = False  # whether the strategy proposes nothing new any more
        self.pace: float | None = None  # seconds an architecture, when last measured
        self.saved = time.monotonic()
        self.file = run.folder / "checkpoint" / "search.pt"
        state = load_checkpoint(self.file)
        if state is not None:
            self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        with restoring(self.file):
            self.number, self.exhausted = int(state["number"]), bool(state["exhausted"])
            self.strategy.load_state_dict(state["strategy"])
        if self.number > len(self.recorded):
            raise NasError(f"{self.run.folder}/study.journal lacks trials that the search has had")
        for trial in self.recorded[: self.number]:
            self.known[self.run.space.canonical(trial.architecture)] = trial.measurement

    def save(self) -> None:
        """Write a checkpoint."""
        state = {"number": self.number, "exhausted": self.exhausted}
        save_checkpoint(self.file, state | {"strategy": self.strategy.state_dict()})
        self.saved = time.monotonic()

    def ask(self, evaluations: int, progress: Progress) -> list[Architecture]:
        """Return new architectures to evaluate at once; none when the strategy has no new one."""
        space = self.run.space
        found: dict[Architecture, Architecture] = {}
        repeats = 0
        wanted = min(self._at_once(), evaluations - self.number)
        while len(found) < wanted and not self.exhausted:
            architecture = space.require(self.strategy.ask(1)[0])
            key = space.canonical(architecture)
            if key not in self.known and key not in found:
                found[key], repeats = architecture, 0
                continue
            repeats += 1
            if key in self.known:
                self.strategy.tell([(architecture, self.known[key])])
            if repeats == _MOST_REPEATS:
                progress.note(f"the strategy has proposed nothing new {repeats} times: done")
                self.exhausted = True
        return list(found.values())

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
            measured = self.evaluator(new)
            self.pace = sum(m.seconds for m in measured) / len(new)
            results += measured
        for architecture, result in zip(architectures, results, strict=True):
            if self.number >= len(self.recorded):
                self.run.record(architecture, result)
            self.known[self.run.space.canonical(architecture)] = result
            self.strategy.tell([(architecture, result)])
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

    def figures(self) -> dict[str, float]:
        """Return what the progress display shows."""
        objective = self.run.objective
        done = [m for m in self.known.values() if m.ok]
        if not done:
            return {}
        return {f"best {objective.metric}": objective.value(max(done, key=objective.score))}

    def best(self, trials: list[Trial]) -> Trial:
        """Return the first of the best trials."""
        done = [trial for trial in trials if trial.measurement.ok]
        if not done:
            reason = trials[0].measurement.error if trials else "nothing was proposed"
            raise NasError(f"none of {len(trials)} architectures could be evaluated: {reason}")
        return max(done, key=lambda trial: self.run.objective.score(trial.measurement))

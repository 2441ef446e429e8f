"""The loop around a black-box strategy: ask, evaluate, tell, record."""

from __future__ import annotations

import time
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


def run_black_box(
    run: Run, strategy: Strategy, evaluator: Evaluator, evaluations: int, progress: Progress
) -> Trial:
    """Evaluate architectures until the budget is spent; return the best trial.

    Equal networks (`space.canonical`) are evaluated once; a strategy that proposes one again is
    told the known measurement. A killed loop continues from its last checkpoint and takes
    measurements that are in the study already from there.

    Raises:
        NasError: If no architecture could be evaluated.
    """
    loop = _Loop(run, strategy, evaluator)
    with progress.bar("search", evaluations, loop.number) as bar:
        while loop.number < evaluations and loop.step(progress):
            bar.advance(**loop.figures())
    loop.save()
    return loop.best(run.trials())


class _Loop:
    """What one search knows so far."""

    def __init__(self, run: Run, strategy: Strategy, evaluator: Evaluator) -> None:
        self.run, self.strategy, self.evaluator = run, strategy, evaluator
        self.recorded = run.trials()
        self.known: dict[Architecture, Measurement] = {}
        self.number = 0
        self.saved = time.monotonic()
        self.file = run.folder / "checkpoint" / "search.pt"
        state = load_checkpoint(self.file)
        if state is not None:
            self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        with restoring(self.file):
            self.number = int(state["number"])
            self.strategy.load_state_dict(state["strategy"])
        if self.number > len(self.recorded):
            raise NasError(f"{self.run.folder}/study.journal lacks trials that the search has had")
        for trial in self.recorded[: self.number]:
            self.known[self.run.space.canonical(trial.architecture)] = trial.measurement

    def save(self) -> None:
        """Write a checkpoint."""
        save_checkpoint(self.file, {"number": self.number, "strategy": self.strategy.state_dict()})
        self.saved = time.monotonic()

    def step(self, progress: Progress) -> bool:
        """Evaluate one new architecture; False when the strategy has no new one."""
        space = self.run.space
        for _ in range(_MOST_REPEATS):
            architecture = space.require(self.strategy.ask(1)[0])
            key = space.canonical(architecture)
            if key not in self.known:
                break
            self.strategy.tell([(architecture, self.known[key])])
        else:
            progress.note(f"the strategy has proposed nothing new {_MOST_REPEATS} times: done")
            return False
        measurement = self._measure(architecture)
        self.known[key] = measurement
        self.strategy.tell([(architecture, measurement)])
        self.number += 1
        if time.monotonic() - self.saved > _SAVE_EVERY:
            self.save()
        return True

    def _measure(self, architecture: Architecture) -> Measurement:
        """Evaluate, or take what an interrupted run had recorded already."""
        if self.number < len(self.recorded):
            trial = self.recorded[self.number]
            if trial.architecture != architecture:
                raise NasError(
                    f"{self.run.folder}: trial {trial.number} is another architecture than the "
                    "search proposes again; the run was changed by something else"
                )
            self.run.log_trial(trial)
            return trial.measurement
        [measurement] = self.evaluator([architecture])
        self.run.record(architecture, measurement)
        return measurement

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

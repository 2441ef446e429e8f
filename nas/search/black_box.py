"""The loop around a black-box strategy: ask, evaluate, tell, record."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from nas.errors import NasError
from nas.evaluators import Evaluator
from nas.objective import Measurement
from nas.progress import Progress
from nas.run import Run, Trial
from nas.search.outcome import best_trial, leaders, say_failures
from nas.search.proposals import Proposals, Repeats
from nas.search.start import Start
from nas.space import Architecture
from nas.storage import SavePace, load_checkpoint, restoring, save_checkpoint
from nas.strategies import Strategy

__all__ = ["run_black_box"]

_SAVE_EVERY = 1.0  # seconds, at least
_PATIENCE = 10.0  # seconds that architectures which are evaluated at once may take
_FIRST_GROUP = 8  # architectures, before it is known how long one takes


def run_black_box(
    run: Run,
    strategy: Strategy,
    evaluator: Evaluator,
    evaluations: int,
    progress: Progress,
    start: Start | None = None,
) -> Trial:
    """Evaluate architectures until the budget is spent; return the best trial.

    Where the evaluator's answers are constant, equal networks (`space.canonical`) are evaluated
    once, and a strategy that proposes one again is reminded of its measurement. Where they change,
    what is proposed again is evaluated again and counts, and at the end the leaders are.

    A strategy that does not learn from measurements is asked for as many architectures as the
    evaluator takes at once; which are evaluated together changes nothing but the time. A killed
    loop continues from its last checkpoint and takes measurements that are in the study already
    from there.

    Args:
        run: Where all is recorded; the caller holds its lock.
        strategy: Fresh.
        evaluator: Prepared.
        evaluations: The budget.
        progress: Where to report.
        start: What is known before the first proposal.

    Raises:
        NasError: If no architecture could be evaluated, or none keeps the limits.
    """
    loop = _Loop(run, strategy, evaluator, start or Start())
    for note in loop.notes:
        progress.note(note)
    with progress.bar("search", evaluations, loop.number) as bar:
        while loop.number < evaluations and (found := loop.ask(evaluations, progress)):
            for figures in loop.evaluate(found):
                bar.advance(**figures)
    loop.save()
    trials = [trial for trial in run.trials() if trial.origin == "search"]
    loop.say_repeats(progress)
    if not loop.constant:
        loop.evaluate_again(leaders(run, trials, evaluations), progress)
    best = best_trial(run, None if loop.as_before else evaluator)
    say_failures(run.objective, trials, progress)
    return best


class _Loop:
    """What one search knows so far."""

    def __init__(self, run: Run, strategy: Strategy, evaluator: Evaluator, start: Start) -> None:
        self.run, self.strategy, self.evaluator, self.start = run, strategy, evaluator, start
        self.as_before = run.protocol < 2
        self.constant = evaluator.constant or self.as_before
        repeats: Repeats = "reminded" if self.constant else "evaluated"
        trials = run.trials()
        self.recorded = [trial for trial in trials if trial.origin == "search"]
        self.proposals = Proposals(run.space, strategy, "told" if self.as_before else repeats)
        self.number = 0
        self.pace: float | None = None  # seconds an architecture, when last measured
        self.best_so_far: Measurement | None = None
        self.failed = self.refused = 0
        self.notes: list[str] = []
        self.saving = SavePace(least=_SAVE_EVERY)
        self.file = run.folder / "checkpoint" / "search.pt"
        state = load_checkpoint(self.file)
        self._begin([t for t in trials if t.origin == "start"], state is None)
        if state is not None:
            self._restore(state)

    def _begin(self, recorded: Sequence[Trial], fresh: bool) -> None:
        """Take in what is known at the start; tell it unless that is in a state to come."""
        for architecture, measurement in self.start.known[len(recorded) :]:
            self.run.record(architecture, measurement, "start")
        if fresh:
            if self.start.prior and self.strategy.learn_prior(self.start.prior):
                self.notes.append(f"{len(self.start.prior)} results of before are a prior")
            if self.start.known:
                self.strategy.tell([(a, self._seen(m)) for a, m in self.start.known])
        for architecture, measurement in self.start.known:
            self.proposals.remember(architecture, self._seen(measurement))
            if fresh and self.run.objective.measures(measurement):
                self.evaluator.observe(architecture, measurement)
            self._compare(measurement)

    def _restore(self, state: dict[str, Any]) -> None:
        with restoring(self.file):
            self.number = int(state["number"])
            self.proposals.exhausted = bool(state["exhausted"])
            self.proposals.made = int(state.get("proposals", self.number))
            self.strategy.load_state_dict(state["strategy"])
            self.evaluator.load_state_dict(state["evaluator"])
        if self.number > len(self.recorded):
            raise NasError(f"{self.run.folder}/study.journal lacks trials that the search has had")
        for trial in self.recorded[: self.number]:
            self.proposals.remember(trial.architecture, self._seen(trial.measurement))
            self._compare(trial.measurement)

    def save(self) -> None:
        """Write a checkpoint."""
        state: dict[str, Any] = {"number": self.number, "exhausted": self.proposals.exhausted}
        state["proposals"] = self.proposals.made
        with self.saving.saving():
            state |= {"strategy": self.strategy.state_dict()}
            state |= {"evaluator": self.evaluator.state_dict()}
            save_checkpoint(self.file, state)

    # -- asking -------------------------------------------------------------------------------

    def ask(self, evaluations: int, progress: Progress) -> list[Architecture]:
        """Return architectures to evaluate at once; none where there is nothing new any more."""
        first = self.start.first[self.number : evaluations]
        if first:
            return list(first[: min(self.evaluator.at_once, _FIRST_GROUP)])
        was_exhausted = self.proposals.exhausted
        found = self.proposals.ask(min(self._at_once(), evaluations - self.number))
        for architecture in found:
            self.run.space.require(architecture)
        if self.proposals.exhausted and not was_exhausted:
            progress.note("there is nothing new to propose any more: done")
        return found

    def _at_once(self) -> int:
        """Return how many architectures to evaluate at once."""
        if type(self.strategy).tell is not Strategy.tell:
            return 1  # it may propose another when it knows how good the last one is
        most = self.evaluator.at_once
        if self.pace is None:
            return min(most, _FIRST_GROUP)
        return max(1, min(most, int(_PATIENCE / max(self.pace, 1e-6))))

    # -- evaluating ---------------------------------------------------------------------------

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
            self.proposals.tell(architecture, self._seen(result))
            if not result.ok or self.run.objective.measures(result):
                self.evaluator.observe(architecture, result)
            self._compare(result)
            self.number += 1
            yield self.figures()
        if self.saving.due():
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

    def evaluate_again(self, architectures: Sequence[Architecture], progress: Progress) -> None:
        """Evaluate leaders with what the evaluator has become, and record that."""
        done = [trial for trial in self.run.trials() if trial.origin == "leader"]
        for trial in done:
            self.run.log_trial(trial)
        with progress.bar("leaders again", len(architectures), len(done)) as bar:
            for architecture in architectures[len(done) :]:
                [measurement] = self.evaluator([architecture])
                self.run.record(architecture, measurement, "leader")
                bar.advance()

    # -- figures ------------------------------------------------------------------------------

    def _seen(self, measurement: Measurement) -> Measurement:
        """Leave out what a search must not see."""
        hidden = self.evaluator.hidden_metrics
        if not hidden:
            return measurement
        metrics = {n: value for n, value in measurement.metrics.items() if n not in hidden}
        return Measurement(metrics, measurement.seconds, measurement.error)

    def _compare(self, measurement: Measurement) -> None:
        objective = self.run.objective
        self.failed += not measurement.ok
        self.refused += measurement.ok and not objective.allows(measurement)
        score, best = objective.score, self.best_so_far
        if objective.allows(measurement) and (
            score(measurement) > (-math.inf if best is None else score(best))
        ):
            self.best_so_far = measurement

    def figures(self) -> dict[str, float]:
        """Return what the progress display shows."""
        objective = self.run.objective
        figures: dict[str, float] = {}
        if self.best_so_far is not None:
            figures[f"best {objective.metric}"] = objective.value(self.best_so_far)
        counts = {"failed": self.failed, "broke a limit": self.refused}
        return figures | {name: float(count) for name, count in counts.items() if count}

    def say_repeats(self, progress: Progress) -> None:
        """Say how many proposals there were, where some were known already."""
        made = self.proposals.made
        if self.as_before or not self.constant or made <= self.number:
            return
        progress.note(f"{made:,} proposals for {self.number:,} evaluations; the others were known")
        self.run.log_once({"event": "proposals", "proposals": made, "evaluations": self.number})

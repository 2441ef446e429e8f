"""The evaluated architectures of a run, in an Optuna study."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.run.log import Log
from nas.space import Architecture, SearchSpace

if TYPE_CHECKING:
    import optuna

__all__ = ["Origin", "Trial", "Trials"]


Origin = Literal["search", "start", "leader"]
"""Whence a trial: proposed and evaluated, known at the start, or evaluated again at the end."""


@dataclass(frozen=True)
class Trial:
    """One evaluated architecture of a run.

    Args:
        number: In order, from 0.
        architecture: Which.
        measurement: What it came to.
        origin: Whence it is in the run.
    """

    number: int
    architecture: Architecture
    measurement: Measurement
    origin: Origin = "search"


class Trials(Log, ABC):
    """`study.journal` in the folder of a run; what is recorded is logged, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._trials: int | None = None  # how many there are, once that was asked

    @property
    @abstractmethod
    def space(self) -> SearchSpace:
        """The space that is searched."""

    @property
    @abstractmethod
    def objective(self) -> Objective:
        """What is better."""

    @cached_property
    def study(self) -> optuna.Study:
        """The Optuna study in `study.journal`, one trial an evaluated architecture."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file = self.folder / "study.journal"
        try:
            name = str(file.resolve())
            lock = JournalFileOpenLock(name) if os.name == "nt" else None  # no links on Windows
            storage = JournalStorage(JournalFileBackend(name, lock))
            try:
                return optuna.load_study(study_name="nas", storage=storage)
            except KeyError:  # none yet; only reading must not write, nor wait for a lock
                directions = [goal.direction for goal in self.objective.goals]
                return optuna.create_study(storage=storage, study_name="nas", directions=directions)
        except Exception as error:
            raise NasError(f"{file} is damaged ({type(error).__name__}: {error})") from error

    def record(
        self, architecture: Architecture, measurement: Measurement, origin: Origin = "search"
    ) -> int:
        """Add a measurement to the study and the log; return its number.

        What breaks a limit that is told first, so that nothing else of it was measured, is a pruned
        trial of the study.
        """
        import optuna

        names = self.space.options(architecture)
        distributions = {
            d.name: optuna.distributions.CategoricalDistribution(tuple(map(str, d.options)))
            for d in self.space.decisions
            if d.name in names
        }
        if self._trials is None:
            self._trials = len(self.study.get_trials(deepcopy=False))
        number, self._trials = self._trials, self._trials + 1
        states, values = optuna.trial.TrialState, self._values(measurement)
        unmeasured = states.PRUNED if measurement.ok else states.FAIL
        self.study.add_trial(
            optuna.trial.create_trial(
                state=states.COMPLETE if values else unmeasured,
                values=values,
                params={name: str(option) for name, option in names.items()},
                distributions=distributions,  # type: ignore[arg-type]
                user_attrs={
                    "choices": list(architecture.choices),
                    "architecture": self.space.format(architecture),
                    "measurement": measurement.to_json(),
                    **_unless_usual(origin),
                },
            )
        )
        self.log_trial(Trial(number, architecture, measurement, origin))
        return number

    def _values(self, measurement: Measurement) -> list[float] | None:
        """Return a value a goal; None of a failure, or where a limit was told first and broken."""
        objective = self.objective
        if not measurement.ok:
            return None
        if not objective.measures(measurement) and not objective.allows(measurement):
            return None
        return [goal.value(measurement) for goal in objective.goals]

    def log_trial(self, trial: Trial) -> None:
        """Add a trial of the study to the log, if it is not there."""
        text = {"number": trial.number, "architecture": self.space.format(trial.architecture)}
        origin = _unless_usual(trial.origin)
        self.log_once({"event": "trial", **text, **trial.measurement.to_json(), **origin})

    def trials(self) -> list[Trial]:
        """Return all evaluated architectures, in order."""
        trials = []
        for trial in self.study.get_trials(deepcopy=False):
            if "measurement" not in trial.user_attrs:
                continue  # somebody's own, added through Optuna
            data = trial.user_attrs["measurement"]
            measurement = Measurement(data["metrics"], data["seconds"], data.get("error", ""))
            choices = tuple(trial.user_attrs["choices"])
            origin = trial.user_attrs.get("origin", "search")
            architecture = Architecture(self.space.name, choices)
            trials.append(Trial(trial.number, architecture, measurement, origin))
        return trials

    def latest(self, metric: str) -> list[Trial]:
        """Return the last trial of each network for which a metric was measured."""
        found = {
            self.space.canonical(trial.architecture): trial
            for trial in self.trials()
            if trial.measurement.ok and metric in trial.measurement.metrics
        }
        return sorted(found.values(), key=lambda trial: trial.number)

    def decisive(self) -> list[Trial]:
        """Return the trials that the result is one of.

        Where leaders were evaluated again at the end, these alone: what they scored before was
        measured when the evaluator had learned less.
        """
        trials = self.trials()
        leaders = [trial for trial in trials if trial.origin == "leader"]
        return leaders if any(trial.measurement.ok for trial in leaders) else trials

    def front(self) -> list[Trial]:
        """Return the trials that no other beats in all metrics of the objective at once.

        Sorted by the first metric, the best first; those that break a limit are left out.
        """
        from nas.objective import non_dominated

        objective = self.objective
        kept = [trial for trial in self.decisive() if objective.allows(trial.measurement)]
        if not kept:
            return []
        scores = np.array([objective.scores(trial.measurement) for trial in kept])
        front = [kept[row] for row in np.flatnonzero(non_dominated(scores))]
        return sorted(front, key=lambda trial: -objective.score(trial.measurement))


def _unless_usual(origin: Origin) -> dict[str, Any]:
    """Return what is recorded of an origin: nothing of what was proposed and evaluated."""
    return {} if origin == "search" else {"origin": origin}

"""The evaluated architectures of a run, in an Optuna study."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.run.log import Log
from nas.space import Architecture, SearchSpace

if TYPE_CHECKING:
    import optuna

__all__ = ["Trial", "Trials"]


@dataclass(frozen=True)
class Trial:
    """One evaluated architecture of a run."""

    number: int
    architecture: Architecture
    measurement: Measurement


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

    def record(self, architecture: Architecture, measurement: Measurement) -> int:
        """Add a measurement to the study and the log; return its number."""
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
        states = optuna.trial.TrialState
        self.study.add_trial(
            optuna.trial.create_trial(
                state=states.COMPLETE if measurement.ok else states.FAIL,
                values=self._values(measurement),
                params={name: str(option) for name, option in names.items()},
                distributions=distributions,  # type: ignore[arg-type]
                user_attrs={
                    "choices": list(architecture.choices),
                    "architecture": self.space.format(architecture),
                    "measurement": measurement.to_json(),
                },
            )
        )
        self.log_trial(Trial(number, architecture, measurement))
        return number

    def _values(self, measurement: Measurement) -> list[float] | None:
        return [g.value(measurement) for g in self.objective.goals] if measurement.ok else None

    def log_trial(self, trial: Trial) -> None:
        """Add a trial of the study to the log, if it is not there."""
        text = {"number": trial.number, "architecture": self.space.format(trial.architecture)}
        self.log_once({"event": "trial", **text, **trial.measurement.to_json()})

    def trials(self) -> list[Trial]:
        """Return all evaluated architectures, in order."""
        trials = []
        for trial in self.study.get_trials(deepcopy=False):
            if "measurement" not in trial.user_attrs:
                continue  # somebody's own, added through Optuna
            data = trial.user_attrs["measurement"]
            measurement = Measurement(data["metrics"], data["seconds"], data.get("error", ""))
            choices = tuple(trial.user_attrs["choices"])
            trials.append(Trial(trial.number, Architecture(self.space.name, choices), measurement))
        return trials

    def front(self) -> list[Trial]:
        """Return the trials that no other beats in all metrics of the objective at once.

        Sorted by the first metric, the best first; those that break a limit are left out.
        """
        from nas.objective import non_dominated

        objective = self.objective
        kept = [trial for trial in self.trials() if objective.allows(trial.measurement)]
        if not kept:
            return []
        scores = np.array([objective.scores(trial.measurement) for trial in kept])
        front = [kept[row] for row in np.flatnonzero(non_dominated(scores))]
        return sorted(front, key=lambda trial: -objective.score(trial.measurement))

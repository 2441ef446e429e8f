"""The run folder: everything that one search did."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.checkpoint import leftovers, write_json
from nas.errors import NasError
from nas.objective import Measurement, Objective, parse_limits
from nas.resolve import resolve_space
from nas.space import Architecture, SearchSpace

if TYPE_CHECKING:
    import optuna

    from nas.found import Found
    from nas.task import TaskInfo

__all__ = ["RECORDED_ONLY", "Run", "Trial", "load"]

RECORDED_ONLY = (
    "versions",
    "created",
    "device",
    "download",
    "task",
)  # parts of a config that are no setting
_NEEDED = {"space": str, "objective": str, "settings": dict, "task": dict}


@dataclass(frozen=True)
class Trial:
    """One evaluated architecture of a run."""

    number: int
    architecture: Architecture
    measurement: Measurement


class Run:
    """A folder with `config.json`, `study.journal`, `checkpoint/`, `log.jsonl`, `best.json`.

    Args:
        folder: The folder; it exists and holds a `config.json`.
        space: The space that was searched; None finds it by the name in the config.
    """

    def __init__(self, folder: Path | str, space: SearchSpace | None = None) -> None:
        self.folder = Path(folder)
        file = self.folder / "config.json"
        self.config = _read_json(file, "run")
        for name, kind in _NEEDED.items():
            if not isinstance(self.config.get(name), kind):
                raise NasError(f"{file} is damaged: '{name}' is missing or of the wrong kind")
        self._space = space
        self._logged: set[tuple[Any, ...]] | None = None
        self._trials: int | None = None

    @classmethod
    def create(cls, folder: Path, config: dict[str, Any], space: SearchSpace) -> Run:
        """Start a run in a new or empty folder, or take up the run with the same settings.

        Raises:
            NasError: If the folder holds something else, or a run with other settings.
        """
        file = folder / "config.json"
        if file.exists():
            run = cls(folder, space)
            difference = _difference(run.config, config)
            if difference:
                raise NasError(
                    f"{folder} holds a run with other settings ({difference}); "
                    "choose another --out, or continue that run with: nas resume " + str(folder)
                )
            if _nameless(run.config["task"]) != _nameless(json.loads(json.dumps(config["task"]))):
                raise NasError(
                    f"{folder}: data '{config['data']}' is not what it was when this run was "
                    "started; choose another --out"
                )
            return run
        if folder.exists() and not folder.is_dir():
            raise NasError(f"{folder} is in use: it is no folder")
        if folder.exists() and {*folder.iterdir()} - {*leftovers(folder)}:
            raise NasError(f"{folder} is in use: it is not empty and holds no run")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NasError(f"cannot make folder {folder}: {error.strerror}") from error
        write_json(file, config | {"versions": _versions(), "created": _now()})
        return cls(folder, space)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; a second process gets a `NasError`."""
        with open(self.folder / ".lock", "w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise NasError(f"{self.folder} is in use by another process") from error
            _mend(self.folder)
            yield

    # -- what was searched --------------------------------------------------------------------

    @property
    def space(self) -> SearchSpace:
        """The space that was searched."""
        if self._space is None:
            space = resolve_space(self.config["space"])
            self._space = space.for_task(self.info) if self.config["task"] else space
        return self._space

    @property
    def objective(self) -> Objective:
        """What is better."""
        return Objective(self.config["objective"], parse_limits(self.config.get("limit", "")))

    @property
    def info(self) -> TaskInfo:
        """The shapes of the task."""
        from nas.task import TaskInfo

        return TaskInfo.from_json(json.dumps(self.config["task"]))

    def settings(self, group: str) -> dict[str, Any]:
        """Return the settings of one group, such as "supernet"."""
        return dict(self.config["settings"].get(group, {}))

    # -- the log ------------------------------------------------------------------------------

    def log(self, event: dict[str, Any]) -> None:
        """Append an event to `log.jsonl`."""
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")

    def log_once(self, event: dict[str, Any]) -> None:
        """Append an event unless it was logged before the search was killed and continued."""
        if self._logged is None:
            self._logged = set(map(_key, self.events()))
        if _key(event) not in self._logged:
            self.log(event)
            self._logged.add(_key(event))

    def log_size(self) -> int:
        """Return the length of the log in bytes, to be kept in a checkpoint."""
        file = self.folder / "log.jsonl"
        return file.stat().st_size if file.exists() else 0

    def rewind_log(self, size: int) -> None:
        """Forget events after a checkpoint: they are about to happen again."""
        file = self.folder / "log.jsonl"
        if file.exists() and file.stat().st_size > size:
            os.truncate(file, size)
        self._logged = None

    def events(self) -> list[dict[str, Any]]:
        """Read the log; a last line that a kill cut off is left out."""
        file = self.folder / "log.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        events = []
        for line in lines:
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
        return events

    # -- the study ----------------------------------------------------------------------------

    @cached_property
    def study(self) -> optuna.Study:
        """The Optuna study in `study.journal`, one trial an evaluated architecture."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file = self.folder / "study.journal"
        try:
            storage = JournalStorage(JournalFileBackend(str(file.resolve())))
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
        from nas.pareto import non_dominated

        objective = self.objective
        kept = [trial for trial in self.trials() if objective.allows(trial.measurement)]
        if not kept:
            return []
        scores = np.array([objective.scores(trial.measurement) for trial in kept])
        front = [kept[row] for row in np.flatnonzero(non_dominated(scores))]
        return sorted(front, key=lambda trial: -objective.score(trial.measurement))

    # -- the result ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the search came to its end."""
        done = any(event.get("event") == "done" for event in self.events())
        return done and (self.folder / "best.json").exists()

    def save_best(
        self, architecture: Architecture, metrics: dict[str, float], weights: str = ""
    ) -> None:
        """Write `best.json`.

        Args:
            architecture: What was found.
            metrics: What was measured of it.
            weights: What `best.safetensors` belongs to: "supernet" (a network at the supernet's
                widths), "network" (at the network's), or "" where there are none.
        """
        options = self.space.options(architecture)
        best = {
            "space": self.space.name,
            "choices": list(architecture.choices),
            "decisions": {name: _plain(option) for name, option in options.items()},
            "text": self.space.format(architecture),
            "metrics": metrics,
            "weights": weights,
        }
        write_json(self.folder / "best.json", best)

    def read_best(self) -> dict[str, Any]:
        """Read `best.json`; raises `NasError` if nothing has been found yet."""
        file = self.folder / "best.json"
        if not file.exists():
            raise NasError(
                f"{self.folder} has no result yet; continue with: nas resume {self.folder}"
            )
        return _read_json(file, "result")

    @property
    def best(self) -> Found:
        """What the search found; raises `NasError` if it has found nothing yet."""
        from nas.found import Found

        space, data = self.space, self.read_best()
        try:
            architecture = space.require(Architecture.from_json(json.dumps(data)))
            metrics = {name: float(value) for name, value in data["metrics"].items()}
        except (NasError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise NasError(f"{self.folder / 'best.json'} is damaged: {error}") from error
        return Found(space, architecture, str(self.folder), self, metrics)


def load(folder: Path | str, space: SearchSpace | None = None) -> Run:
    """Open a run.

    Args:
        folder: A run folder, such as `runs/darts-pc-darts-digits`.
        space: Only for a space that the config cannot name, such as one made in a notebook.
    """
    return Run(folder, space)


def _key(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells an event of a log from the others."""
    return tuple(event.get(name) for name in ("event", "phase", "epoch", "number"))


def _plain(option: Any) -> Any:
    return list(option) if isinstance(option, tuple) else option


def _read_json(file: Path, what: str) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NasError(f"no {what} at {file.parent}: {file.name} is missing") from None
    except (OSError, ValueError) as error:
        raise NasError(f"{file} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise NasError(f"{file} is damaged: expected a JSON object")
    return data


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Say in which setting two configs differ first; empty where in none."""
    plain = json.loads(json.dumps(new))
    for key in [*plain, *old]:
        if key in RECORDED_ONLY or old.get(key) == plain.get(key):
            continue
        if key == "settings":
            for group in sorted({*old.get(key, {}), *plain[key]}):
                inner = _difference(old[key].get(group, {}), plain[key].get(group, {}))
                if inner:
                    return f"{group}.{inner}"
        return f"{key}={old.get(key)!r}, not {plain.get(key)!r}"
    return ""


def _nameless(task: dict[str, Any]) -> dict[str, Any]:
    """Leave out the name of the data: a file may be named in several ways."""
    splits = task.get("splits") or {}
    return task | {"splits": {key: value for key, value in splits.items() if key != "name"}}


def _mend(folder: Path) -> None:
    """Remove what a kill left: last lines that are incomplete, half-written files, Optuna's lock.

    Only for who holds the run: a search under way is writing these files.
    """
    for lock in folder.glob("study.journal.lock*"):
        lock.unlink(missing_ok=True)
    for place in (folder, folder / "checkpoint"):
        for file in leftovers(place):
            file.unlink(missing_ok=True)
    for file in (folder / "study.journal", folder / "log.jsonl"):
        content = file.read_bytes() if file.exists() else b""
        if content and not content.endswith(b"\n"):
            os.truncate(file, content.rfind(b"\n") + 1)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("torch", "numpy", "optuna")
    return {"nas": version("nas-toolkit"), "python": platform.python_version()} | {
        name: version(name) for name in names
    }


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")

"""The run folder: everything that one search did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError
from nas.objective import Objective, parse_limits
from nas.run.config import difference, read_config, same_data, with_versions
from nas.run.files import mend, read_json
from nas.run.trials import Trial, Trials
from nas.search_spaces import resolve_space
from nas.space import Architecture, SearchSpace
from nas.storage import leftovers, locked, write_json

if TYPE_CHECKING:
    from nas.run.found import Found
    from nas.task import TaskInfo

__all__ = ["Run", "Trial", "load"]


class Run(Trials):
    """A folder with `config.json`, `study.journal`, `checkpoint/`, `log.jsonl`, `best.json`.

    Args:
        folder: The folder; it exists and holds a `config.json`.
        space: The space that was searched; None finds it by the name in the config.
    """

    def __init__(self, folder: Path | str, space: SearchSpace | None = None) -> None:
        super().__init__(Path(folder))
        self.config = read_config(self.folder)
        self._space = space

    @classmethod
    def create(
        cls,
        folder: Path,
        config: dict[str, Any],
        space: SearchSpace,
        given: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Run:
        """Start a run in a new or empty folder, or take up the run with the same settings.

        Args:
            folder: Where.
            config: All settings.
            space: What is searched.
            given: Group -> setting -> value: those that were asked for, see `difference`.

        Raises:
            NasError: If the folder holds something else, or a run with other settings.
        """
        file = folder / "config.json"
        if file.exists():
            run = cls(folder, space)
            other = difference(run.config, config, given)
            if other:
                raise NasError(
                    f"{folder} holds a run with other settings ({other}); "
                    "choose another --out, or continue that run with: nas resume " + str(folder)
                )
            if not same_data(run.config, config):
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
        write_json(file, with_versions(config))
        return cls(folder, space)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; a second process gets a `NasError`."""
        with locked(self.folder):
            mend(self.folder)
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

    @property
    def protocol(self) -> int:
        """How its search goes on; that of runs of before stays as it was (see `PROTOCOL`)."""
        return int(self.config.get("protocol", 1))

    # -- the result ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the search came to its end."""
        done = any(event.get("event") == "done" for event in self.events())
        return done and (self.folder / "best.json").exists()

    def save_best(
        self,
        architecture: Architecture,
        metrics: dict[str, float],
        weights: str = "",
        measured_by: str = "",
    ) -> None:
        """Write `best.json`.

        Args:
            architecture: What was found.
            metrics: What was measured of it.
            weights: What `best.safetensors` belongs to: "supernet" (a network at the supernet's
                widths), "network" (at the network's), or "" where there are none.
            measured_by: What the metrics are, in words; "" where the run's evaluator gave them.
        """
        options = self.space.options(architecture)
        best = {
            "space": self.space.name,
            "choices": list(architecture.choices),
            "decisions": {name: _plain(option) for name, option in options.items()},
            "text": self.space.format(architecture),
            "metrics": metrics,
            "weights": weights,
            **({"measured_by": measured_by} if measured_by else {}),
        }
        write_json(self.folder / "best.json", best)

    def read_best(self) -> dict[str, Any]:
        """Read `best.json`; raises `NasError` if nothing has been found yet."""
        file = self.folder / "best.json"
        if not file.exists():
            raise NasError(
                f"{self.folder} has no result yet; continue with: nas resume {self.folder}"
            )
        return read_json(file, "result")

    @property
    def best(self) -> Found:
        """What the search found; raises `NasError` if it has found nothing yet."""
        from nas.run.found import Found

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


def _plain(option: Any) -> Any:
    return list(option) if isinstance(option, tuple) else option

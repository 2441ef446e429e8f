"""An architecture that somebody has found, with where it comes from, and how to build it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nas.errors import NasError
from nas.mutables import supernet_of
from nas.space import Architecture, SearchSpace
from nas.storage import load_weights
from nas.task import TaskInfo

if TYPE_CHECKING:
    from torch import nn

__all__ = ["WEIGHTS", "Found", "Record"]

WEIGHTS = ("fresh", "inherited", "trained")


class Record(Protocol):
    """What is needed of a run to build what it found; see `nas.run.run.Run`."""

    folder: Path
    config: dict[str, Any]

    @property
    def info(self) -> TaskInfo:
        """The shapes of the task."""

    def settings(self, group: str) -> dict[str, Any]:
        """Return the settings of one group."""

    def read_best(self) -> dict[str, Any]:
        """Read `best.json`."""


@dataclass(frozen=True)
class Found:
    """An architecture with where it comes from.

    Args:
        space: Its space.
        architecture: Itself.
        name: What the user called it.
        run: The record of the search that found it, if it comes from one.
        metrics: What the run measured.
    """

    space: SearchSpace
    architecture: Architecture
    name: str
    run: Record | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    def build(
        self, weights: str = "fresh", info: TaskInfo | None = None, **settings: Any
    ) -> nn.Module:
        """Build the plain network.

        Args:
            weights: "fresh", "inherited" (from the search, at its widths) or "trained" (by
                `nas train`, at its widths).
            info: The shapes of a task; None takes those of the run.
            **settings: Of the space's networks, such as channels=36; for fresh weights only.

        Returns:
            The network in evaluation mode.

        Raises:
            NasError: If there are no such weights, or for a wrong setting.
        """
        if weights not in WEIGHTS:
            raise NasError(f"weights '{weights}': allowed is {', '.join(WEIGHTS)}")
        if weights == "fresh":
            defaults = self.run.settings("network") if self.run else {}
            return self.space.build(
                self.architecture, self._info(info), **(defaults | settings)
            ).eval()
        if settings:
            raise NasError(f"{weights} weights have fixed widths: no setting can be changed")
        return self._inherited() if weights == "inherited" else self._trained()

    def _info(self, info: TaskInfo | None) -> TaskInfo:
        if info is None and self.run is None:
            raise NasError(f"'{self.name}' comes without a task: say which with --data")
        if info is None:
            assert self.run is not None
            return self.run.info
        return info

    def _inherited(self) -> nn.Module:
        if self.run is None:
            raise NasError(f"'{self.name}' comes from no search: it has no inherited weights")
        best = self.run.read_best()
        if not best.get("weights"):
            raise NasError(f"{self.run.folder} kept no weights; use --weights fresh or trained")
        if best["weights"] == "supernet":
            options = self.run.settings("supernet")
            network = supernet_of(self.space, self.run.info, **options).extract(self.architecture)
        else:
            settings = self.run.settings("network")
            network = self.space.build(self.architecture, self.run.info, **settings)
        return load_weights(network, self.run.folder / "best.safetensors")

    def _trained(self) -> nn.Module:
        if self.run is None:
            raise NasError(f"'{self.name}' comes from no run: it has no trained weights")
        file = self.run.folder / "train" / "result.json"
        if not file.exists():
            raise NasError(f"{self.run.folder} is not trained yet: nas train {self.run.folder}")
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            settings, shapes = dict(record["network"]), json.dumps(record["data"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NasError(f"{file} is damaged: {error!r}") from error
        if record.get("architecture") != self.space.format(self.architecture):  # nas rerank
            raise NasError(
                f"{file.parent} holds the training of another architecture; rename it, then: "
                f"nas train {self.run.folder}"
            )
        info = TaskInfo.from_json(shapes)  # perhaps of other data than the run's
        network = self.space.build(self.architecture, info, **settings)
        return load_weights(network, file.parent / "weights.safetensors")

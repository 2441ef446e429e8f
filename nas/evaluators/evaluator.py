"""What an evaluator is: it judges architectures."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.checkpoint import seed_everything, seed_of
from nas.objective import Measurement
from nas.progress import Progress, Silent
from nas.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from nas.task import Task

__all__ = ["Context", "Evaluator", "Measurement"]


def _no_log(event: dict[str, Any]) -> None:
    del event


@dataclass
class Context:
    """What an evaluator works with.

    Args:
        space: Whose architectures are judged.
        task: The problem, with its data on the device.
        seed: Of every random choice.
        supernet: Options of `space.supernet`.
        network: Settings of `space.build`.
        folder: Where checkpoints go; None keeps none.
        progress: Where to report.
        log: Takes events such as {"event": "epoch", ...}.
    """

    space: SearchSpace
    task: Task
    seed: int = 0
    supernet: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    progress: Progress = field(default_factory=Silent)
    log: Callable[[dict[str, Any]], None] = _no_log


class Evaluator(ABC):
    """Architectures -> measurements. A subclass that has settings names a dataclass `Settings`.

    Args:
        context: What to work with.
        settings: An instance of `Settings`.
    """

    Settings: type | None = None
    metrics: tuple[str, ...] = ()
    """Names of what `evaluate` returns, where they are known beforehand."""
    prepare_settings: tuple[str, ...] = ()
    """Settings that only `prepare` heeds."""
    shares_weights = False
    """Whether `weights_of` gives networks at the supernet's widths."""

    def __init__(self, context: Context, settings: Any = None) -> None:
        self.context = context
        self.settings = settings

    @classmethod
    def defaults(cls, scale: str) -> dict[str, Any]:
        """Return settings that differ from the defaults at a scale ("small" or "paper")."""
        del scale
        return {}

    def prepare(self) -> None:
        """Do once what all evaluations need, such as training a supernet. May be long."""
        return

    @property
    def at_once(self) -> int:
        """How many architectures `evaluate_many` takes at best; 1: it gains nothing by more."""
        return 1

    @abstractmethod
    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        """Return the metrics of one architecture; may raise."""

    def evaluate_many(
        self, architectures: Sequence[Architecture]
    ) -> list[dict[str, float] | Exception]:
        """Return the metrics of each architecture, or what its evaluation raised.

        By default one is evaluated after the other. What is returned for one must not depend on
        which others there are.
        """
        return [self._tried(architecture) for architecture in architectures]

    def _tried(self, architecture: Architecture) -> dict[str, float] | Exception:
        self.seed(architecture)
        try:
            return self.evaluate(architecture)
        except Exception as error:  # whatever a candidate does, the search goes on
            return error

    def seed(self, architecture: Architecture) -> None:
        """Set all random numbers for the evaluation of one architecture."""
        seed_everything(seed_of(self.context.seed, "evaluate", architecture.choices))

    def weights_of(self, architecture: Architecture) -> Any:
        """Return a plain network with the weights that were judged; None where none are kept."""
        del architecture
        return None

    def __call__(self, architectures: Sequence[Architecture]) -> list[Measurement]:
        """Judge architectures; one that raises, diverges or lacks memory is a failed measurement.

        The random numbers of an evaluation depend on the seed and the architecture alone, not on
        what was evaluated before. Architectures that are evaluated at once share the time equally.
        """
        measurements: list[Measurement] = []
        for at in range(0, len(architectures), self.at_once):
            some = architectures[at : at + self.at_once]
            start = time.perf_counter()
            try:
                results = self.evaluate_many(some)
            except Exception:  # not any one's fault: each has a try of its own
                results = [self._tried(architecture) for architecture in some]
            seconds = (time.perf_counter() - start) / len(some)
            measurements += [_measurement(result, seconds) for result in results]
        return measurements


def _measurement(result: dict[str, float] | Exception, seconds: float) -> Measurement:
    if isinstance(result, Exception):
        reason = f"{type(result).__name__}: {result}".splitlines()[0]
        return Measurement({}, seconds, reason)
    broken = [name for name, value in result.items() if not math.isfinite(value)]
    if broken:
        return Measurement({}, seconds, f"{broken[0]} is {result[broken[0]]}")
    return Measurement(result, seconds)

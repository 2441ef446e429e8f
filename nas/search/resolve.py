"""From the names that a user wrote to the parts of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.data import absolute, load_data
from nas.errors import NasError, unknown
from nas.evaluators import EvaluatorChoice, choose_evaluator
from nas.objective import Limit, Objective, parse_limits
from nas.search_spaces import name_of, resolve_space, with_options
from nas.space import SearchSpace
from nas.strategies import StrategyChoice, choose_strategy
from nas.task import Task, check_scale

__all__ = ["GROUPS", "Parts", "Request", "resolve"]

GROUPS = ("space", "strategy", "supernet", "network", "evaluator", "data")
"""Groups of settings of a search."""


@dataclass(frozen=True)
class Request:
    """What a search was asked for; the fields are the arguments of `nas.search`."""

    space: Any = "darts"
    strategy: str = "pc-darts"
    data: str | Task | None = None
    evaluator: str = "supernet"
    objective: str | None = None
    limit: str = ""
    evaluations: int | None = None
    timeout: float | None = None
    scale: str | None = None
    seed: int = 0
    device: str = "auto"
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    download: bool = False
    start_from: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        for group in self.settings:
            if group not in GROUPS:
                raise unknown("group of settings", group, GROUPS)
        check_scale(self.scale)
        if self.evaluations is not None and self.evaluations < 1:
            raise NasError(f"evaluations={self.evaluations}: at least 1 is needed")
        if self.timeout is not None and not self.timeout > 0:
            raise NasError(f"timeout={self.timeout}: expected seconds above 0")

    def group(self, name: str) -> dict[str, Any]:
        """Return the settings of one of `GROUPS`."""
        return dict(self.settings.get(name, {}))


@dataclass(frozen=True)
class Parts:
    """What the names of a request stand for.

    Args:
        request: Itself.
        space: The search space, for the task.
        strategy: The strategy.
        evaluator: What judges.
        task: The problem, with its data on the device.
        limits: What must be kept.
        names: How a run records "space" and "data".
    """

    request: Request
    space: SearchSpace
    strategy: StrategyChoice
    evaluator: EvaluatorChoice
    task: Task
    limits: tuple[Limit, ...]
    names: dict[str, str]


def resolve(request: Request) -> Parts:
    """Find the parts of a search; each wing finds its own.

    Raises:
        NasError: For an unknown name, data that are missing, or an objective that the strategy
            cannot heed: that is told before the data are loaded.
    """
    written = with_options(request.space, request.group("space"))
    space = resolve_space(written)
    strategy = choose_strategy(request.strategy, request.group("strategy"))
    evaluator = choose_evaluator(request.evaluator, request.group("evaluator"))
    limits = parse_limits(request.limit)
    if request.objective is not None:
        strategy.require_goals(Objective(request.objective, limits))
    data = space.default_data if request.data is None else request.data
    task = load_data(data, request.seed, request.device, request.download, request.group("data"))
    space = space.for_task(task.info)
    names = {
        "space": name_of(written, space),
        "data": absolute(data) if isinstance(data, str) else task.name,
    }
    return Parts(request, space, strategy, evaluator, task, limits, names)

"""What a search was asked for, checked and complete, before anything is written."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas import registry
from nas.data import absolute, load_data
from nas.errors import NasError, unknown
from nas.evaluators import COSTS, Context, Evaluator, costs_for
from nas.mutables import supernet_of
from nas.objective import Objective, parse_limits
from nas.progress import Progress
from nas.registry import resolve_entry
from nas.search.limited import LimitedSpace
from nas.search_spaces import name_of, resolve_space, with_options
from nas.settings import Groups, fill
from nas.space import Architecture, SearchSpace
from nas.strategies import Strategy
from nas.task import Task
from nas.timeouts import time_limit
from nas.training import gate_recipe

__all__ = ["GROUPS", "SCALES", "Plan", "check_limits", "make_plan"]

GROUPS = ("space", "strategy", "supernet", "network", "evaluator", "data")
"""Groups of settings of a search."""
SCALES = ("small", "paper")
EVALUATIONS = {"small": 50, "paper": 1000}
_PATIENCE = 2.0  # seconds without a word
_SUPERNET_PARTS = {"partial_channels": 1, "edge_gates": False}
"""What a supernet has from a strategy's composition, and what it is by default."""


@dataclass
class Plan:
    """All that a search needs, checked, before anything is written."""

    space: SearchSpace
    task: Task
    strategy: Any  # a registry entry's factory
    strategy_settings: Any
    evaluator: Any
    evaluator_settings: Any
    supernet: dict[str, Any]
    network: dict[str, Any]
    config: dict[str, Any]
    objective: Objective
    _costs: dict[Architecture, dict[str, float]] = field(default_factory=dict)  # that are known

    @property
    def is_black_box(self) -> bool:
        """Whether the strategy asks and is told, instead of training gates."""
        return _is_black_box(self.strategy)

    @property
    def named_metrics(self) -> tuple[str, ...]:
        """The metrics that the objective and its limits name."""
        goals = [goal.metric for goal in self.objective.goals]
        return tuple(dict.fromkeys([*goals, *(limit.metric for limit in self.objective.limits)]))

    @property
    def costs(self) -> tuple[str, ...]:
        """The costs that the objective and its limits name and the evaluator does not measure."""
        measured = self.evaluator.metrics_for(self.space, self.task.info)
        return tuple(name for name in self.named_metrics if name in COSTS and name not in measured)

    def limited(self, evaluator: Evaluator, progress: Progress) -> SearchSpace:
        """Return the space without what breaks a limit on a cost that is known beforehand.

        Args:
            evaluator: What tells the costs; each is told once, and within the timeout.
            progress: Where to say that the first costs take long, as networks are built for them.
        """
        limits = [
            limit for limit in self.objective.limits if limit.metric in evaluator.cost_metrics
        ]
        names = [limit.metric for limit in limits]
        timeout, start, told = self.config["timeout"], time.monotonic(), bool(self._costs)

        def costs(architectures: Sequence[Architecture]) -> list[dict[str, float]]:
            nonlocal told
            new = [a for a in architectures if a not in self._costs]
            with time_limit(timeout and timeout * len(new)):
                self._costs.update(zip(new, evaluator.costs(new, names), strict=True))
            if not told and time.monotonic() - start > _PATIENCE:
                told = True
                text = ", ".join(map(str, limits))
                progress.note(f"looking for an architecture that keeps the limits ({text})")
            return [self._costs[a] for a in architectures]

        return LimitedSpace(self.space, limits, costs, progress.warn) if limits else self.space


def make_plan(
    space: Any, strategy: str, data: str | Task | None, evaluator: str, objective: str | None,
    limit: str, evaluations: int | None, timeout: float | None, scale: str | None, seed: int,
    device: str, settings: Mapping[str, Mapping[str, Any]], download: bool,
) -> Plan:  # fmt: skip
    """Check all that a search was asked for; the arguments are those of `nas.search.search`.

    Raises:
        NasError: For whatever cannot work, before anything is written.
    """
    groups: Groups = {group: dict(values) for group, values in settings.items()}
    for group in groups:
        if group not in GROUPS:
            raise unknown("group of settings", group, GROUPS)
    if scale is not None and scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    if evaluations is not None and evaluations < 1:
        raise NasError(f"evaluations={evaluations}: at least 1 is needed")
    if timeout is not None and not timeout > 0:
        raise NasError(f"timeout={timeout}: expected seconds above 0")
    space = with_options(space, groups.get("space", {}))
    resolved = resolve_space(space)
    entry, argument = resolve_entry("strategies", strategy)
    factory = entry.factory
    groups["strategy"] = argument | groups.get("strategy", {})
    entry, argument = resolve_entry("evaluators", evaluator)
    judge: Any = entry.factory
    groups["evaluator"] = argument | groups.get("evaluator", {})
    limits = parse_limits(limit)
    if objective is not None:
        _check_goals(Objective(objective, limits), factory, strategy)
    data = resolved.default_data if data is None else data
    task = load_data(data, seed, device, download, groups.get("data", {}))
    resolved = resolved.for_task(task.info)
    scale = scale or task.scale
    chosen = _strategy_settings(factory, scale, task.info.kind, groups.get("strategy", {}))
    usual = judge.defaults(scale, task.info.kind)
    judged = _filled(judge.Settings, usual, groups.get("evaluator"), "evaluator")
    judge.require(resolved, judged)
    wanted = Objective(judge.objective_for(judged) if objective is None else objective, limits)
    _check_goals(wanted, factory, strategy)
    judged = judge.with_objective(judged, wanted)
    if not _is_black_box(factory) and judge.shares_weights:
        _refuse_preparation(judge, judged, strategy, usual)
    supernet = resolved.supernet_defaults(scale) | _supernet_parts(chosen)
    supernet |= groups.get("supernet", {})
    network = resolved.network_defaults(scale) | groups.get("network", {})
    config = {
        "space": name_of(space, resolved),
        "strategy": strategy,
        "evaluator": evaluator,
        "data": absolute(data) if isinstance(data, str) else task.name,
        "objective": wanted.text,
        "limit": ",".join(map(str, wanted.limits)),
        "timeout": timeout,
        "evaluations": _budget(factory, strategy, evaluations, scale),
        "scale": scale,
        "seed": seed,
        "device": device,
        "download": download,
        "settings": {
            "strategy": dataclasses.asdict(chosen) if chosen else {},
            "evaluator": dataclasses.asdict(judged) if judged else {},
            "supernet": supernet,
            "network": network,
            "data": groups.get("data", {}),
        },
        "task": task.info.as_dict() | {"splits": task.describe()},
    }
    plan = Plan(resolved, task, factory, chosen, judge, judged, supernet, network, config, wanted)
    _check_objective(plan)
    _check_networks(plan)
    return plan


def _refuse_preparation(
    judge: Any, judged: Any, strategy: str, defaults: Mapping[str, Any]
) -> None:
    """Refuse settings of a supernet's training where the strategy trains the supernet."""
    usual = _filled(judge.Settings, defaults, {}, "evaluator")
    for name in judge.prepare_settings:
        if getattr(judged, name) != getattr(usual, name):
            raise NasError(
                f"evaluator.{name}: '{strategy}' trains the supernet itself; use its own settings "
                f"(nas strategies {strategy})"
            )


def _check_goals(objective: Objective, factory: Any, strategy: str) -> None:
    """Refuse several metrics, or limits, where the strategy cannot heed them."""
    if len(objective.goals) > 1 and not getattr(factory, "several_objectives", False):
        able = [
            name
            for name, entry in registry.names("strategies").items()
            if getattr(entry.factory, "several_objectives", False)
        ]
        raise NasError(
            f"objective '{objective.text}': '{strategy}' searches for one metric; for several "
            f"there are {', '.join(able)}"
        )
    if objective.limits and not _is_black_box(factory):
        raise NasError(
            f"limit '{objective.limits[0]}': '{strategy}' trains gates and knows no limits; take a "
            "black-box strategy, such as evolution or rl"
        )


def _check_objective(plan: Plan) -> None:
    """Refuse a metric that will not be measured, where that is known beforehand."""
    info = plan.task.info
    measured = plan.evaluator.metrics_for(plan.space, info) or _evaluator(plan).metrics
    allowed = (*measured, *(costs_for(info) if plan.evaluator.uses_data else ()))
    for word, names in (
        ("objective", [goal.metric for goal in plan.objective.goals]),
        ("metric of a limit", [limit.metric for limit in plan.objective.limits]),
    ):
        for name in names if measured else ():
            if name not in allowed:
                raise unknown(word, name, allowed)


def check_limits(plan: Plan, progress: Progress) -> None:
    """Refuse limits that nothing seems to keep, where that can be told without an evaluation.

    Args:
        plan: Of the search.
        progress: Where to report.

    Raises:
        NasError: If none of a thousand architectures keeps them.
    """
    if plan.objective.limits:
        plan.limited(_evaluator(plan), progress).sample(np.random.default_rng(0), 1)


def _evaluator(plan: Plan) -> Evaluator:
    """Return the evaluator as it is before a search: it keeps nothing."""
    context = Context(plan.space, plan.task, plan.config["seed"], plan.supernet, plan.network)
    context.costs = plan.costs
    evaluator: Evaluator = plan.evaluator(context, plan.evaluator_settings)
    return evaluator


def _check_networks(plan: Plan) -> None:
    """Build what is to be searched, so that a setting that cannot work is found now."""
    if not plan.is_black_box or plan.evaluator.shares_weights:
        supernet = supernet_of(plan.space, plan.task.info, **plan.supernet)
        if not any(True for _ in supernet.parameters()):
            raise NasError(f"space '{plan.space.name}' has no weights to share or train")
    if not plan.evaluator.uses_data:
        return  # what it judges may be no network that could be built
    refused: NasError | None = None
    for architecture in plan.space.sample(np.random.default_rng(0), 3):
        try:
            plan.space.build(architecture, plan.task.info, **plan.network)
            return
        except NasError as error:  # not for every architecture, perhaps
            refused = error
        except Exception:  # a candidate's own fault, which is recorded when it is evaluated
            return
    if refused:
        raise refused


def precision_settings(strategy: str, precision: str) -> Groups:
    """Return the settings that make a search run in a precision.

    Args:
        strategy: A name; what trains weights is the strategy itself or, for a black-box one, the
            evaluator.
        precision: See `nas.training.PRECISIONS`.
    """
    black_box = _is_black_box(resolve_entry("strategies", strategy)[0].factory)
    return {"evaluator" if black_box else "strategy": {"precision": precision}}


def _is_black_box(factory: Any) -> bool:
    """Tell whether a strategy asks and is told, instead of training gates."""
    return isinstance(factory, type) and issubclass(factory, Strategy)


def _budget(factory: Any, strategy: str, evaluations: int | None, scale: str) -> int | None:
    """Return how many architectures a black-box strategy may try; None for another."""
    if _is_black_box(factory):
        return evaluations or EVALUATIONS[scale]
    if evaluations is not None:
        raise NasError(
            f"evaluations={evaluations}: this is the budget of a black-box strategy; '{strategy}' "
            "trains gates for a number of epochs (--set epochs=...)"
        )
    return None


def _strategy_settings(factory: Any, scale: str, kind: str, values: Mapping[str, Any]) -> Any:
    if isinstance(factory, type) and issubclass(factory, Strategy):
        return _filled(factory.Settings, {}, values, "strategy")
    settings = factory(scale).changed(values)
    if settings.solver != "second-order":  # which is made for SGD
        settings = factory(scale).changed({**gate_recipe(kind, scale), **values})
    for part in ("relaxation", "solver", "selection"):
        registry.get(f"strategies.differentiable.{part}s", getattr(settings, part))
    for name in settings.regularisers:
        registry.get("strategies.differentiable.regularisers", name)
    return settings


def _filled(
    cls: type | None, defaults: Mapping[str, Any], values: Mapping[str, Any] | None, where: str
) -> Any:
    if cls is None:
        for name in values or {}:
            raise unknown(f"setting of {where}", name, [])
        return None
    return fill(cls, {**defaults, **(values or {})}, where)


def _supernet_parts(settings: Any) -> dict[str, Any]:
    """Return the supernet's options that belong to a strategy's composition, if not the default."""
    given = {name: getattr(settings, name, value) for name, value in _SUPERNET_PARTS.items()}
    return {name: value for name, value in given.items() if value != _SUPERNET_PARTS[name]}

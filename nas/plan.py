"""What a search was asked for, checked and complete, before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas import registry
from nas.errors import NasError, unknown
from nas.objective import Objective
from nas.resolve import import_object, name_of, resolve_space
from nas.settings import Groups, fill
from nas.space import SearchSpace
from nas.strategies.strategy import Strategy
from nas.task import Task

__all__ = ["GROUPS", "SCALES", "Plan", "load_data", "make_plan"]

GROUPS = ("strategy", "supernet", "network", "evaluator", "data")
"""Groups of settings of a search."""
SCALES = ("small", "paper")
EVALUATIONS = {"small": 50, "paper": 1000}
_SUPERNET_PARTS = ("partial_channels", "edge_gates")


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

    @property
    def is_black_box(self) -> bool:
        """Whether the strategy asks and is told, instead of training gates."""
        return _is_black_box(self.strategy)


def make_plan(
    space: Any, strategy: str, data: str | Task, evaluator: str, objective: str,
    evaluations: int | None, scale: str | None, seed: int, device: str,
    settings: Mapping[str, Mapping[str, Any]], download: bool,
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
    Objective(objective)
    resolved = resolve_space(space)
    factory = registry.get("strategies", strategy).factory
    judge: Any = registry.get("evaluators", evaluator).factory
    task = load_data(data, seed, device, download, groups.get("data", {}))
    scale = scale or task.scale
    chosen = _strategy_settings(factory, scale, groups.get("strategy", {}))
    judged = _filled(judge.Settings, judge.defaults(scale), groups.get("evaluator"), "evaluator")
    if not _is_black_box(factory) and judge.shares_weights:
        _refuse_preparation(judge, judged, strategy, scale)
    supernet = resolved.supernet_defaults(scale) | _supernet_parts(chosen)
    supernet |= groups.get("supernet", {})
    network = resolved.network_defaults(scale) | groups.get("network", {})
    config = {
        "space": name_of(space, resolved),
        "strategy": strategy,
        "evaluator": evaluator,
        "data": _absolute(data) if isinstance(data, str) else task.name,
        "objective": objective,
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
        "task": {"input_shape": list(task.input_shape), "outputs": task.outputs}
        | {"splits": task.describe()},
    }
    plan = Plan(resolved, task, factory, chosen, judge, judged, supernet, network, config)
    _check_objective(plan)
    _check_networks(plan)
    return plan


def _refuse_preparation(judge: Any, judged: Any, strategy: str, scale: str) -> None:
    """Refuse settings of a supernet's training where the strategy trains the supernet."""
    usual = _filled(judge.Settings, judge.defaults(scale), {}, "evaluator")
    for name in judge.prepare_settings:
        if getattr(judged, name) != getattr(usual, name):
            raise NasError(
                f"evaluator.{name}: '{strategy}' trains the supernet itself; use its own settings "
                f"(nas strategies {strategy})"
            )


def _check_objective(plan: Plan) -> None:
    """Refuse a metric that will not be measured, where that is known beforehand."""
    metric = Objective(plan.config["objective"]).metric
    measured = plan.evaluator.metrics
    if measured and metric not in measured:
        raise unknown("objective", metric, measured)


def _check_networks(plan: Plan) -> None:
    """Build what is to be searched, so that a setting that cannot work is found now."""
    if not plan.is_black_box or plan.evaluator.shares_weights:
        plan.space.supernet(plan.task.info, **plan.supernet)
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
        precision: See `nas.precision.PRECISIONS`.
    """
    black_box = _is_black_box(registry.get("strategies", strategy).factory)
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


def load_data(
    data: str | Task, seed: int, device: str, download: bool, settings: Mapping[str, Any]
) -> Task:
    """Load data by name, `file.py:name` or as given.

    Args:
        data: A source, `file.py:name` of a `Task` or of a function that makes one, or a `Task`.
        seed: Of the splits.
        device: Where the data shall lie.
        download: Whether missing data may be fetched.
        settings: Of the source.
    """
    from nas.data import load_task
    from nas.data.device import find_device

    if device.startswith("meta"):
        raise NasError("device 'meta' holds no data; allowed are cpu, cuda and the like")
    if isinstance(data, str) and ".py:" in data:
        made = import_object(data)
        data = made() if callable(made) else made
    if isinstance(data, Task):
        return data.to(find_device(device)) if device != "auto" else data
    if not isinstance(data, str):
        raise NasError(f"not data: {data!r:.80}; expected a name, a Task, or file.py:NAME of one")
    return load_task(data, seed=seed, device=device, download=download, **settings)


def _absolute(data: str) -> str:
    """Write the path in `npz:PATH` and the like so that it holds from every folder."""
    place, colon, rest = data.partition(":")
    if colon and Path(rest).exists():
        return f"{place}:{Path(rest).resolve()}"
    if Path(place).is_file():
        return f"{Path(place).resolve()}:{rest}"
    return data


def _strategy_settings(factory: Any, scale: str, values: Mapping[str, Any]) -> Any:
    if isinstance(factory, type) and issubclass(factory, Strategy):
        return _filled(factory.Settings, {}, values, "strategy")
    settings = factory(scale).changed(values)
    for kind in ("relaxation", "solver", "selection"):
        registry.get(f"strategies.differentiable.{kind}s", getattr(settings, kind))
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
    options = {name: getattr(settings, name, None) for name in _SUPERNET_PARTS}
    return {name: value for name, value in options.items() if value and value != 1}

"""What a search will do, checked and complete, before anything is written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas.errors import NasError
from nas.evaluators import Context, Evaluator, EvaluatorChoice
from nas.mutables import supernet_of
from nas.objective import Objective
from nas.run import PROTOCOL, Run
from nas.search.resolve import Parts
from nas.space import Architecture, SearchSpace
from nas.strategies import StrategyChoice
from nas.task import Task

__all__ = ["Plan", "make_plan"]


@dataclass
class Plan:
    """All that a search needs.

    Args:
        space: The search space, for the task.
        task: The problem, with its data on the device.
        strategy: The strategy.
        strategy_settings: Its settings.
        evaluator: What judges.
        evaluator_settings: Its settings.
        supernet: Options of `space.supernet`.
        network: Settings of `space.build`.
        objective: What is better, and what must be kept.
        config: What a run records.
        known_costs: Of architectures that were asked for, so that each is told once.
    """

    space: SearchSpace
    task: Task
    strategy: StrategyChoice
    strategy_settings: Any
    evaluator: EvaluatorChoice
    evaluator_settings: Any
    supernet: dict[str, Any]
    network: dict[str, Any]
    objective: Objective
    config: dict[str, Any]
    known_costs: dict[Architecture, dict[str, float]] = field(default_factory=dict)

    def make_evaluator(self, **more: Any) -> Evaluator:
        """Return the evaluator.

        Args:
            **more: Of its `Context`, such as the folder; without, it keeps and reports nothing.
        """
        costs = self.evaluator.costs(self.objective, self.space, self.task.info)
        context = Context(
            self.space, self.task, self.config["seed"], self.supernet, self.network, costs=costs,
            objective=self.objective, **more,
        )  # fmt: skip
        return self.evaluator.make(context, self.evaluator_settings)


def make_plan(parts: Parts) -> Plan:
    """Fill in what was not said, and check that what was said goes together.

    Raises:
        NasError: For whatever cannot work.
    """
    request, space = parts.request, parts.space
    strategy, evaluator = parts.strategy, parts.evaluator
    scale, kind = request.scale or parts.task.scale, parts.task.info.kind
    budget = strategy.budget(request.evaluations, scale)
    chosen = strategy.settings(scale, kind, budget)
    judged = evaluator.settings(scale, kind, space)
    objective = evaluator.objective(judged, request.objective, parts.limits)
    strategy.require_goals(objective)
    judged = evaluator.factory.with_objective(judged, objective)
    if not strategy.is_black_box:
        evaluator.refuse_preparation(judged, scale, kind, strategy.name)
    supernet = space.supernet_defaults(scale) | strategy.supernet_options(chosen)
    supernet |= request.group("supernet")
    network = space.network_defaults(scale) | request.group("network")
    settings = {
        "strategy": dataclasses.asdict(chosen) if chosen else {},
        "evaluator": dataclasses.asdict(judged) if judged else {},
        "supernet": supernet,
        "network": network,
        "data": request.group("data"),
    }
    config = _config(parts, objective, scale, budget) | {"settings": settings}
    config["task"] = parts.task.info.as_dict() | {"splits": parts.task.describe()}
    plan = Plan(
        space, parts.task, strategy, chosen, evaluator, judged, supernet, network, objective, config
    )
    evaluator.require_metrics(objective, space, parts.task.info, plan.make_evaluator)
    _build_once(plan)
    return plan


def _config(parts: Parts, objective: Objective, scale: str, budget: int | None) -> dict[str, Any]:
    """Return what a run records beside settings and task."""
    request = parts.request
    return {
        "space": parts.names["space"],
        "strategy": parts.strategy.name,
        "evaluator": parts.evaluator.name,
        "data": parts.names["data"],
        "objective": objective.text,
        "limit": ",".join(map(str, objective.limits)),
        "timeout": request.timeout,
        "evaluations": budget,
        "scale": scale,
        "seed": request.seed,
        "device": request.device,
        "download": request.download,
        "protocol": PROTOCOL,
    } | (
        {"from": [_written(parts.space, one) for one in request.start_from]}
        if request.start_from
        else {}
    )


def _written(space: SearchSpace, source: Any) -> str:
    """Write what a search starts from as a user would."""
    if isinstance(source, Architecture):
        return space.format(space.require(source))
    return str(source.folder if isinstance(source, Run) else source)


def _build_once(plan: Plan) -> None:
    """Build what is to be searched, so that a setting that cannot work is found now."""
    info = plan.task.info
    if not plan.strategy.is_black_box or plan.evaluator.factory.shares_weights:
        supernet = supernet_of(plan.space, info, **plan.supernet)
        if not any(True for _ in supernet.parameters()):
            raise NasError(f"space '{plan.space.name}' has no weights to share or train")
    if not plan.evaluator.factory.uses_data:
        return  # what it judges may be no network that could be built
    refused: NasError | None = None
    for architecture in plan.space.sample(np.random.default_rng(0), 3):
        try:
            plan.space.build(architecture, info, **plan.network)
            return
        except NasError as error:  # not for every architecture, perhaps
            refused = error
        except Exception:  # a candidate's own fault, which is recorded when it is evaluated
            return
    if refused:
        raise refused

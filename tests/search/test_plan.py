"""What a search was asked for reaches its parts."""

from __future__ import annotations

from typing import Any

import pytest
from every import DIFFERENTIABLE
from tiny import make_task

from nas import registry
from nas.search import Plan, Request, make_plan, resolve
from nas.task import Task


def planned(*arguments: Any, **options: Any) -> Plan:
    """Plan a search."""
    return make_plan(resolve(Request(*arguments, device="cpu", **options)))


@pytest.mark.parametrize("strategy", DIFFERENTIABLE)
def test_the_supernet_has_the_parts_of_the_strategys_composition(
    strategy: str, tiny_task: Task
) -> None:
    settings = registry.get("strategies", strategy).factory("small")
    small = {"supernet": {"channels": 8, "cells": 1}}
    plan = planned("nas-bench-201", strategy, tiny_task, settings=small)
    assert plan.supernet.get("partial_channels", 1) == settings.partial_channels
    assert plan.supernet.get("edge_gates", False) == settings.edge_gates
    gates = plan.space.supernet(plan.task.info, **plan.supernet).gates
    edges = [name for name, gate in gates.items() if "nor_conv_3x3" not in gate.options]
    assert bool(edges) == settings.edge_gates


def weights_of(task: Task, strategy: str = "darts", **changes: object) -> tuple[str, float]:
    """Plan a search of a graph network; return how its shared weights are trained."""
    plan = planned("gnn", strategy, task, settings={"strategy": changes})
    return plan.strategy_settings.weight_optimizer, plan.strategy_settings.weight_lr


def test_weights_are_trained_as_suits_the_kind_of_task() -> None:
    nodes, graphs = make_task("nodes"), make_task("graphs")
    assert weights_of(nodes) == ("adam", 0.01)
    assert weights_of(nodes, weight_lr=0.3) == ("adam", 0.3)
    assert weights_of(nodes, weight_optimizer="sgd")[0] == "sgd"
    assert weights_of(nodes, "darts-second-order")[0] == "sgd"
    assert weights_of(nodes, solver="second-order")[0] == "sgd"
    assert weights_of(graphs)[0] == "sgd"


def test_a_supernet_that_is_only_trained_too() -> None:
    for kind, optimizer in (("nodes", "adam"), ("graphs", "sgd")):
        plan = planned("gnn", "random", make_task(kind))
        assert plan.evaluator_settings.optimizer == optimizer, kind

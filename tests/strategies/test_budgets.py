"""Settings whose defaults follow from the budget."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from nas import registry
from nas.objective import BROKEN
from nas.strategies.budgets import share_of_budget, under_limits
from nas.strategies.strategy import Strategy

ADAPTING = ["agnn", "bananas", "bo-wl", "evolution", "lanas", "linas", "local-search", "nsga-ii"]


def factory(name: str) -> Any:
    made = registry.get("strategies", name).factory
    assert isinstance(made, type) and issubclass(made, Strategy)
    return made


def test_a_share_is_bounded() -> None:
    assert [share_of_budget(n, 5, 20, 2) for n in (1, 30, 99, 100, 1000)] == [2, 6, 19, 20, 20]


@pytest.mark.parametrize("name", ADAPTING)
def test_150_evaluations_and_more_leave_the_defaults_as_they_are(name: str) -> None:
    made = factory(name)
    usual = asdict(made.Settings())
    for evaluations in (150, 1000):
        for setting, value in made.defaults(evaluations).items():
            assert value == usual[setting], setting


@pytest.mark.parametrize("name", ADAPTING)
@pytest.mark.parametrize("evaluations", [12, 50, 149])
def test_two_thirds_of_a_small_budget_are_left_to_learn(name: str, evaluations: int) -> None:
    made = factory(name)
    settings = made.Settings(**made.defaults(evaluations))  # valid, too
    initial = made.initial_evaluations(settings)
    assert initial > 0
    assert evaluations - initial >= 0.58 * evaluations


def test_what_is_given_says_how_many_come_first() -> None:
    for name, setting in {"evolution": "population", "linas": "batch", "bo-wl": "initial"}.items():
        made = factory(name)
        assert made.initial_evaluations(made.Settings(**{setting: 37})) == 37


def test_where_hardly_anything_keeps_the_limits_less_is_waited_for() -> None:
    broken, failed = [2 * BROKEN] * 5, [float("-inf")] * 5
    assert under_limits(20, broken) == 5
    assert under_limits(20, [*broken, 0.7]) == 5
    assert under_limits(20, [*broken, 0.7, 0.8]) == 20
    assert under_limits(20, failed) == under_limits(20, []) == 20
    assert under_limits(10, broken) == 4 and under_limits(3, broken) == 3

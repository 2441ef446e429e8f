"""Bandits as a strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_spaces import FAILED, Allowed, Small, grid, router, scored

from nas.errors import NasError
from nas.objective import Objective
from nas.space import Architecture
from nas.strategies.bandits.strategy import BanditStrategy
from nas.strategies.cmab import CMABNAS, CMABSettings
from nas.strategies.manas import MANAS, MANASSettings

KINDS: dict[str, CMABSettings | MANASSettings] = {
    "cmab": CMABSettings(),
    "cmab, epsilon": CMABSettings(local="epsilon"),
    "cmab, level 2": CMABSettings(level=2),
    "manas, exp3": MANASSettings(credit="exp3"),
    "manas, lsq": MANASSettings(credit="lsq"),
}
over_kinds = pytest.mark.parametrize("kind", KINDS)


def make(kind: str, space: Small, seed: int = 0, objective: str = "accuracy") -> BanditStrategy:
    settings = KINDS[kind]
    factory = MANAS if isinstance(settings, MANASSettings) else CMABNAS
    return factory(space, Objective(objective), seed, settings)


def run(strategy: BanditStrategy, rounds: int, n: int = 1) -> list[Architecture]:
    asked = []
    for _ in range(rounds):
        proposed = strategy.ask(n)
        results = [(a, scored(float(sum(a.choices)))) for a in proposed]
        strategy.tell(
            [(a, FAILED) if a.choices[0] == a.choices[-1] == 1 else (a, m) for a, m in results]
        )
        asked += proposed
    return asked


def mean(architectures: list[Architecture]) -> float:
    return float(np.mean([sum(a.choices) for a in architectures]))


@over_kinds
@pytest.mark.parametrize("objective", ["accuracy", "-accuracy"])
def test_it_gets_better_than_chance(kind: str, objective: str) -> None:
    """A uniform draw has a mean of 9, of 0 to 18."""
    asked = run(make(kind, grid(6, 4), objective=objective), 80)
    better = 9 - mean(asked[30:]) if objective.startswith("-") else mean(asked[30:]) - 9
    assert better > 2


@over_kinds
@pytest.mark.parametrize("space", [router(), Allowed(), grid(1, 2), grid(2, 1)])
def test_proposals_are_valid(kind: str, space: Small) -> None:
    asked = run(make(kind, space), 15, n=3)
    assert len(asked) == 45
    assert all(space.check(a) is None for a in asked)


@over_kinds
def test_failures_of_all_are_survived(kind: str) -> None:
    strategy = make(kind, grid(3, 3))
    for _ in range(20):
        strategy.tell([(a, FAILED) for a in strategy.ask(2)])
    assert all(strategy.space.check(a) is None for a in strategy.ask(2))


@over_kinds
def test_a_restored_state_goes_on_the_same(kind: str) -> None:
    first = make(kind, router())
    run(first, 5, n=3)
    first.ask(2)  # stay pending
    state = first.state_dict()
    continued = run(first, 5, n=2)
    for seed in (3, 4):  # twice, as the state must not change
        second = make(kind, router(), seed)
        second.load_state_dict(state)
        assert run(second, 5, n=2) == continued


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (MANASSettings, {"credit": "none"}, "unknown strategy.credit 'none'.*exp3, lsq"),
        (MANASSettings, {"eta": 0.0}, "strategy.eta=0.0: expected above 0"),
        (MANASSettings, {"mixing": 0.0}, "strategy.mixing=0.0: expected above 0, to 1"),
        (CMABSettings, {"local": "greedy"}, "unknown strategy.local 'greedy'"),
        (CMABSettings, {"level": 0}, "strategy.level=0: expected at least 1"),
        (CMABSettings, {"epsilon": 1.5}, "strategy.epsilon=1.5: expected 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(
    kind: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(NasError, match=message):
        kind(**settings)


@pytest.mark.parametrize("strategy", ["cmab", "manas"])
def test_an_unknown_reward_is_refused(strategy: str) -> None:
    kind = CMABSettings if strategy == "cmab" else MANASSettings
    with pytest.raises(NasError, match=r"unknown strategy.reward 'scores'. Did you mean 'score'"):
        kind(reward="scores")

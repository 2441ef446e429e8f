"""What results of another task say of this one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.kernels import WeisfeilerLehman
from nas.objective import Measurement, Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.bo_wl import BOWL
from nas.strategies.task_prior import TaskPrior

SPACE = NASBench201()
VALUES = np.array([0.0, 0.3, 0.6, 1.0, 0.2])


def worth(architecture: Architecture) -> float:
    return float(VALUES[list(architecture.choices)].mean())


def others(sign: float = 1.0, n: int = 80) -> list[tuple[Architecture, float]]:
    """Scores of a task on another scale, which agrees, or with -1 says the opposite."""
    return [(a, sign * 100 * worth(a) ** 3) for a in SPACE.sample(np.random.default_rng(7), n)]


def best_after(strategy: BOWL, *marks: int) -> list[float]:
    found = []
    for _ in range(max(marks)):
        [a] = strategy.ask(1)
        strategy.tell([(a, Measurement({"accuracy": worth(a)}))])
        found.append(worth(a))
    return [max(found[:mark]) for mark in marks]


def searched(seed: int, sign: float | None, *marks: int) -> list[float]:
    strategy = BOWL(SPACE, Objective(), seed)
    if sign is not None:
        assert strategy.learn_prior(others(sign))
    return best_after(strategy, *marks)


def test_what_agrees_finds_better_early() -> None:
    alone = np.mean([searched(seed, None, 8) for seed in range(3)])
    helped = np.mean([searched(seed, 1.0, 8) for seed in range(3)])
    assert helped > alone + 0.1


def test_what_says_the_opposite_does_no_lasting_harm() -> None:
    alone, misled = searched(0, None, 60), searched(0, -1.0, 60)
    assert misled[0] >= alone[0] - 0.05


def test_the_coefficient_follows_from_the_evidence() -> None:
    some = SPACE.sample(np.random.default_rng(1), 40)
    prior = TaskPrior(WeisfeilerLehman(SPACE), dict(others()))
    targets = np.array([worth(a) for a in some])
    expected = prior.mean(prior.wl.features(some))
    assert np.corrcoef(expected, targets)[0, 1] > 0.8
    assert prior.coefficient([], np.empty(0)) == 0.5
    assert prior.coefficient(some, -targets) == 0.0
    coefficients = [prior.coefficient(some[:n], targets[:n]) / targets[:n].std() for n in (2, 40)]
    slope = np.polyfit(expected, targets / targets.std(), 1)[0]
    assert abs(coefficients[1] - slope) < min(0.2, abs(coefficients[0] - slope) + 1e-9)


def test_failures_and_broken_limits_of_the_other_task_are_its_worst() -> None:
    known = others(n=30)
    known[0] = (known[0][0], -math.inf)
    known[1] = (known[1][0], -1e101)
    prior = TaskPrior(WeisfeilerLehman(SPACE), dict(known))
    mean = prior.mean(prior.wl.features([a for a, _ in known]))
    assert np.isfinite(mean).all()
    assert mean[:2].max() < np.median(mean)


def test_too_little_is_no_prior() -> None:
    strategy = BOWL(SPACE, Objective(), 0)
    assert not strategy.learn_prior(others(n=4))
    assert not strategy.learn_prior([(a, -math.inf) for a, _ in others()])
    assert strategy.ask(3) == BOWL(SPACE, Objective(), 0).ask(3)


def test_a_large_table_is_thinned() -> None:
    prior = TaskPrior(WeisfeilerLehman(SPACE), dict(others(n=700)))
    assert len(prior.model.architectures) == 400
    assert len(prior.results) > 600


@pytest.mark.parametrize("told", [3, 14])
def test_a_restored_search_goes_on_the_same(told: int) -> None:
    first, second = BOWL(SPACE, Objective(), 0), BOWL(SPACE, Objective(), 5)
    first.learn_prior(others())
    best_after(first, told)
    second.load_state_dict(first.state_dict())
    assert best_after(first, 12) == best_after(second, 12)
    assert first.ask(3) == second.ask(3)

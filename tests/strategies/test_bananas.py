"""BANANAS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.bananas import BANANAS, BANANASSettings

SPACE = NASBench201()


def make(seed: int = 0, **settings: Any) -> BANANAS:
    return BANANAS(SPACE, Objective(), seed, BANANASSettings(**settings))


def worth(architecture: Architecture) -> float:
    return float(np.array([0.0, 0.3, 0.6, 1.0, 0.2])[list(architecture.choices)].mean())


def tell(strategy: BANANAS, asked: list[Architecture]) -> None:
    strategy.tell([(a, Measurement({"accuracy": worth(a)})) for a in asked])


def searched(strategy: BANANAS, evaluations: int) -> list[Architecture]:
    found: list[Architecture] = []
    for _ in range(evaluations):
        found += strategy.ask(1)
        tell(strategy, found[-1:])
    return found


def test_the_numbers_are_the_authors() -> None:
    made = BANANASSettings()
    assert (made.initial, made.batch, made.candidates) == (10, 10, 100)


def test_it_finds_what_random_search_does_not() -> None:
    found = max(map(worth, searched(make(), 60)))
    assert found > 0.9 > max(map(worth, SPACE.sample(np.random.default_rng(0), 60)))


def test_the_ensemble_is_fitted_once_a_batch() -> None:
    strategy = make(initial=4, batch=5)
    left = []
    for _ in range(14):
        searched(strategy, 1)
        left.append(len(strategy.queue))
    assert left == [0] * 4 + [4, 3, 2, 1, 0] * 2


def test_a_batch_is_mutations_of_the_best() -> None:
    strategy = make(initial=20, parents=2)
    first = searched(strategy, 20)
    best = sorted(first, key=worth)[-2:]
    asked = strategy.ask(10)
    near = [any(a in SPACE.neighbors(b) for b in best) for a in asked]
    assert all(near)
    assert not set(asked) & set(first)


def test_thompson_sampling_draws_anew() -> None:
    """The same results and networks, another draw: another batch."""
    batches = []
    for seed in (0, 1):
        strategy = make()
        tell(strategy, SPACE.sample(np.random.default_rng(0), 20))
        ensemble = strategy._ensemble()
        strategy._ensemble = lambda made=ensemble: made  # type: ignore[method-assign]
        strategy.rng = np.random.default_rng(5)
        candidates = strategy._candidates()
        strategy._candidates = lambda made=candidates: made  # type: ignore[method-assign]
        strategy.rng = np.random.default_rng(seed)
        batches.append(strategy._batch().tolist())
    assert batches[0] != batches[1]


def test_failures_alone_leave_it_at_random_search() -> None:
    strategy = make()
    for _ in range(8):
        strategy.tell([(a, Measurement(error="RuntimeError: failed")) for a in strategy.ask(3)])
    assert len(set(strategy.ask(9))) == 9


@pytest.mark.parametrize("told", [5, 13])
def test_state(told: int) -> None:
    first, second = make(initial=6, batch=4), make(9, initial=6, batch=4)
    searched(first, told)
    second.load_state_dict(first.state_dict())
    assert searched(first, 6) == searched(second, 6)


def test_settings_out_of_range() -> None:
    with pytest.raises(NasError, match=r"strategy\.candidates=5: expected at least as many"):
        BANANASSettings(candidates=5)

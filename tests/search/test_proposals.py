"""New architectures from a strategy that repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas.objective import Measurement, Objective, parse_limits
from nas.search.limited import LimitedSpace
from nas.search.proposals import MOST_REPEATS, Proposals
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.nats_size import NATSSize
from nas.space import Architecture, Decision, SearchSpace
from nas.strategies.strategy import Strategy

SPACE = NASBench201()
A, EQUAL_TO_A, B = (
    Architecture(SPACE.name, choices)
    for choices in ((0, 0, 0, 3, 0, 0), (0, 0, 3, 3, 3, 0), (0, 0, 0, 2, 0, 0))
)


class Listed(Strategy):
    """Proposes what it is given, in a circle."""

    def __init__(self, *proposals: Architecture, space: SearchSpace = SPACE) -> None:
        super().__init__(space, Objective())
        self.proposals, self.asked = proposals, 0
        self.told: list[tuple[Architecture, Measurement]] = []

    def ask(self, n: int) -> list[Architecture]:
        self.asked += n
        return [self.proposals[(self.asked - 1) % len(self.proposals)]]

    def tell(self, results: Sequence[tuple[Architecture, Any]]) -> None:
        self.told += results


class Small(NATSSize):
    """Three networks, by ten rows."""

    name = "small"
    decisions = (Decision("a", tuple(range(10))),)

    def canonical(self, architecture: Architecture) -> Architecture:
        return Architecture("small", (architecture.choices[0] % 3,))


def test_what_is_known_is_told_at_once() -> None:
    strategy = Listed(A, EQUAL_TO_A, B)
    proposals = Proposals(SPACE, strategy)
    assert proposals.ask(1) == [A]
    measured = Measurement({"accuracy": 0.5})
    proposals.tell(A, measured)
    assert proposals.ask(1) == [B]
    assert strategy.told == [(A, measured), (EQUAL_TO_A, measured)]


def test_one_call_gives_different_networks() -> None:
    strategy = Listed(A, EQUAL_TO_A, B)
    assert Proposals(SPACE, strategy).ask(2) == [A, B]
    assert not strategy.told  # nothing is known of either yet


def test_what_is_near_takes_the_place_of_repeats() -> None:
    strategy = Listed(A)
    proposals = Proposals(SPACE, strategy)
    proposals.remember(A, Measurement(error="no"))
    found = proposals.ask(3)
    keys = {SPACE.canonical(a) for a in found}
    assert len(keys) == 3 and SPACE.canonical(A) not in keys
    assert all(SPACE.check(a) is None for a in found)
    assert proposals.made == strategy.asked == 3 * MOST_REPEATS
    assert not proposals.exhausted
    again = Proposals(SPACE, Listed(A))
    again.remember(A, Measurement(error="no"))
    assert again.ask(3) == found  # nothing but what is known decides


def test_a_small_space_ends_as_soon_as_all_is_known() -> None:
    space = Small()
    strategy = Listed(*space.sample(np.random.default_rng(0), 20), space=space)
    proposals = Proposals(space, strategy)
    known = 0
    while found := proposals.ask(1):
        proposals.tell(found[0], Measurement({"accuracy": 0.5}))
        known += 1
    assert known == 3 and proposals.exhausted
    assert strategy.asked < 3 * MOST_REPEATS
    before = strategy.asked
    assert proposals.ask(3) == [] and strategy.asked == before


def test_repeats_that_are_evaluated_are_returned() -> None:
    strategy = Listed(A, A, B)
    proposals = Proposals(SPACE, strategy, "evaluated")
    for expected in (A, A, B):
        assert proposals.ask(1) == [expected]
        proposals.tell(expected, Measurement({"accuracy": 0.5}))
    assert len(strategy.told) == 3


def test_a_search_of_before_tells_repeats_and_ends_with_them() -> None:
    strategy = Listed(A)
    proposals = Proposals(SPACE, strategy, "told")
    proposals.remember(A, Measurement(error="no"))
    assert proposals.ask(3) == [] and proposals.exhausted
    assert len(strategy.told) == strategy.asked == 1000


def test_a_strategy_may_learn_nothing_from_what_it_is_reminded_of() -> None:
    class Deaf(Listed):
        reminded = 0

        def remind(self, results: Sequence[tuple[Architecture, Any]]) -> None:
            self.reminded += len(results)

    strategy = Deaf(A, A, B)
    proposals = Proposals(SPACE, strategy)
    [first] = proposals.ask(1)
    proposals.tell(first, Measurement({"accuracy": 0.5}))
    assert proposals.ask(1) == [B]
    assert len(strategy.told) == strategy.reminded == 1


@pytest.mark.parametrize("limits", ["params<=2", "params<=4"])
def test_what_takes_the_place_of_repeats_keeps_the_limits(limits: str) -> None:
    """21, or 126, of 32,768 do."""

    def total(architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        return [{"params": float(sum(a.choices))} for a in architectures]

    space = NATSSize()
    limited = LimitedSpace(space, parse_limits(limits), total)
    strategy = Listed(Architecture(space.name, (0,) * 5), space=limited)
    proposals = Proposals(space, strategy)
    for _ in range(20):
        [found] = proposals.ask(1)
        assert limited.check(found) is None and space.canonical(found) not in proposals.known
        proposals.tell(found, Measurement({"accuracy": 0.5}))

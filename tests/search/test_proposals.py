"""New architectures from a strategy that repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas.objective import Measurement, Objective
from nas.search.proposals import MOST_REPEATS, Proposals
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.strategy import Strategy

SPACE = NASBench201()
A, EQUAL_TO_A, B = (
    Architecture(SPACE.name, choices)
    for choices in ((0, 0, 0, 3, 0, 0), (0, 0, 3, 3, 3, 0), (0, 0, 0, 2, 0, 0))
)


class Listed(Strategy):
    """Proposes what it is given, in a circle."""

    def __init__(self, *proposals: Architecture) -> None:
        super().__init__(SPACE, Objective())
        self.proposals, self.asked = proposals, 0
        self.told: list[tuple[Architecture, Measurement]] = []

    def ask(self, n: int) -> list[Architecture]:
        self.asked += n
        return [self.proposals[(self.asked - 1) % len(self.proposals)]]

    def tell(self, results: Sequence[tuple[Architecture, Any]]) -> None:
        self.told += results


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


def test_it_ends_when_nothing_is_new() -> None:
    strategy = Listed(A)
    proposals = Proposals(SPACE, strategy)
    proposals.remember(A, Measurement(error="no"))
    assert proposals.ask(3) == []
    assert proposals.exhausted
    assert strategy.asked == MOST_REPEATS
    assert proposals.ask(3) == []
    assert strategy.asked == MOST_REPEATS

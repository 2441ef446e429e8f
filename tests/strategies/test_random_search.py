"""Random search."""

from __future__ import annotations

from collections import Counter

from nas.objective import Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.random import RandomSearch


def test_every_option_of_every_decision_is_as_likely() -> None:
    space = NASBench201()
    asked = RandomSearch(space, Objective(), seed=0).ask(5000)
    for column in range(len(space.decisions)):
        counts = Counter(a.choices[column] for a in asked)
        assert all(abs(counts[option] - 1000) < 150 for option in range(5))


def test_seeds_differ() -> None:
    first, second = (RandomSearch(NASBench201(), Objective(), seed).ask(5) for seed in (0, 1))
    assert first != second

"""Strategies that can take part in a comparison."""

from __future__ import annotations

import pytest

from nas.comparison.contestants import contestant
from nas.errors import NasError
from nas.objective import Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.random import RandomSearch


def test_a_strategy_with_its_settings() -> None:
    found = contestant("evolution", {"population": 7})
    assert found.settings.population == 7
    started = found.start(NASBench201(), Objective("-loss"), 3)
    assert started.objective.direction == "minimize" and started.settings.population == 7


def test_a_strategy_without_settings() -> None:
    assert contestant("random").factory is RandomSearch
    with pytest.raises(NasError, match="unknown setting of random 'population'"):
        contestant("random", {"population": 7})


def test_differentiable_ones_are_refused_with_the_reason() -> None:
    with pytest.raises(NasError, match=r"'pc-darts' trains gates in a supernet.*evolution.*random"):
        contestant("pc-darts")


def test_unknown_names() -> None:
    with pytest.raises(NasError, match="Did you mean 'random'"):
        contestant("randon")
    with pytest.raises(NasError, match="unknown setting of evolution 'populaton'"):
        contestant("evolution", {"populaton": 7})

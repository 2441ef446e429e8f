"""Successive halving: which results go on."""

from __future__ import annotations

import pytest

from nas.evaluators.halving import Rungs


def test_rungs_are_powers_below_the_end() -> None:
    assert list(Rungs(3, 1, 27).results) == [1, 3, 9]
    assert list(Rungs(2, 3, 13).results) == [3, 6, 12]
    assert list(Rungs(4, 5, 5).results) == []


@pytest.mark.parametrize("count", range(1, 20))
@pytest.mark.parametrize("eta", [2, 3, 4])
def test_the_best_share_goes_on(eta: int, count: int) -> None:
    """Of `count` results, itself included, the best one in eta, at least one."""
    for place in range(count):
        rungs = Rungs(eta, 1, 10)
        for other in range(count):
            if other != place:
                rungs.add(1, -float(other))
        assert rungs.goes_on(1, -float(place)) == (place < max(1, count // eta))


def test_equal_results_share_the_better_place() -> None:
    rungs = Rungs(2, 1, 10)
    for _ in range(9):
        rungs.add(1, 0.5)
    assert rungs.goes_on(1, 0.5)
    assert not Rungs.goes_on(rungs, 1, 0.4)


def test_rungs_are_apart() -> None:
    rungs = Rungs(2, 1, 10)
    rungs.add(1, 1.0)
    assert rungs.goes_on(2, 0.0)
    assert not rungs.goes_on(1, 0.0)


def test_asking_changes_nothing_and_the_state_is_complete() -> None:
    rungs = Rungs(2, 1, 10)
    for result in (0.3, 0.9, 0.1):
        rungs.add(1, result)
        rungs.goes_on(1, 0.0)
    again = Rungs(2, 1, 10)
    again.load_state_dict(rungs.state_dict())
    assert again.results == rungs.results == {1: [0.3, 0.9, 0.1], 2: [], 4: [], 8: []}

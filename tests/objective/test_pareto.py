"""Fronts, crowding and hypervolume, against brute force and against Optuna's."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.objective.pareto import crowding_distance, hypervolume, non_dominated, non_dominated_sort

Floats = NDArray[np.float64]
CASES = [(seed, n, m) for seed in range(3) for n in (1, 2, 30) for m in (1, 2, 3, 4)]


def draw(seed: int, n: int, m: int, options: int = 6) -> Floats:
    """Numbers with ties and equal rows."""
    return np.random.default_rng(seed).integers(0, options, (n, m)).astype(float)


def dominates(a: Floats, b: Floats) -> bool:
    return bool((a >= b).all() and (a > b).any())


def fronts_by_definition(scores: Floats) -> list[int]:
    fronts = [-1] * len(scores)
    for front in range(len(scores)):
        left = [i for i in range(len(scores)) if fronts[i] < 0]
        for i in left:
            if not any(dominates(scores[j], scores[i]) for j in left):
                fronts[i] = front
    return fronts


@pytest.mark.parametrize(("seed", "n", "m"), CASES)
def test_fronts_are_those_of_the_definition(seed: int, n: int, m: int) -> None:
    scores = draw(seed, n, m)
    expected = fronts_by_definition(scores)
    assert non_dominated_sort(scores).tolist() == expected
    assert non_dominated(scores).tolist() == [front == 0 for front in expected]


def test_fronts_are_those_of_optuna() -> None:
    optuna = pytest.importorskip("optuna.study._multi_objective")
    for m in (2, 3):
        scores = draw(0, 60, m, options=20)
        assert (non_dominated_sort(scores) == optuna._fast_non_domination_rank(-scores)).all()


def test_failures_come_last() -> None:
    scores = np.array([[-np.inf, -np.inf], [1.0, 0.0], [-np.inf, -np.inf], [0.0, 0.0]])
    assert non_dominated_sort(scores).tolist() == [2, 0, 2, 1]
    assert non_dominated(scores).tolist() == [False, True, False, False]
    assert not np.isnan(crowding_distance(scores)).any()


def test_nothing_to_sort() -> None:
    for m in (1, 2):
        none = np.empty((0, m))
        assert non_dominated_sort(none).tolist() == non_dominated(none).tolist() == []
        assert crowding_distance(none).tolist() == []
        assert hypervolume(none, np.zeros(m)) == 0


def test_crowding_by_hand() -> None:
    scores = np.array([[0.0, 4.0], [1.0, 3.0], [4.0, 0.0], [2.0, 1.0]])
    # Ranges are 4 and 4: the neighbours of the second lie 2 and 3 apart, of the last 3 and 3.
    assert crowding_distance(scores).tolist() == [np.inf, 1.25, np.inf, 1.5]


def test_crowding_is_within_a_front() -> None:
    first, second = draw(0, 9, 2, options=100), draw(1, 7, 2, options=100)
    together = crowding_distance(np.concatenate([first, second]), np.repeat([0, 1], [9, 7]))
    apart = np.concatenate([crowding_distance(first), crowding_distance(second)])
    assert together.tolist() == apart.tolist()


def test_crowding_does_not_depend_on_units() -> None:
    scores = draw(0, 20, 3, options=100)
    scaled = crowding_distance(scores * [1.0, 1e6, 1e-3])
    assert scaled == pytest.approx(crowding_distance(scores))


def by_inclusion_and_exclusion(points: Floats) -> float:
    total = 0.0
    for k in range(1, len(points) + 1):
        for some in combinations(points, k):
            total -= (-1) ** k * float(np.min(some, axis=0).prod())
    return total


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_hypervolume_is_that_of_the_union_of_boxes(m: int) -> None:
    for seed in range(3):
        points = draw(seed, 7, m)
        expected = by_inclusion_and_exclusion(points)
        assert hypervolume(points, np.zeros(m)) == pytest.approx(expected)
        shift = np.arange(m, dtype=float) - 2.0
        assert hypervolume(points + shift, shift) == pytest.approx(expected)


def test_hypervolume_is_that_of_optuna() -> None:
    optuna = pytest.importorskip("optuna._hypervolume")
    for m in (2, 3, 4):
        points = np.random.default_rng(m).random((40, m))
        expected = optuna.compute_hypervolume(-points, np.zeros(m))
        assert hypervolume(points, np.zeros(m)) == pytest.approx(expected)


def test_hypervolume_leaves_out_what_is_not_above_the_reference() -> None:
    points = np.array([[2.0, 3.0], [5.0, 0.5], [-np.inf, -np.inf], [1.0, 9.0]])
    assert hypervolume(points, np.array([1.0, 1.0])) == 2.0

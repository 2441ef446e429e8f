"""Features of edges in both directions; features made from degrees."""

from __future__ import annotations

import numpy as np
import pytest

from nas.data.edges import degree_features, features_of_edges
from nas.data.nodes import undirected
from nas.errors import NasError

GIVEN = np.array([[0, 1], [3, 3], [2, 1], [1, 2], [4, 0]])


@pytest.mark.parametrize("turned", [False, True])
def test_an_edge_has_its_own_features_or_those_of_its_reverse(turned: bool) -> None:
    given = GIVEN.T if turned else GIVEN
    edges = undirected(given, 6, "made")
    found = features_of_edges(edges, given, np.arange(5), "made")
    pairs = {tuple(pair): value for pair, value in zip(edges.T.tolist(), found[:, 0], strict=True)}
    assert pairs == {(0, 1): 0, (1, 0): 0, (2, 1): 2, (1, 2): 3, (4, 0): 4, (0, 4): 4}
    assert found.dtype == np.float32


def test_several_features_and_no_edges() -> None:
    edges = undirected(GIVEN, 6, "made")
    assert features_of_edges(edges, GIVEN, np.ones((5, 3)), "made").shape == (6, 3)
    none = np.zeros((0, 2), np.int64)
    assert features_of_edges(undirected(none, 6, ""), none, np.ones((0, 3)), "").shape == (0, 3)


@pytest.mark.parametrize(
    "features", [np.ones((4, 2)), np.ones((5, 2, 2)), np.full(5, np.nan), np.full(5, "a")]
)
def test_mistakes(features: np.ndarray) -> None:
    with pytest.raises(NasError, match="made: features of edges"):
        features_of_edges(undirected(GIVEN, 6, "made"), GIVEN, features, "made")


def test_degrees_are_one_hot_or_numbers() -> None:
    edges = undirected(GIVEN, 6, "made")  # 2, 2, 1, 0, 1, 0 neighbours
    hot = degree_features(edges, 6)
    assert hot.argmax(1).tolist() == [2, 2, 1, 0, 1, 0] and (hot.sum(1) == 1).all()
    star = undirected(np.stack([np.zeros(1200, int), np.arange(1, 1201)], 1), 1201, "star")
    numbers = degree_features(star, 1201)
    assert numbers.shape == (1201, 1) and abs(float(numbers.mean())) < 1e-4
    assert numbers[0, 0] > 30 and float(numbers.std()) == pytest.approx(1, abs=1e-3)

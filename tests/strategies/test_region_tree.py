"""The tree of regions: splits, counts and where it leads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from nas.strategies.region_tree import RegionTree


def samples(n: int = 60) -> tuple[Any, Any]:
    """Random features, and scores that are linear in them but for some noise."""
    rng = np.random.default_rng(0)
    encodings = rng.integers(0, 2, (n, 8)).astype(float)
    return encodings, encodings @ np.arange(8.0) + rng.normal(size=n)


def test_a_node_splits_at_the_mean_prediction_of_ridge_regression() -> None:
    encodings, scores = samples()
    tree = RegionTree(2, 8)
    tree.fit(encodings, scores, 0.7)
    predictions = Ridge(alpha=0.7).fit(encodings, scores).predict(encodings)
    better = predictions > predictions.mean()
    assert tree.paths(encodings)[:, 1].tolist() == np.where(better, 1, 2).tolist()


def test_every_node_learns_from_the_samples_of_its_region() -> None:
    encodings, scores = samples()
    tree = RegionTree(4, 8)
    tree.fit(encodings, scores, 1.0)
    paths = tree.paths(encodings)
    for level in range(3):
        for node in np.unique(paths[:, level]):
            inside = paths[:, level] == node
            predictions = Ridge(alpha=1.0).fit(encodings[inside], scores[inside]).predict(encodings)
            if np.ptp(predictions[inside]) < 1e-9:
                assert (paths[inside, level + 1] == node).all()
                continue
            better = (predictions > predictions[inside].mean())[inside]
            assert (paths[inside, level + 1] == np.where(better, 2 * node + 1, 2 * node + 2)).all()
            assert tree.counts[node] == tree.visits[node] == inside.sum()
            assert tree.sums[node] == pytest.approx(scores[inside].sum())


def test_what_cannot_be_told_apart_stays_whole() -> None:
    tree = RegionTree(3, 2)
    tree.fit(np.ones((4, 2)), np.arange(4.0), 1.0)
    assert not tree.split.any()
    assert tree.paths(np.ones((1, 2))).tolist() == [[0, 0, 0]]
    assert tree.counts[0] == 4
    assert tree.select(0.1, np.random.default_rng(0)).tolist() == [0, 0, 0]


def test_uct() -> None:
    tree = RegionTree(2, 1)
    tree.fit(np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([0.0, 0.2, 0.4, 1.0]), 1.0)
    assert tree._uct(1, 0, 0.5) == pytest.approx(1.0 + 2 * 0.5 * math.sqrt(2 * math.log(4) / 1))
    assert tree._uct(2, 0, 0.5) == pytest.approx(0.2 + 2 * 0.5 * math.sqrt(2 * math.log(4) / 3))


def test_exploration_leads_to_what_was_visited_less() -> None:
    encodings, scores = samples()
    rng = np.random.default_rng(0)
    tree = RegionTree(2, 8)
    tree.fit(encodings, scores / 28, 1.0)
    visits = {}
    for exploration in (0.0, 10.0):
        tree.fit(encodings, scores / 28, 1.0)
        for _ in range(100):
            leaf = tree.select(exploration, rng)[-1]
            tree.visit(encodings[tree.paths(encodings)[:, -1] == leaf][:1])
        visits[exploration] = tree.visits[[1, 2]].tolist()
    assert visits[0.0][1] == tree.counts[2]  # none went there
    assert abs(visits[10.0][0] - visits[10.0][1]) < 10

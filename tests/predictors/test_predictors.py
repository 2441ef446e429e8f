"""What every predictor must do, and what makes each what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.errors import NasError
from nas.predictors import PREDICTORS, make_predictor
from nas.predictors.mlp import MLPEnsemble
from nas.predictors.trees import BoostedTrees
from nas.search_spaces.nas_bench_201 import OPERATIONS, NASBench201
from nas.space import Architecture

SPACE = NASBench201()
ARCHITECTURES = SPACE.sample(np.random.default_rng(0), 60)
over_predictors = pytest.mark.parametrize("name", PREDICTORS)


def value(architecture: Architecture) -> float:
    """Rate an architecture by its operations: 3x3 convolutions are good, `none` is bad."""
    good, bad = OPERATIONS.index("nor_conv_3x3"), OPERATIONS.index("none")
    choices = architecture.choices
    return 0.7 + 0.04 * choices.count(good) - 0.05 * choices.count(bad)


SCORES = [value(architecture) for architecture in ARCHITECTURES]


def fitted(name: str, n: int = 40, seed: int = 0, scale: float = 1.0) -> Any:
    scores = [scale * score for score in SCORES[:n]]
    return make_predictor(name, SPACE, seed).fit(ARCHITECTURES[:n], scores)


@over_predictors
def test_predictions_follow_the_truth(name: str) -> None:
    mean, std = fitted(name).predict(ARCHITECTURES[40:])
    assert mean.shape == std.shape == (20,)
    assert (std >= 0).all() and np.isfinite(std).all()
    assert np.corrcoef(mean, SCORES[40:])[0, 1] > 0.7
    assert np.abs(mean - SCORES[40:]).mean() < 0.7 * np.std(SCORES)


@over_predictors
def test_the_same_data_and_seed_give_the_same_predictions(name: str) -> None:
    first, second = (fitted(name, 20).predict(ARCHITECTURES[40:]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@over_predictors
def test_fitting_again_forgets(name: str) -> None:
    predictor = make_predictor(name, SPACE)
    predictor.fit(ARCHITECTURES[20:40], [1.0 - score for score in SCORES[20:40]])
    predictor.fit(ARCHITECTURES[:20], SCORES[:20])
    again = fitted(name, 20).predict(ARCHITECTURES[40:])
    np.testing.assert_allclose(predictor.predict(ARCHITECTURES[40:]), again)


@over_predictors
def test_the_unit_of_scores_does_not_matter(name: str) -> None:
    mean, std = fitted(name, 20).predict(ARCHITECTURES[40:])
    large = fitted(name, 20, scale=1024.0).predict(ARCHITECTURES[40:])
    np.testing.assert_allclose(large, (1024 * mean, 1024 * std), rtol=2e-2)


@over_predictors
def test_equal_scores_are_predicted_to_stay_equal(name: str) -> None:
    predictor = make_predictor(name, SPACE).fit(ARCHITECTURES[:10], [0.5] * 10)
    mean, std = predictor.predict(ARCHITECTURES[40:])
    assert np.allclose(mean, 0.5, atol=0.05) and np.isfinite(std).all()


@over_predictors
def test_two_are_enough_and_fewer_are_refused(name: str) -> None:
    mean, std = fitted(name, 2).predict(ARCHITECTURES[40:])
    assert np.isfinite(mean).all() and np.isfinite(std).all()
    with pytest.raises(NasError, match=r"1 architectures and 1 scores: .*at least two"):
        fitted(name, 1)
    with pytest.raises(NasError, match="3 architectures and 2 scores"):
        make_predictor(name, SPACE).fit(ARCHITECTURES[:3], [0.1, 0.2])


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(NasError, match=r"unknown predictor 'tree'\. Did you mean 'trees'"):
        make_predictor("tree", SPACE)


@pytest.mark.parametrize("name", ["mlp", "trees"])
def test_members_disagree_where_nothing_was_seen(name: str) -> None:
    """The spread is smaller at what was fitted to than elsewhere."""
    predictor = fitted(name, 20)
    assert predictor.predict(ARCHITECTURES[:20])[1].mean() < (
        predictor.predict(ARCHITECTURES[20:])[1].mean()
    )


def test_members_of_an_ensemble_differ() -> None:
    trees, mlp = fitted("trees", 20), fitted("mlp", 20)
    assert isinstance(trees, BoostedTrees) and isinstance(mlp, MLPEnsemble)
    x = SPACE.encode(ARCHITECTURES[40:])
    each = [member.predict(x) for member in trees._members]
    assert len(each) == 5 and not np.allclose(each[0], each[1])
    assert all(len(weight) == 5 for weight, _ in mlp._layers)
    assert not np.allclose(mlp._layers[0][0][0].detach(), mlp._layers[0][0][1].detach())

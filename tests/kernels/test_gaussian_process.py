"""The Gaussian process against formulas written out, and its updates against new fits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, spearmanr

from nas.errors import NasError
from nas.kernels.gaussian_process import (
    Hyperparameters,
    WLGaussianProcess,
    choose,
    log_marginal_likelihood,
)
from nas.kernels.weisfeiler_lehman import kernel
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture

SPACE = NASBench201()
CHOSEN = Hyperparameters("dot", 1, 1e-2)


def drawn(n: int, seed: int = 0) -> list[Architecture]:
    return SPACE.sample(np.random.default_rng(seed), n)


def judged(architectures: list[Architecture]) -> list[float]:
    """Convolutions are good, more so at the end."""
    worth = np.array([0.0, 1.0, 2.0, 3.0, 0.5])
    weights = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    return [float(worth[list(a.choices)] @ weights) for a in architectures]


def test_predictions_are_the_formulas() -> None:
    some, others = drawn(25), drawn(7, seed=1)
    scores = np.array(judged(some))
    model = WLGaussianProcess(SPACE)
    model.condition(some, CHOSEN)
    model.update(some, scores.tolist())
    a, b = model.wl.features(some), model.wl.features(others)
    noisy = kernel(a, a, 1) + 1e-2 * np.eye(25)
    cross = kernel(b, a, 1)
    standard = (scores - scores.mean()) / scores.std()
    inverse = np.linalg.inv(noisy)
    scale = standard @ inverse @ standard / 25
    mean = scores.mean() + scores.std() * cross @ inverse @ standard
    variance = scores.std() ** 2 * scale * (1 - np.diag(cross @ inverse @ cross.T))
    found, std = model.predict(others)
    np.testing.assert_allclose(found, mean, rtol=1e-8)
    np.testing.assert_allclose(std**2, variance, rtol=1e-6)


def test_it_learns() -> None:
    some, others = drawn(80), drawn(200, seed=1)
    model = WLGaussianProcess(SPACE).fit(some, judged(some))
    mean, std = model.predict(others)
    errors = np.abs(mean - judged(others))
    assert spearmanr(mean, judged(others)).statistic > 0.7
    noise = model.std * np.sqrt(model.scale * model.chosen.noise)
    assert (errors < 3 * np.hypot(std, noise)).mean() > 0.9


def test_updates_equal_a_new_fit_with_the_same_hyperparameters() -> None:
    some, others = drawn(30), drawn(10, seed=1)
    scores = judged(some)
    grown = WLGaussianProcess(SPACE).fit(some[:27], scores[:27])
    for n in (28, 30):
        grown.update(some[:n], scores[:n])
    assert grown.fitted == 27
    whole = WLGaussianProcess(SPACE)
    whole.condition(some, grown.chosen)
    whole.update(some, scores)
    for one, other in zip(grown.predict(others), whole.predict(others), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_how_many_rows_come_at_once_makes_no_difference() -> None:
    """To the last bit, so that a search that is continued proposes the same."""
    some, scores = drawn(30), judged(drawn(30))
    one, many = (WLGaussianProcess(SPACE).fit(some[:27], scores[:27]) for _ in range(2))
    for n in (28, 29, 30):
        one.update(some[:n], scores[:n])
    many.update(some, scores)
    np.testing.assert_array_equal(one.predict(some)[0], many.predict(some)[0])
    np.testing.assert_array_equal(one.predict(some)[1], many.predict(some)[1])


def test_hyperparameters_are_chosen_anew_after_growth() -> None:
    some = drawn(40)
    model = WLGaussianProcess(SPACE).fit(some[:20], judged(some[:20]))
    model.update(some[:22], judged(some[:22]))
    assert model.fitted == 20
    model.update(some[:23], judged(some[:23]))
    assert model.fitted == 23


def test_scores_of_known_architectures_may_change() -> None:
    some = drawn(20)
    model = WLGaussianProcess(SPACE).fit(some, judged(some))
    other = WLGaussianProcess(SPACE)
    other.condition(some, model.chosen)
    changed = [2 * score for score in judged(some)]
    model.update(some, changed)
    other.update(some, changed)
    np.testing.assert_array_equal(model.predict(some)[0], other.predict(some)[0])


def test_fantasies_keep_the_mean_and_make_sure() -> None:
    some, others = drawn(25), drawn(30, seed=1)
    model = WLGaussianProcess(SPACE).fit(some, judged(some))
    mean, std = model.predict(others)
    believer = model.fantasised(others[:2])
    believed, surer = believer.predict(others)
    np.testing.assert_allclose(believed, mean, rtol=1e-6)
    assert (surer <= std * (1 + 1e-9)).all()
    assert (surer[:2] < std[:2]).all()
    assert len(believer.targets) == 27
    np.testing.assert_array_equal(model.predict(others)[1], std)  # it stays as it was


def test_a_fantasy_is_what_an_observation_of_the_mean_would_be() -> None:
    some, others = drawn(25), drawn(10, seed=1)
    model = WLGaussianProcess(SPACE).fit(some, judged(some))
    means = model.predict(others[:3])[0]
    told = WLGaussianProcess(SPACE)
    told.condition([*some, *others[:3]], model.chosen)
    told.update([*some, *others[:3]], [*judged(some), *means.tolist()])
    believer = model.fantasised(others[:3])
    found, wanted = believer.predict(others)[1], told.predict(others)[1]
    units = [m.std * np.sqrt(m.scale) for m in (believer, told)]  # told scores move the unit
    np.testing.assert_allclose(found / units[0], wanted / units[1], rtol=1e-6)


def test_what_is_left_out_is_predicted_from_the_rest() -> None:
    some = drawn(15)
    scores = judged(some)
    model = WLGaussianProcess(SPACE).fit(some, scores)
    without = WLGaussianProcess(SPACE)
    without.condition(some[1:], model.chosen)
    noisy = kernel(without.features, without.features, model.chosen.level, model.chosen.variant)
    noisy += model.chosen.noise * np.eye(14)
    cross = kernel(model.features, without.features, model.chosen.level, model.chosen.variant)[0]
    standard = (np.array(scores) - model.mean) / model.std
    wanted = model.mean + model.std * cross @ np.linalg.solve(noisy, standard[1:])
    assert model.left_out()[0] == pytest.approx(wanted)


def test_the_marginal_likelihood_is_that_of_the_best_variance() -> None:
    some = drawn(12)
    model = WLGaussianProcess(SPACE)
    features = model.wl.features(some)
    matrix = kernel(features, features, 1) + 0.1 * np.eye(12)
    targets = np.random.default_rng(0).normal(size=12)
    variances = np.geomspace(0.2, 20, 500)
    likelihoods = [multivariate_normal(np.zeros(12), v * matrix).logpdf(targets) for v in variances]
    assert log_marginal_likelihood(matrix, targets) == pytest.approx(max(likelihoods), abs=1e-3)


def test_the_likeliest_level_and_noise_are_chosen() -> None:
    """Scores that follow from counts of operations need level 0; random ones need noise."""
    some = drawn(60)
    features = WLGaussianProcess(SPACE).wl.features(some)
    rng = np.random.default_rng(0)
    pure = choose(features, rng.normal(size=60), 3, ["dot", "assignment"])
    assert pure.noise == 0.1
    counts = features.counts("dot", 0)
    counted = counts @ rng.normal(size=counts.shape[1])
    sizes = np.sqrt(features.squares("dot", 0))
    chosen = choose(features, counted / sizes, 3, ["dot", "assignment"])
    assert (chosen.variant, chosen.level) == ("dot", 0)
    assert chosen.noise < 0.01


def test_equal_scores_are_predicted_as_they_are() -> None:
    some = drawn(10)
    mean, std = WLGaussianProcess(SPACE).fit(some, [0.5] * 10).predict(drawn(5, seed=1))
    np.testing.assert_allclose(mean, 0.5)
    assert (std > 0).all()


def test_one_observation_is_enough() -> None:
    [one] = drawn(1)
    mean, _ = WLGaussianProcess(SPACE).fit([one], [0.7]).predict([one])
    assert mean[0] == pytest.approx(0.7)


def test_bad_scores_are_refused() -> None:
    some = drawn(3)
    with pytest.raises(NasError, match="not finite"):
        WLGaussianProcess(SPACE).fit(some, [0.1, float("-inf"), 0.2])
    with pytest.raises(NasError, match="3 architectures"):
        WLGaussianProcess(SPACE).fit(some, [0.1])
    with pytest.raises(NasError, match="not fitted"):
        WLGaussianProcess(SPACE).predict(some)

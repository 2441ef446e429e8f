"""Statistics of many resamples at once are those of each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nas.comparison import resampling
from nas.comparison.resampling import Resamples, kendall, order_of, spearman, top_precision

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [3, 7, 64, 130])
@pytest.mark.parametrize("digits", [0, 1, 5])
def test_every_resample_has_the_known_statistics(n: int, digits: int) -> None:
    scores, values = RNG.normal(0, 1, (2, n)).round(digits)
    draws = RNG.integers(0, n, (20, n))
    counts = np.stack([np.bincount(draw, minlength=n) for draw in draws], 1).astype(np.float32)
    a, b = order_of(scores), order_of(values)
    rhos, taus = spearman(a, b, counts), kendall(a, b, counts)
    for draw, rho, tau in zip(draws, rhos, taus, strict=True):
        x, y = scores[draw], values[draw]
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            assert np.isnan(rho) and np.isnan(tau)
            continue
        assert rho == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-5)
        assert tau == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-5)


def test_top_precision() -> None:
    def of(scores: list[float], values: list[float], k: int, drawn: list[int]) -> float:
        counts = np.array(drawn, dtype=np.float32)[:, None]
        a, b = order_of(np.array(scores)), order_of(np.array(values))
        return float(top_precision(a, b, k, counts)[0])

    once = [1] * 10
    values = [*np.arange(10.0)]
    assert of(values, values, 3, once) == 1
    assert of([-v for v in values], values, 3, once) == 0
    assert of([0, 0, 0, 0, 0, 0, 0, 7, 0, 9.0], values, 2, once) == 0.5
    # The best, drawn twice, and the second are the best 3; the scores hold 1 copy of the second.
    assert of([0.0, 3.0, 1.0], [0.0, 1.0, 2.0], 3, [3, 1, 2]) == 1
    assert of([5.0, 3.0, 1.0], [0.0, 1.0, 2.0], 3, [2, 1, 2]) == pytest.approx(1 / 3)


def test_resamples_are_the_same_in_parts_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = order_of(RNG.normal(0, 1, 30)), order_of(RNG.normal(0, 1, 30))
    whole = Resamples(30).of(lambda counts: kendall(a, b, counts))
    monkeypatch.setattr(resampling, "_AT_ONCE", 1000)
    parts = Resamples(30).of(lambda counts: kendall(a, b, counts))
    assert np.array_equal(whole, parts) and len(whole) == resampling.RESAMPLES >= 1000
    assert np.std(whole) > 0.05


def test_a_resample_has_n_architectures() -> None:
    assert (Resamples(12).of(lambda counts: counts.sum(0)) == 12).all()

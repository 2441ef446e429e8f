"""Ridge and support-vector regression, as LINAS has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.svm import SVR
from small_spaces import grid

from nas.predictors import make_predictor

SPACE = grid(6, 2)
Floats = NDArray[np.float64]


def drawn(n: int) -> tuple[Any, Floats]:
    choices = np.random.default_rng(0).integers(0, 2, (n, 6))
    return SPACE.from_array(choices), choices.astype(float)


def fitted(values: Floats, name: str = "ridge-or-svr") -> Any:
    return make_predictor(name, SPACE).fit(drawn(len(values))[0], values)


def test_a_linear_function_is_learned_by_ridge_and_another_by_support_vectors() -> None:
    architectures, rows = drawn(80)
    noise = np.random.default_rng(1).normal(size=80)
    assert isinstance(fitted(5.0 + rows @ np.arange(1.0, 7.0) + noise).model, Ridge)
    parity = 5.0 + 3.0 * (rows[:, 0] == rows[:, 1]) + (rows[:, 2] != rows[:, 3])
    predictor = fitted(parity)
    assert isinstance(predictor.model, SVR)
    assert predictor.predict(architectures)[0] == pytest.approx(parity, abs=0.3)


def test_either_is_a_predictor_of_its_own() -> None:
    rows = drawn(40)[1]
    values = 2.0 + rows[:, 0] * rows[:, 1]
    assert isinstance(fitted(values, "ridge").model, Ridge)
    assert isinstance(fitted(values, "svr").model, SVR)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_make_no_difference(unit: float) -> None:
    architectures, rows = drawn(40)
    values = 70.0 + rows[:, 0] * rows[:, 1]
    plain, scaled = fitted(values), fitted(unit * values)
    for one, other in zip(plain.predict(architectures), scaled.predict(architectures), strict=True):
        assert other == pytest.approx(unit * one)
    assert type(scaled.model) is type(plain.model)


def test_a_constant_can_be_learned() -> None:
    mean, std = fitted(np.full(6, 3.0)).predict(drawn(6)[0])
    assert mean == pytest.approx(3.0)
    assert std == pytest.approx(0.0)


def test_the_deviation_is_that_of_what_was_left_out() -> None:
    rows = drawn(200)[1]
    noise = np.random.default_rng(1).normal(0.0, 0.5, len(rows))
    predictor = fitted(rows @ np.arange(6.0) + noise, "ridge")
    assert predictor.predict(drawn(3)[0])[1] == pytest.approx(0.5, rel=0.15)

"""Checking arrays: layouts, types, labels, statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.task.arrays import Arrays, channel_statistics, check_arrays, gather

Y = np.array([0, 1, 0, 1, 0, 1])


def check(x: Any, y: Any = Y, x_test: Any = None, y_test: Any = None, **settings: Any) -> Arrays:
    defaults: dict[str, Any] = {"classes": None, "layout": "auto", "name": "data"}
    return check_arrays(x, y, x_test, y_test, **{**defaults, **settings})


def zeros(*shape: int, dtype: str = "float32") -> Any:
    return np.zeros((6, *shape), dtype)


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((8, 8), "auto", (1, 8, 8)),
        ((3, 8, 9), "auto", (3, 8, 9)),
        ((8, 9, 3), "auto", (3, 8, 9)),
        ((8, 9, 1), "auto", (1, 8, 9)),
        ((3, 4, 4), "auto", (3, 4, 4)),  # both could be channels: equal axes are the image
        ((4, 4, 3), "auto", (3, 4, 4)),
        ((16, 8, 8), "auto", (16, 8, 8)),
        ((8, 8, 16), "auto", (16, 8, 8)),
        ((8, 8, 8), "auto", (8, 8, 8)),
        ((16, 8, 9), "NCHW", (16, 8, 9)),
        ((8, 9, 16), "NHWC", (16, 8, 9)),
        ((5,), "auto", (5,)),
    ],
)
def test_layouts(shape: tuple[int, ...], layout: str, expected: tuple[int, ...]) -> None:
    assert check(zeros(*shape), layout=layout).x.shape == (6, *expected)


def test_channels_last_moves_values_not_only_shapes() -> None:
    x = np.random.default_rng(0).random((6, 8, 9, 3)).astype(np.float32)
    arrays = check(x)
    assert np.array_equal(arrays.x[4, 2], x[4, :, :, 2])


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", "uint8"), ("float64", "float32"), ("int16", "float32"), ("bool", "float32")],
)
def test_types_of_images(dtype: str, expected: str) -> None:
    assert check(zeros(8, 8, dtype=dtype)).x.dtype == expected


def test_vectors_are_float() -> None:
    assert check(zeros(5, dtype="uint8")).x.dtype == np.float32


def test_torch_tensors_and_columns_of_labels_are_taken() -> None:
    arrays = check(torch.zeros(6, 8, 8, requires_grad=True), torch.from_numpy(Y)[:, None])
    assert arrays.y.tolist() == Y.tolist()
    assert arrays.classes == ("0", "1")


IMAGES = zeros(8, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": zeros(16, 8, 9)}, "x_train: shape .* set layout to NCHW or NHWC"),
        ({"x": IMAGES, "layout": "HWC"}, "unknown layout 'HWC'"),
        ({"x": zeros(3, 8, 8, 8)}, r"x_train: shape .*expected \[N, D\]"),
        ({"x": np.zeros((0, 8, 8)), "y": np.zeros(0, int)}, "no axis empty"),
        ({"x": np.full((6, 8, 8), np.nan)}, "x_train: has NaN or infinite"),
        ({"x": np.full((6, 8), 1e300)}, "x_train: has NaN or infinite"),
        ({"x": np.full((6, 8), "a")}, "x_train: type <U1"),
        ({"x": [[1], [2, 3]]}, "x_train: not an array of numbers"),
        ({"x": IMAGES, "y": Y[:5]}, r"y_train: shape \(5,\); expected one label for each of 6"),
        ({"x": IMAGES, "y": Y.astype(float)}, "y_train: labels of type float64"),
        ({"x": IMAGES, "y": Y - 1}, "y_train: has label -1"),
        ({"x": IMAGES, "y": Y * 2}, "labels go up to 2 but none is 1"),
        ({"x": IMAGES, "y": Y * 10**12}, "labels go up to 1000000000000 but none is 1"),
        ({"x": IMAGES, "y": Y * 0}, "1 class; expected at least 2"),
        ({"x": IMAGES, "y": Y + 1, "classes": ["a", "b"]}, "label 2; expected 0 to 1"),
        ({"x": IMAGES, "x_test": IMAGES}, "x_test is given without y_test"),
        ({"x": IMAGES, "y_test": Y}, "y_test is given without x_test"),
        ({"x": IMAGES, "x_test": zeros(8, 9), "y_test": Y}, "x_test: examples of shape"),
        (
            {"x": IMAGES, "x_test": zeros(8, 8, dtype="uint8"), "y_test": Y},
            "x_test: examples of type uint8; expected float32",
        ),
        ({"x": IMAGES, "x_test": IMAGES, "y_test": Y + 1}, "label 2; expected 0 to 1"),
    ],
)
def test_wrong_arrays_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=f"^(data: |unknown).*{message}|^{message}"):
        check(**arguments)


def test_a_class_may_be_absent_where_names_are_given() -> None:
    assert check(IMAGES, Y * 2, classes=["a", "b", "c"]).classes == ("a", "b", "c")


def test_gather_counts_test_examples_on() -> None:
    x = np.arange(6)[:, None].repeat(2, 1)
    arrays = check(x, Y, x + 100, 1 - Y)
    order = np.array([7, 0, 11, 5])
    assert gather(arrays, order)[:, 0].tolist() == [101, 0, 105, 5]
    assert arrays.all[order].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_statistics_of_channels(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 255, (50, 3, 4, 5)).astype(dtype)
    mean, std = channel_statistics([x])
    expected = x.astype(np.float64)
    assert mean == pytest.approx(expected.mean((0, 2, 3)), rel=1e-6)
    assert std == pytest.approx(expected.std((0, 2, 3)), rel=1e-6)


def test_statistics_over_several_chunks_and_with_a_large_offset() -> None:
    rng = np.random.default_rng(0)
    x = (1e4 + rng.standard_normal((20_000, 2))).astype(np.float32)
    mean, std = channel_statistics(x[i : i + 3000] for i in range(0, 20_000, 3000))
    assert mean == pytest.approx(x.astype(np.float64).mean(0), rel=1e-6)
    assert std == pytest.approx(x.astype(np.float64).std(0), rel=1e-5)


def test_statistics_of_chunks_that_differ() -> None:
    x = np.arange(14, dtype=np.float32)[:, None] ** 3
    mean, std = channel_statistics([x[:1], x[1:9], x[9:]])
    assert mean == pytest.approx(x.mean(0), rel=1e-6)
    assert std == pytest.approx(x.std(0), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e5, -3e-5])
def test_a_constant_feature_has_deviation_one(value: float) -> None:
    x = np.full((777, 1), value, np.float32)
    assert channel_statistics([x])[1].tolist() == [1.0]
    assert channel_statistics([x[:100], x[100:]])[1].tolist() == [1.0]


def test_what_float32_can_hardly_tell_from_constant_is_constant() -> None:
    x = np.full((777, 1), 1e5, np.float32)
    x[0] = np.nextafter(x[1], np.float32(np.inf))
    assert channel_statistics([x])[1].tolist() == [1.0]

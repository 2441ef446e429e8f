"""The number format that networks are run in."""

from __future__ import annotations

from collections import namedtuple

import pytest
import torch
from torch import nn

from nas.errors import NasError
from nas.training.precision import PRECISIONS, as_float, autocast, check_precision

CPU = torch.device("cpu")


def test_precisions() -> None:
    for precision in PRECISIONS:
        check_precision(precision, "strategy.precision")


@pytest.mark.parametrize("precision", ["bf61", "fp16", "", "BF16"])
def test_a_precision_that_there_is_not(precision: str) -> None:
    with pytest.raises(NasError) as error:
        check_precision(precision, "train.precision")
    assert str(error.value).startswith(f"unknown train.precision '{precision}'.")
    assert str(error.value).endswith("Allowed: bf16, fp32.")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_products_take_the_precision(precision: str, dtype: torch.dtype) -> None:
    layer, conv, x = nn.Linear(3, 4), nn.Conv2d(3, 4, 1), torch.randn(2, 3, 5, 5)
    with autocast(precision, CPU):
        products = layer(x[:, :, 0, 0]), conv(x)
        kept = x + 1
    assert {product.dtype for product in products} == {dtype}
    assert kept.dtype == torch.float32
    sum(product.float().sum() for product in products).backward()
    assert {p.grad.dtype for p in (*layer.parameters(), *conv.parameters())} == {torch.float32}
    assert layer(x[:, :, 0, 0]).dtype == torch.float32  # it ends with the block


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_precision_ends_with_an_error(precision: str) -> None:
    with pytest.raises(ValueError), autocast(precision, CPU):
        raise ValueError
    assert not torch.is_autocast_enabled("cpu")


def test_fp32_within_bf16() -> None:
    layer = nn.Linear(3, 4)
    with autocast("bf16", CPU):
        with autocast("fp32", CPU):
            assert layer(torch.ones(1, 3)).dtype == torch.float32
        assert layer(torch.ones(1, 3)).dtype == torch.bfloat16


Pair = namedtuple("Pair", ["logits", "other"])


def test_outputs_as_float() -> None:
    x = torch.tensor([1.5, -2.0], requires_grad=True)
    low = x.bfloat16()
    for output in (as_float(low), as_float((low, low))[1], as_float([low])[0]):
        assert output.dtype == torch.float32 and output.tolist() == [1.5, -2.0]
    assert isinstance(as_float((low, low)), tuple) and isinstance(as_float([low]), list)
    assert as_float((low, [low]))[1][0].dtype == torch.float32
    as_float(low).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [1.0, 1.0]


def test_what_is_not_bfloat16_stays_as_it_is() -> None:
    for output in (
        torch.ones(2),
        torch.ones(2, dtype=torch.float64),
        torch.arange(2),
        "text",
        None,
    ):
        assert as_float(output) is output

"""What counts as the same in spite of rounding."""

from __future__ import annotations

import math

import pytest
import torch

from perf.agreement import Yardstick, exact_difference, largest, shake
from perf.case import Case, Variation
from perf.steps import OurSearch, ReferenceSearch, trajectory

CPU = torch.device("cpu")
TINY = Case("pc-darts", channels=4, cells=3, batch=2, size=8)


def test_single_precision_may_differ_as_far_as_rounding_explains() -> None:
    calm, chaotic = Yardstick(exact=0.0, floor=1e-7), Yardstick(exact=0.0, floor=1e-3)
    assert calm.problem("work", 5e-5, "fp32") == ""
    assert "work" in calm.problem("work", 5e-3, "fp32")
    assert chaotic.problem("work", 5e-3, "fp32") == ""
    assert chaotic.problem("work", 5e-2, "fp32")


@pytest.mark.parametrize("difference", [1e-6, math.nan])
def test_double_precision_may_not_differ(difference: float) -> None:
    problem = Yardstick(exact=difference, floor=1.0).problem("work", 0.0, "bf16")
    assert "MISMATCH" in problem and "fp64" in problem


def test_nothing_hides_behind_nan() -> None:
    assert math.isnan(largest([1.0, 1.0, 1.0], [1.0, math.nan, 5.0]))
    assert largest([1.0, 2.0], [1.5, 1.0]) == 1.0


def test_ours_is_the_reference_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.agreement.CHECKED_PAIRS", 2)
    assert exact_difference(TINY, Variation(), CPU) < 1e-12


def test_shaking_changes_the_last_digit() -> None:
    reference = ReferenceSearch(OurSearch(TINY, Variation(), CPU), TINY)
    before = [weight.detach().clone() for weight in reference.network.parameters()]
    shake(reference)
    after = list(reference.network.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(old, new, rtol=1e-6, atol=0)


def test_other_steps_show_in_double_precision() -> None:
    """A gradient that is wrong by a millionth is found, though losses in fp32 would hide it."""
    ours = OurSearch(TINY, Variation(precision="fp64"), CPU)
    reference = ReferenceSearch(ours, TINY, "fp64")
    weight = reference.network.classifier.weight
    weight.register_hook(lambda gradient: gradient * (1 + 1e-6))
    batches = TINY.batches(2, CPU)
    assert 1e-9 < largest(trajectory(ours, batches), trajectory(reference, batches)) < 1e-4

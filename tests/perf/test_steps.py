"""Both sides take the same steps."""

from __future__ import annotations

import pytest
import torch

from perf.case import Case, Variation
from perf.steps import OurSearch, ReferenceSearch, trajectory

CPU = torch.device("cpu")


def tiny(strategy: str) -> Case:
    return Case(strategy, channels=4, cells=3, batch=2, size=8)


@pytest.mark.parametrize("strategy", ["darts", "pc-darts"])
def test_losses_of_both_sides_agree(strategy: str) -> None:
    case = tiny(strategy)
    ours = OurSearch(case, Variation(), CPU)
    reference = ReferenceSearch(ours, case)
    before = [gate.clone() for gate in reference.network.gates()]
    batches = case.batches(2, CPU)
    losses = trajectory(ours, batches)
    assert losses == pytest.approx(trajectory(reference, batches), abs=1e-4)
    assert len(set(losses)) == 4  # every step has a batch and weights of its own
    for old, new in zip(before, reference.network.gates(), strict=True):
        assert (old != new).all()


def test_other_weights_give_other_losses() -> None:
    case = tiny("pc-darts")
    ours = OurSearch(case, Variation(), CPU)
    reference = ReferenceSearch(ours, case)
    with torch.no_grad():
        reference.network.classifier.weight.mul_(1.5)
    batches = case.batches(1, CPU)
    assert trajectory(ours, batches) != pytest.approx(trajectory(reference, batches), abs=1e-4)


def test_variations_change_how_not_what() -> None:
    case = tiny("pc-darts")
    batches = case.batches(1, CPU)
    expected = trajectory(OurSearch(case, Variation(), CPU), batches)
    last = OurSearch(case, Variation(channels_last=True), CPU)
    assert trajectory(last, batches) == pytest.approx(expected, abs=1e-4)
    rounded = trajectory(OurSearch(case, Variation(precision="bf16"), CPU), batches)
    assert rounded == pytest.approx(expected, abs=0.1)
    assert rounded != expected


def test_batches_are_the_same_at_every_call() -> None:
    case = tiny("darts")
    for once, again in zip(case.batches(2, CPU), case.batches(2, CPU), strict=True):
        for (x, labels), (same_x, same_labels) in zip(once, again, strict=True):
            assert torch.equal(x, same_x) and torch.equal(labels, same_labels)
    (train, valid), _ = case.batches(2, CPU)
    assert not torch.equal(train[0], valid[0])


def test_minutes_of_a_paper() -> None:
    case = Case("darts", 16, 8, batch=64)  # 391 steps an epoch
    assert case.paper_minutes(0.6) == pytest.approx(50 * 391 * 0.6 / 60)

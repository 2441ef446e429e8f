"""Banks of separable convolutions: as one dense one, and with kernels of several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from made_banks import (
    CHANNELS,
    EDGES,
    SOURCES,
    TARGETS,
    Run,
    make_bank,
    one_after_the_other,
    slots_of,
    states,
    step,
    together,
)
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces.cells.separable import dense_pays


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("at", [None, [0, 1, 3]])
def test_dense_where_it_pays_and_all_run(
    stride: int, at: list[int] | None, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, _ = make_bank(("dil_conv_3x3",), stride)
    groups: list[int] = []
    convolve = torch.conv2d

    def conv2d(*arguments: Any, **named: Any) -> Tensor:
        groups.append(named.get("groups", arguments[-1]))
        return convolve(*arguments, **named)

    monkeypatch.setattr(torch, "conv2d", conv2d)
    monkeypatch.setattr(F, "conv2d", conv2d)
    slots = slots_of(bank, range(EDGES) if at is None else at)
    together(bank, states(), slots, None)
    depthwise, pointwise = CHANNELS * len(slots), len(slots)
    assert groups == ([SOURCES] if dense and at is None else [depthwise, pointwise])


def test_dense_pays_for_few_channels() -> None:
    few, many = torch.zeros(1, 2, 4, 4), torch.zeros(1, 64, 4, 4)
    for stride in (1, 2):
        assert dense_pays(few, stride) and not dense_pays(many, stride)
    assert not dense_pays(few.to("meta"), 1)


def outside(names: Sequence[str], kernels: Tensor) -> Tensor:
    """Return the part of stacked kernels that is around the smaller ones."""
    ring = torch.ones_like(kernels, dtype=torch.bool)
    sizes = [int(name[-1]) for _ in range(SOURCES) for name in names for _ in range(TARGETS)]
    for slot, size in enumerate(sizes):
        edge, own = (kernels.shape[-1] - size) // 2, slice(CHANNELS * slot, CHANNELS * (slot + 1))
        ring[own, :, edge : edge + size, edge : edge + size] = False
    return kernels[ring]


@pytest.mark.parametrize("run", [together, one_after_the_other])
@pytest.mark.parametrize(
    "names",
    [("sep_conv_3x3", "sep_conv_5x5"), ("sep_conv_7x7", "sep_conv_3x3", "sep_conv_5x5"),
     ("dil_conv_3x3", "dil_conv_5x5")],
)  # fmt: skip
@pytest.mark.parametrize("size", [6, 5])
def test_kernels_keep_their_sizes(names: tuple[str, ...], run: Run, size: int, dense: bool) -> None:
    """What is around a small kernel stays zero, whatever an optimiser does with gradients."""
    bank, _ = make_bank(names, 1)
    optimizer = torch.optim.SGD(bank.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    wide = [p for n, p in bank.named_parameters() if n.endswith("depthwise")]
    before = [kernels.detach().clone() for kernels in wide]
    for at in (range(bank.slots), [0, 2], [3], range(bank.slots)):
        step(run, bank, [*at], False, size)
        optimizer.step()
    for kernels, start in zip(wide, before, strict=True):
        assert not outside(names, kernels).any()
        assert (kernels != start).sum() == kernels.numel() - outside(names, kernels).numel()


def test_what_keeps_kernels_small_is_not_saved() -> None:
    bank, _ = make_bank(("sep_conv_3x3", "sep_conv_5x5"), 1)
    assert {n for n in bank.state_dict() if "mask" in n} == set()
    assert [p.shape[-1] for n, p in bank.named_parameters() if n.endswith("depthwise")] == [5, 5]

"""Layers of experts with some of their experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Elastic, collapse
from nas.mutables.supernet import Supernet


class Scales(nn.Module):
    """Experts that multiply; a stand-in for a layer of `nas.search_spaces.moe`."""

    def __init__(self, *factors: float) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.tensor(factors, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return self.run_experts(len(self.factors), x)

    def most_experts(self) -> int:
        return len(self.factors)

    def run_experts(self, experts: int, x: Tensor) -> Tensor:
        return x * self.factors[:experts].sum()

    def cut_experts(self, experts: int) -> nn.Module:
        return Scales(*self.factors[:experts].tolist())

    def refuses_experts(self, sizes: Sequence[int]) -> str | None:
        return "three is unlucky" if 3 in sizes else None


X = torch.tensor([1.0, 2.0])


def run(weights: Any, module: nn.Module) -> Tensor:
    return Supernet(module, lambda _: {})(X, {"e": weights})


def test_runs_and_extracts_the_first() -> None:
    elastic = Elastic(Scales(1, 2, 4, 8), label="e", experts=(1, 2, 4))
    for option, total in enumerate((1, 3, 15)):
        assert torch.equal(run(option, elastic), X * total)
        assert torch.equal(elastic.chosen(option)(X), X * total)
    assert torch.allclose(run(torch.tensor([0.5, 0.0, 0.1]), elastic), X * 2)
    assert len(next(iter(collapse(elastic, {"e": 1}).parameters()))) == 2


def test_refuses() -> None:
    with pytest.raises(NasError, match=r"needs a layer of experts.*, not Linear"):
        Elastic(nn.Linear(1, 1), experts=(1, 2))
    with pytest.raises(NasError, match="distinct sizes from 1 to 2 needed"):
        Elastic(Scales(1, 2), experts=(1, 4))
    with pytest.raises(NasError, match=r"Elastic experts=\(1, 3\): three is unlucky"):
        Elastic(Scales(1, 2, 3), experts=(1, 3))

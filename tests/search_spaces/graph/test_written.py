"""What is written down for fast functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from graphs import random_edges, structure
from torch import Tensor

from nas.search_spaces.graph import edge_tanh, sums
from nas.search_spaces.graph.readout import POOLS, pooled
from nas.search_spaces.graph.structure import by_target, counted
from nas.search_spaces.graph.written import written_as

EDGES = structure(random_edges())
E, N = len(EDGES.source), EDGES.nodes


def random(*shape: int) -> Tensor:
    return torch.randn(
        shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape))
    )


CALLS: dict[Callable[..., Tensor], tuple[Any, ...]] = {
    sums.weighted_sum: (random(N, 2, 3), random(E, 1), EDGES),
    sums.weighted_max: (random(N, 2, 3), random(E, 2), EDGES),
    sums.edge_dots: (random(N, 2, 3), random(N, 2, 3), EDGES),
    edge_tanh.edge_tanh: (random(N, 2, 3), random(N, 2, 3), random(3), EDGES),
}


@pytest.mark.parametrize("fast", CALLS, ids=lambda fast: fast.__name__)
def test_what_is_written_computes_the_same(fast: Callable[..., Tensor]) -> None:
    plain = vars(fast)["__written_as__"]
    assert plain is not fast
    torch.testing.assert_close(plain(*CALLS[fast]), fast(*CALLS[fast]))


def test_marking_leaves_the_function() -> None:
    def plain() -> int:
        return 1

    def fast() -> int:
        return 2

    assert written_as(plain)(fast) is fast and fast() == 2
    assert fast.__written_as__ is plain  # type: ignore[attr-defined]


def test_counted() -> None:
    assert counted(torch.tensor([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]
    assert counted(torch.zeros(0, dtype=torch.int64), 2).tolist() == [0, 0]


def test_edges_are_by_target() -> None:
    assert by_target(torch.tensor([2, 0, 2, 1])).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("pool", POOLS)
def test_pooled(pool: str) -> None:
    x, owner = random(4, 3), torch.tensor([0, 0, 2, 2])
    of = {"mean": lambda part: part.mean(0), "max": lambda part: part.amax(0)}
    one = of.get(pool, lambda part: part.sum(0))
    expected = torch.stack([one(x[:2]), torch.zeros(3), one(x[2:])])
    torch.testing.assert_close(pooled(x, owner, 3, pool), expected.double())

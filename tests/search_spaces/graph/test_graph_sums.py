"""Sums over edges: against one message an edge, once and twice differentiated."""

from __future__ import annotations

import pytest
import torch
from graphs import random_edges, structure
from torch.autograd import gradcheck, gradgradcheck

from nas.search_spaces.graph import edge_tanh, sums

EDGES = structure(random_edges())
E, N = len(EDGES.source), EDGES.nodes


def random(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)


@pytest.mark.parametrize("heads", [1, 3])
def test_weighted_sum_equals_one_message_an_edge(heads: int) -> None:
    x, weights = random(N, 3, 4), random(E, heads)
    results = []
    for function in (sums.weighted_sum, sums.weighted_sum_by_edge):
        y = function(x, weights, EDGES)
        results.append((y, *torch.autograd.grad(y.cos().sum(), (x, weights))))
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other)


def test_gradients_of_sums_and_dots() -> None:
    x, weights = random(N, 2, 3), random(E, 2)
    for check in (gradcheck, gradgradcheck):
        assert check(lambda x, w: sums.weighted_sum(x, w, EDGES), (x, weights))
        assert check(lambda a, b: sums.edge_dots(a, b, EDGES), (x, random(N, 2, 3)))


def test_tanh_of_edges_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_tanh, "_ENTRIES", 6 * 7)  # parts of 7 edges, the last one smaller
    a, b, units = random(N, 2, 3), random(N, 2, 3), random(3)
    found = edge_tanh.edge_tanh(a, b, units, EDGES)
    assert torch.allclose(found, (a[EDGES.target] + b[EDGES.source]).tanh() @ units)
    for check in (gradcheck, gradgradcheck):
        assert check(lambda *given: edge_tanh.edge_tanh(*given, EDGES), (a, b, units))


def test_edge_dots() -> None:
    a, b = random(N, 2, 3), random(N, 2, 3)
    found = sums.edge_dots(a, b, EDGES)
    assert torch.allclose(found, (a[EDGES.target] * b[EDGES.source]).sum(-1))


def test_edge_dots_of_more_edges_than_pairs_of_nodes() -> None:
    edges = structure(torch.tensor([[0, 0, 1, 1, 0], [1, 1, 0, 0, 0]]), nodes=2)
    a, b = random(2, 2, 3), random(2, 2, 3)
    found = sums.edge_dots(a, b, edges)
    assert torch.allclose(found, (a[edges.target] * b[edges.source]).sum(-1))
    assert gradcheck(lambda a, b: sums.edge_dots(a, b, edges), (a, b))


@pytest.mark.parametrize("heads", [1, 3])
def test_weighted_max_equals_one_message_an_edge(heads: int) -> None:
    x, weights = random(N, 3, 4), random(E, heads)
    results = []
    for y in (
        sums.weighted_max(x, weights, EDGES),
        sums.edge_max(x[EDGES.source] * weights.unsqueeze(-1), EDGES),
    ):
        results.append((y, *torch.autograd.grad(y.cos().sum(), (x, weights))))
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other)
    assert gradgradcheck(lambda x, w: sums.weighted_max(x, w, EDGES), (x, weights))


def test_max_hides_no_nan() -> None:
    x = random(N, 1, 2).detach()
    x[3] = torch.nan
    reached = torch.zeros(N, dtype=torch.bool)
    reached[EDGES.target[EDGES.source == 3]] = True
    y = sums.weighted_max(x, EDGES.ones, EDGES)
    assert torch.equal(y.isnan().any(-1).any(-1), reached)


def test_softmax_sums_to_one_at_every_node_with_edges() -> None:
    weights = sums.edge_softmax(random(E, 2) * 1e4, EDGES)  # large scores do not overflow
    total = torch.zeros(N, 2, dtype=torch.float64).index_add(0, EDGES.target, weights)
    assert torch.allclose(total, (EDGES.degree > 0).double()[:, None].expand(N, 2))


def test_max_and_mean_of_no_edges_are_zero() -> None:
    assert float(EDGES.degree[0]) == 0
    x = random(N, 2)
    assert not sums.edge_max(x[EDGES.source], EDGES)[0].any()
    assert not sums.neighbour_mean(x, EDGES)[0].any()


def test_bfloat16_and_autocast() -> None:
    x, weights = random(N, 2, 3), random(E, 2)
    expected = sums.weighted_sum(x, weights, EDGES)
    with torch.autocast("cpu", torch.bfloat16):
        half = sums.weighted_sum(x.bfloat16(), weights.float(), EDGES)
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.double(), expected, atol=0.1, rtol=0.05)


def test_export_takes_the_path_without_sparse_matrices() -> None:
    class Module(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return sums.weighted_sum(x, EDGES.ones, EDGES)

    x = random(N, 2, 3).detach()
    program = torch.export.export(Module(), (x,), strict=False)
    assert torch.allclose(program.module()(x), Module()(x))

"""A layer of tanh units on every edge, a part of the edges at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.written import written_as

_ENTRIES = 2**20  # of a part: so many stay in a cache


def edge_tanh_by_edge(a: Tensor, b: Tensor, units: Tensor, edges: Structure) -> Tensor:
    """Return <units, tanh(a[target(e), h] + b[source(e), h])> of every edge, [E, heads].

    Args:
        a, b: Features of the nodes, [N, heads, D].
        units: [D].
        edges: The graph.
    """
    return torch.tanh(a[edges.target] + b[edges.source]) @ units


@written_as(edge_tanh_by_edge)
def edge_tanh(a: Tensor, b: Tensor, units: Tensor, edges: Structure) -> Tensor:
    """Return <units, tanh(a[target(e), h] + b[source(e), h])> of every edge, [E, heads].

    No tensor with an entry an edge and feature is kept: the backward pass computes them again.

    Args:
        a, b: Features of the nodes, [N, heads, D].
        units: [D].
        edges: The graph.
    """
    if torch.compiler.is_compiling():
        return edge_tanh_by_edge(a, b, units, edges)
    scores: Tensor = _EdgeTanh.apply(a, b, units, edges)
    return scores


class _EdgeTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, units: Tensor, edges: Structure) -> Tensor:
        ctx.edges = edges
        ctx.save_for_backward(a, b, units)
        return torch.cat([_units(a, b, *ends) @ units for ends in _parts(a, edges)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        a, b, units = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            scores = edge_tanh_by_edge(a, b, units, ctx.edges)
            given = torch.autograd.grad(scores, (a, b, units), gradients[0], create_graph=True)
            return (*given, None)
        gradient = gradients[0].to(a.dtype)  # of scores that autocast made bf16
        return (*_by_parts(a, b, units, gradient, ctx.edges), None)


def _by_parts(
    a: Tensor, b: Tensor, units: Tensor, gradient: Tensor, edges: Structure
) -> tuple[Tensor, Tensor, Tensor]:
    of_a, of_b, of_units = torch.zeros_like(a), torch.zeros_like(b), torch.zeros_like(units)
    start = 0
    for target, source in _parts(a, edges):
        part = gradient[start : start + len(target)]
        start += len(target)
        y = _units(a, b, target, source)
        of_units += part.flatten() @ y.flatten(0, 1)
        inner = y.square_().neg_().add_(1).mul_(units).mul_(part.unsqueeze(-1))
        of_a.index_add_(0, target, inner)
        of_b.index_add_(0, source, inner)
    return of_a, of_b, of_units


def _units(a: Tensor, b: Tensor, target: Tensor, source: Tensor) -> Tensor:
    return a.index_select(0, target).add_(b.index_select(0, source)).tanh_()


def _parts(a: Tensor, edges: Structure) -> list[tuple[Tensor, Tensor]]:
    """Return targets and sources of a part of the edges at a time."""
    size = max(1, _ENTRIES // a[0].numel())
    return list(zip(torch.split(edges.target, size), torch.split(edges.source, size), strict=True))

"""Sums, means, maxima and softmax over the edges into every node.

A weighted sum is the product of a sparse matrix and the features, so that no tensor with an entry
an edge and feature is made, nor in the backward pass: the gradient of the weights is a product of
dense matrices at the places of the edges. Both can be differentiated again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.written import written_as


def weighted_sum_by_edge(x: Tensor, weights: Tensor, edges: Structure) -> Tensor:
    """Return y[i, h] = sum over the edges e into i of weights[e, h] x[source(e), h].

    A message is made for every edge.

    Args:
        x: Features of the nodes, [N, heads, D].
        weights: Of the edges, [E, heads], or [E, 1] for all heads.
        edges: The graph.
    """
    messages = x[edges.source] * weights.unsqueeze(-1)
    return torch.zeros_like(x).index_add(0, edges.target, messages.to(x.dtype))


@written_as(weighted_sum_by_edge)
def weighted_sum(x: Tensor, weights: Tensor, edges: Structure) -> Tensor:
    """Return y[i, h] = sum over the edges e into i of weights[e, h] x[source(e), h].

    Args:
        x: Features of the nodes, [N, heads, D].
        weights: Of the edges, [E, heads], or [E, 1] for all heads.
        edges: The graph.
    """
    if torch.compiler.is_compiling():  # for export, which knows no sparse matrices
        return weighted_sum_by_edge(x, weights, edges)
    if weights.shape[1] != x.shape[1]:
        return weighted_sum(x.flatten(1).unsqueeze(1), weights, edges).view_as(x)
    dtype = torch.promote_types(x.dtype, torch.float32)  # sparse products know no bf16
    y: Tensor = _WeightedSum.apply(x.to(dtype), weights.to(dtype), edges)
    return y.to(x.dtype)


def neighbour_sum(x: Tensor, edges: Structure) -> Tensor:
    """Return the sum over the edges into every node, [N, D] for [N, D]."""
    return weighted_sum(x.unsqueeze(1), edges.ones, edges).squeeze(1)


def neighbour_mean(x: Tensor, edges: Structure) -> Tensor:
    """Return the mean over the edges into every node, [N, D]; 0 where there are none."""
    return neighbour_sum(x, edges) / edges.degree.clamp_min(1)[:, None]


def weighted_max_by_edge(x: Tensor, weights: Tensor, edges: Structure) -> Tensor:
    """Return y[i, h, d] = max over the edges e into i of weights[e, h] x[source(e), h, d].

    It is 0 without edges. A message is made for every edge.

    Args:
        x: Features of the nodes, [N, heads, D].
        weights: Of the edges, [E, heads], or [E, 1] for all heads.
        edges: The graph.
    """
    return edge_max(x[edges.source] * weights.unsqueeze(-1), edges)


@written_as(weighted_max_by_edge)
def weighted_max(x: Tensor, weights: Tensor, edges: Structure) -> Tensor:
    """Return y[i, h, d] = max over the edges e into i of weights[e, h] x[source(e), h, d].

    It is 0 without edges. The gradient goes to one of equal ones.

    Args:
        x: Features of the nodes, [N, heads, D].
        weights: Of the edges, [E, heads], or [E, 1] for all heads.
        edges: The graph.
    """
    if torch.compiler.is_compiling():
        return weighted_max_by_edge(x, weights, edges)
    if weights.shape[1] != x.shape[1]:
        return weighted_max(x.flatten(1).unsqueeze(1), weights, edges).view_as(x)
    y: Tensor = _WeightedMax.apply(x, weights.to(x.dtype), edges)
    return y


def edge_max(messages: Tensor, edges: Structure) -> Tensor:
    """Return the maximum over the edges into every node, [N, ...] for [E, ...]; 0 without any."""
    index = edges.target.view(-1, *[1] * (messages.ndim - 1)).expand_as(messages)
    start = messages.new_zeros(edges.nodes, *messages.shape[1:])
    return start.scatter_reduce(0, index, messages, "amax", include_self=False)


def edge_softmax(scores: Tensor, edges: Structure) -> Tensor:
    """Return the softmax over the edges into every node, [E, heads] for [E, heads]."""
    largest = edge_max(scores.detach(), edges)
    raised = (scores - largest[edges.target]).exp()
    total = raised.new_zeros(edges.nodes, scores.shape[1]).index_add(0, edges.target, raised)
    return raised / total[edges.target]


def edge_dots_by_edge(a: Tensor, b: Tensor, edges: Structure) -> Tensor:
    """Return the products <a[target(e), h], b[source(e), h]> of every edge, [E, heads].

    Args:
        a, b: Features of the nodes, [N, heads, D].
        edges: The graph.
    """
    return (a[edges.target] * b[edges.source]).sum(-1)


@written_as(edge_dots_by_edge)
def edge_dots(a: Tensor, b: Tensor, edges: Structure) -> Tensor:
    """Return the products <a[target(e), h], b[source(e), h]> of every edge, [E, heads].

    Args:
        a, b: Features of the nodes, [N, heads, D].
        edges: The graph.
    """
    # torch's sampled products refuse more entries than a matrix has, as of edges that are doubled
    if torch.compiler.is_compiling() or len(edges.source) > edges.nodes**2:
        return edge_dots_by_edge(a, b, edges)
    dtype = torch.promote_types(a.dtype, torch.float32)
    dots: Tensor = _EdgeDots.apply(a.to(dtype), b.to(dtype), edges)
    return dots.to(a.dtype)


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, edges: Structure) -> Tensor:
        ctx.edges = edges
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weights)
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        with kernels(x):
            for head in range(x.shape[1]):
                y[:, head] = _matrix(weights[:, head], edges) @ x[:, head]
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weights = ctx.saved_tensors
        edges, of_x, of_weights = ctx.edges, None, None
        if ctx.needs_input_grad[0]:
            turned = edges.reversed
            of_x = _WeightedSum.apply(gradient, weights[turned.order], turned)
        if ctx.needs_input_grad[1]:
            of_weights = _EdgeDots.apply(gradient, x, edges)
        return of_x, of_weights, None


class _EdgeDots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, edges: Structure) -> Tensor:
        ctx.edges = edges
        ctx.save_for_backward(a, b)
        dots = a.new_empty(len(edges.source), a.shape[1])
        with kernels(a):
            pattern = _matrix(a.new_zeros(len(edges.source)), edges)
            for head in range(a.shape[1]):
                found = torch.sparse.sampled_addmm(pattern, a[:, head], b[:, head].T)
                dots[:, head] = found.values()
        return dots

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        a, b = ctx.saved_tensors
        turned = ctx.edges.reversed
        of_a = _WeightedSum.apply(b, gradient, ctx.edges)
        of_b = _WeightedSum.apply(a, gradient[turned.order], turned)
        return of_a, of_b, None


class _WeightedMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, edges: Structure) -> Tensor:
        best, winners = _largest(x, weights, edges)
        ctx.edges = edges
        ctx.save_for_backward(x, weights, winners)
        return best

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weights, winners = ctx.saved_tensors
        gradient = gradients[0] * (ctx.edges.degree > 0)[:, None, None]
        winners = winners.clamp_max(len(ctx.edges.source) - 1)  # of nodes without edges
        sources = ctx.edges.source[winners]
        heads = torch.arange(x.shape[1], device=x.device)[:, None]
        of_x = of_weights = None
        if ctx.needs_input_grad[0]:
            parts = gradient * weights[winners, heads]
            of_x = torch.zeros_like(x).scatter_add(0, sources, parts)
        if ctx.needs_input_grad[1]:
            places = (winners * x.shape[1] + heads).flatten()
            parts = (gradient * x.gather(0, sources)).flatten()
            flat = weights.new_zeros(weights.numel()).index_add(0, places, parts)
            of_weights = flat.view_as(weights)
        return of_x, of_weights, None


def _largest(x: Tensor, weights: Tensor, edges: Structure) -> tuple[Tensor, Tensor]:
    """Return the largest weighted features at every node and the edges that they come over.

    All first edges are looked at, then all second ones and so on, so that no message is kept; one
    head after the other, which fits into a cache.
    """
    counts = edges.rows.diff()
    order = counts.argsort(descending=True, stable=True)
    have = torch.bincount(counts).flip(0).cumsum(0).flip(0)[1:].tolist()  # 1, 2, ... edges
    place, first = order.argsort(), edges.rows[order]
    best, winners = torch.empty_like(x), torch.empty_like(x, dtype=torch.int64)
    for head in range(x.shape[1]):
        own, of_edges = x[:, head].contiguous(), weights[:, head]
        largest = torch.full_like(own, -torch.inf)
        ranks = torch.zeros_like(own, dtype=torch.int32)
        for rank, nodes in enumerate(have):
            edge = first[:nodes] + rank
            messages = own.index_select(0, edges.source[edge]).mul_(of_edges[edge, None])
            ranks[:nodes].masked_fill_(messages > largest[:nodes], rank)
            torch.maximum(largest[:nodes], messages, out=largest[:nodes])
        largest[have[0] if have else 0 :] = 0
        best[:, head] = largest[place]
        winners[:, head] = edges.rows[:-1, None] + ranks[place]
    return best, winners


def _matrix(weights: Tensor, edges: Structure) -> Tensor:
    size = (edges.nodes, edges.nodes)
    return torch.sparse_csr_tensor(edges.rows, edges.source, weights, size, check_invariants=False)


@contextmanager
def kernels(x: Tensor) -> Iterator[None]:
    """Run what is inside as one operation, which counters of others do not look into."""
    with (
        warnings.catch_warnings(),
        torch.autocast(x.device.type, enabled=False),
        torch.no_grad(),
        _disable_current_modes(),
    ):
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*beta")
        yield

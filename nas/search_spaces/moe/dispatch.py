"""Which expert takes which tokens: capacity, and tokens brought to experts and back.

Capacity is counted within each sequence, in the order of its tokens: what a token gets depends
neither on later tokens nor on what else is in the batch. Its size is fixed by the shapes, so that
all experts are two batched matrix products (GShard: Lepikhin et al., ICLR 2021, arXiv:2006.16668,
sec. 2.2, where a group is a sequence here).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from nas.search_spaces.moe.size import Size, average, mixed

__all__ = ["Slots", "admitted", "collect", "room", "slots", "spread", "within"]

_ROUNDING = 1e-4  # a room of 8.00001 tokens is one of 8


def room(factor: float, k: float, tokens: int, experts: float) -> int:
    """Return how many tokens of a sequence an expert takes: factor * k * tokens / experts.

    Args:
        factor: The capacity factor: 1 is just enough where loads are equal; infinity: all tokens.
        k: Experts a token.
        tokens: In the sequence.
        experts: Number of experts.
    """
    wanted = factor * k * tokens / experts
    return tokens if wanted >= tokens else max(1, math.ceil(wanted - _ROUNDING))


def admitted(taken: Tensor, size: Size) -> Tensor:
    """Return the part of each choice of an expert that it has room for: the first tokens'.

    Args:
        taken: Which tokens want which expert, bool [B, T, E], or with which weight in a mixture.
        size: What runs. Of a mixture of experts and k, capacity is that of their averages.

    Returns:
        [B, T, E]: whether it has, bool; in a mixture of capacities the total weight of those with
        room.
    """
    limited = any(factor < math.inf for factor, _ in size.capacity)
    return within(taken.cumsum(1) if limited else taken, size)


def within(place: Tensor, size: Size) -> Tensor:
    """Return as `admitted` does, from the places of tokens in the queue of every expert.

    Args:
        place: From 1, [B, T, E].
        size: What runs.
    """
    mean = average(size.k) / average(size.experts)
    if all(weight is None for _, weight in size.capacity):
        return place <= _rooms(size.capacity[0][0], mean, place.shape[1])
    total = torch.zeros(place.shape, dtype=torch.get_default_dtype(), device=place.device)
    for factor, weight in size.capacity:
        kept = place <= _rooms(factor, mean, place.shape[1])
        total = total + mixed(kept.to(total.dtype), weight)
    return total


def _rooms(factor: float, mean: float | Tensor, tokens: int) -> int | Tensor:
    """Return the room of an expert where k / experts is `mean`, perhaps of a mixture."""
    if factor == math.inf or not isinstance(mean, Tensor):
        return room(factor, float(mean), tokens, 1.0)
    return (factor * mean * tokens - _ROUNDING).ceil().clamp(1, tokens)


class Slots(NamedTuple):
    """The places in the queues of experts.

    Args:
        at: Number of the token in the batch (over all sequences), int64 [E, B * capacity].
        weight: Of the expert's output; zero in a place that is not taken. [E, B * capacity].
    """

    at: Tensor
    weight: Tensor


def slots(gates: Tensor, capacity: int) -> Slots:
    """Put tokens into queues.

    Args:
        gates: Weight of every expert's output for every token, [B, T, E]; zero: not taken. No
            sequence has more than `capacity` others for an expert.
        capacity: Places of a sequence in the queue of an expert.
    """
    batch, tokens, experts = gates.shape
    earlier = torch.arange(tokens, 0, -1, device=gates.device, dtype=torch.float32)
    order = (gates != 0).permute(2, 0, 1) * earlier  # the first tokens first, others last
    source = order.topk(capacity, dim=-1, sorted=False).indices  # [E, B, capacity]
    weight = gates.permute(2, 0, 1).gather(-1, source)
    start = torch.arange(batch, device=gates.device).view(1, batch, 1) * tokens
    return Slots((source + start).view(experts, -1), weight.reshape(experts, -1))


def collect(x: Tensor, places: Slots) -> Tensor:
    """Bring tokens to their experts.

    Args:
        x: All tokens of the batch, [1, B * T, d], or those of every expert, [E, B * T, d].
        places: Who goes where.

    Returns:
        [E, B * capacity, d].
    """
    # Of all ways to pick rows, the one whose gradient is fastest on a CPU.
    at = places.at
    if len(x) == len(at):
        return x.gather(1, at.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
    rows = x[0].gather(0, at.reshape(-1, 1).expand(-1, x.shape[-1]))
    return rows.view(*at.shape, -1)


def spread(y: Tensor, places: Slots, batch: int) -> Tensor:
    """Bring weighted outputs [E, B * capacity, d] back to their tokens: [B, T, d].

    Args:
        y: Outputs of the experts.
        places: What they were computed for.
        batch: Number of tokens, B * T.
    """
    weighted = (y * places.weight.unsqueeze(-1).to(y.dtype)).flatten(0, 1)
    index = places.at.reshape(-1, 1).expand(-1, y.shape[-1])
    return y.new_zeros(batch, y.shape[-1]).scatter_add(0, index, weighted)

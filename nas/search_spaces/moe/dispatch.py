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

__all__ = ["Slots", "admitted", "collect", "room", "slots", "spread"]


def room(factor: float, k: float, tokens: int, experts: float) -> int:
    """Return how many tokens of a sequence an expert takes: factor * k * tokens / experts.

    Args:
        factor: The capacity factor: 1 is just enough where loads are equal.
        k: Experts a token.
        tokens: In the sequence.
        experts: Number of experts.
    """
    return max(1, min(tokens, math.ceil(factor * k * tokens / experts - 1e-9)))


def admitted(taken: Tensor, capacity: int) -> Tensor:
    """Tell which tokens an expert has room for: the first ones that want it.

    Args:
        taken: Whether an expert is chosen, bool [B, T, E].
        capacity: Tokens of a sequence that an expert takes.

    Returns:
        bool [B, T, E]; a token that is left out passes the layer by.
    """
    if capacity >= taken.shape[1]:
        return taken
    return taken & (taken.cumsum(1) <= capacity)


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
    source = order.topk(capacity, dim=-1).indices  # [E, B, capacity]
    weight = gates.permute(2, 0, 1).gather(-1, source)
    start = torch.arange(batch, device=gates.device).view(1, batch, 1) * tokens
    return Slots((source + start).view(experts, -1), weight.reshape(experts, -1))


def collect(x: Tensor, places: Slots) -> Tensor:
    """Bring tokens [B, T, d] to their experts: [E, B * capacity, d]."""
    flat, at = x.reshape(-1, x.shape[-1]), places.at
    # Of all ways to pick rows, the one whose gradient is fastest on a CPU.
    rows = flat.gather(0, at.reshape(-1, 1).expand(-1, flat.shape[1]))
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

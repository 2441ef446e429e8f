"""Experts: feed-forward networks whose weights are stacked, run together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.dispatch import collect, slots, spread
from nas.search_spaces.moe.size import Choices, Size, largest, shares

__all__ = ["Experts", "FeedForward"]


def _uniform(*shape: int) -> nn.Parameter:
    """Return weights [..., inputs, outputs] as `nn.Linear` starts with."""
    bound = shape[-2] ** -0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class FeedForward(nn.Module):
    """The dense block: two layers with GELU in between, no biases.

    Args:
        dimension: Of tokens.
        hidden: Units between the layers.
    """

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.w1 = _uniform(dimension, hidden)
        self.w2 = _uniform(hidden, dimension)

    def forward(self, x: Tensor, width: Choices | None = None) -> Tensor:
        """Run tokens [..., d]; with `width` only the first hidden units."""
        if width is None:
            return F.gelu(x @ self.w1) @ self.w2
        h, scale = largest(width), shares(width)
        hidden = F.gelu(x @ self.w1[:, :h])
        w2 = self.w2[:h] if scale is None else self.w2[:h] * scale.unsqueeze(-1)
        return hidden @ w2

    @torch.no_grad()
    def sort_hidden(self) -> None:
        """Put the strongest hidden units first; see `Experts.sort_hidden`."""
        order = (self.w1.norm(dim=0) * self.w2.norm(dim=1)).argsort(descending=True)
        self.w1.copy_(self.w1[:, order])
        self.w2.copy_(self.w2[order])


class Experts(nn.Module):
    """E feed-forward networks of one shape.

    Args:
        experts: E.
        dimension: d, of tokens.
        hidden: H, units of every expert.
    """

    def __init__(self, experts: int, dimension: int, hidden: int) -> None:
        super().__init__()
        self.w1 = _uniform(experts, dimension, hidden)
        self.w2 = _uniform(experts, hidden, dimension)

    @property
    def hidden(self) -> int:
        """Hidden units of every expert."""
        return self.w2.shape[1]

    def part(self, size: Size, experts: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the weights that run: [e, d, h] and [e, h, d], of the first units of the first.

        Args:
            size: What runs; of a mixture of widths, units weigh what the widths with them weigh.
            experts: e; None is the most of `size`.
        """
        e = size.most_experts if experts is None else experts
        h, scale = size.most_width, shares(size.width)
        w2 = self.w2[:e, :h]
        return self.w1[:e, :, :h], w2 if scale is None else w2 * scale.unsqueeze(-1)

    def routed(
        self, x: Tensor, gates: Tensor, size: Size, capacity: int | None, low: Tensor | None = None,
        up: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Run every token through the experts that its gates name.

        Args:
            x: Tokens, [B, T, d].
            gates: Weights of the experts' outputs, [B, T, e]; an expert of weight zero is not run.
            size: What runs.
            capacity: The most tokens of a sequence that an expert has; None: any number, and all
                experts run on all tokens.
            low: Of experts whose first layer has two factors: tokens times the first one,
                [B, T, e, r].
            up: The second one, [e, r, h].

        Returns:
            The sum over experts of gate * output, [B, T, d]; zero for a token without expert.
        """
        w1, w2 = self.part(size, gates.shape[-1])
        if low is not None and up is not None:
            x1, first = low.flatten(0, 1).transpose(0, 1), up  # every expert has its own tokens
        else:
            x1, first = x.flatten(0, 1).unsqueeze(0), w1
        if capacity is None or capacity >= x.shape[1]:
            y = self._each(x1.expand(len(w2), -1, -1), first, w2)
            return (y * gates.flatten(0, 1).t().unsqueeze(-1)).sum(0).view(x.shape)
        places = slots(gates, capacity)
        y = self._each(collect(x1, places), first, w2)
        return spread(y, places, x.shape[0] * x.shape[1]).view(x.shape)

    def outputs(self, x: Tensor, size: Size) -> Tensor:
        """Return what experts give for every token, [B, T, e, d]."""
        w1, w2 = self.part(size)
        y = self._each(x.flatten(0, 1).expand(len(w2), -1, -1), w1, w2)
        return y.transpose(0, 1).reshape(*x.shape[:2], -1, x.shape[-1])

    def on_slots(self, x: Tensor, size: Size) -> Tensor:
        """Run expert e on its own inputs: [B, e, S, d] to [B, e, S, d]."""
        return self._each(x, *self.part(size, x.shape[1]))

    def merged(self, x: Tensor, weights: Tensor, size: Size) -> Tensor:
        """Run every sequence through the average of the experts' weights.

        Args:
            x: Tokens, [B, T, d].
            weights: Of the experts, [B, e].
            size: What runs.
        """
        w1, w2 = self.part(size, weights.shape[-1])
        first = torch.einsum("be,edh->bdh", weights, w1)
        return self._each(x, first, torch.einsum("be,ehd->bhd", weights, w2))

    @staticmethod
    def _each(x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
        """Run stacked networks on stacked inputs, as many as there are networks.

        One input for all has to be expanded: a product that broadcasts it copies its result.
        """
        return torch.matmul(F.gelu(torch.matmul(x, w1)), w2)

    @torch.no_grad()
    def sort_hidden(self, together: bool = False) -> Tensor:
        """Put the strongest hidden units of every expert first; the function stays the same.

        Strength is the product of the norms of a unit's two weight vectors. Useful once before
        smaller widths are trained.

        Args:
            together: Whether all experts get the order of their mean strengths, so that an average
                of their weights stays the same function, too.

        Returns:
            Which unit is now at a place, [E, H].
        """
        strength = self.w1.norm(dim=1) * self.w2.norm(dim=2)
        if together:
            strength = strength.mean(0).expand_as(strength)
        order: Tensor = strength.argsort(dim=1, descending=True, stable=True)
        self.w1.copy_(self.w1.gather(2, order.unsqueeze(1).expand_as(self.w1)))
        self.w2.copy_(self.w2.gather(1, order.unsqueeze(2).expand_as(self.w2)))
        return order

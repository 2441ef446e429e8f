"""Experts: feed-forward networks whose weights are stacked, run together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.dispatch import collect, slots, spread
from nas.search_spaces.moe.size import Choices, Size

__all__ = ["Experts", "FeedForward", "hidden_scale"]


def hidden_scale(width: Choices) -> Tensor | None:
    """Return the total weight of the widths that have a hidden unit, [largest width].

    A mixture of widths is then one pass at the largest (Wan et al., FBNetV2, CVPR 2020,
    arXiv:2004.05565, sec. 3.1). None where a single width runs unweighted.
    """
    ordered = sorted(width, key=lambda choice: choice[0])
    weights = [weight for _, weight in ordered if weight is not None]
    if not weights:
        return None
    have = torch.stack(weights).flip(0).cumsum(0).flip(0)
    values = [int(value) for value, _ in ordered]
    steps = [high - low for low, high in zip([0, *values[:-1]], values, strict=True)]
    return torch.cat([total.expand(n) for total, n in zip(have, steps, strict=True)])


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
        h, scale = max(int(value) for value, _ in width), hidden_scale(width)
        hidden = F.gelu(x @ self.w1[:, :h])
        return (hidden if scale is None else hidden * scale) @ self.w2[:h]


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

    def part(self, size: Size, experts: int | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the weights that run: [e, d, h], [e, h, d], and a scale of hidden units [h]."""
        e = size.most_experts if experts is None else experts
        h = max(int(value) for value, _ in size.width)
        return self.w1[:e, :, :h], self.w2[:e, :h], hidden_scale(size.width)

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
        if capacity is None or capacity >= x.shape[1]:
            return self._everywhere(x, gates, size, low, up)
        w1, w2, scale = self.part(size, gates.shape[-1])
        places = slots(gates, capacity)
        if low is None or up is None:
            hidden = F.gelu(torch.bmm(collect(x, places), w1))
        else:
            hidden = F.gelu(torch.bmm(_collect_own(low, places.at), up))
        y = torch.bmm(hidden if scale is None else hidden * scale, w2)
        return spread(y, places, x.shape[0] * x.shape[1]).view(x.shape)

    def _everywhere(
        self, x: Tensor, gates: Tensor, size: Size, low: Tensor | None, up: Tensor | None
    ) -> Tensor:
        """Run all experts on all tokens: two large products."""
        w1, w2, scale = self.part(size, gates.shape[-1])
        e, h, d = w2.shape
        if low is None or up is None:
            first = x @ w1.transpose(0, 1).reshape(d, e * h)
        else:
            first = torch.einsum("bter,erh->bteh", low, up)
        hidden = F.gelu(first).view(*x.shape[:2], e, h)
        hidden = hidden * gates.unsqueeze(-1)
        hidden = hidden if scale is None else hidden * scale
        return hidden.flatten(2) @ w2.reshape(e * h, d)

    def outputs(self, x: Tensor, size: Size, experts: int) -> Tensor:
        """Return what the first experts give for every token, [B, T, e, d]."""
        w1, w2, scale = self.part(size, experts)
        hidden = F.gelu(torch.einsum("btd,edh->bteh", x, w1))
        hidden = hidden if scale is None else hidden * scale
        return torch.einsum("bteh,ehd->bted", hidden, w2)

    def on_slots(self, x: Tensor, size: Size) -> Tensor:
        """Run expert e on its own inputs: [B, e, S, d] to [B, e, S, d]."""
        w1, w2, scale = self.part(size, x.shape[1])
        hidden = F.gelu(torch.einsum("besd,edh->besh", x, w1))
        hidden = hidden if scale is None else hidden * scale
        return torch.einsum("besh,ehd->besd", hidden, w2)

    def merged(self, x: Tensor, weights: Tensor, size: Size) -> Tensor:
        """Run every sequence through the average of the experts' weights.

        Args:
            x: Tokens, [B, T, d].
            weights: Of the experts, [B, e].
            size: What runs.
        """
        w1, w2, scale = self.part(size, weights.shape[-1])
        hidden = F.gelu(torch.bmm(x, torch.einsum("be,edh->bdh", weights, w1)))
        hidden = hidden if scale is None else hidden * scale
        return torch.bmm(hidden, torch.einsum("be,ehd->bhd", weights, w2))

    @torch.no_grad()
    def sort_hidden(self) -> None:
        """Put the strongest hidden units of every expert first; the function stays the same.

        Strength is the product of the norms of a unit's two weight vectors. Useful once before
        smaller widths are trained.
        """
        strength = self.w1.norm(dim=1) * self.w2.norm(dim=2)
        order = strength.argsort(dim=1, descending=True)
        self.w1.copy_(self.w1.gather(2, order.unsqueeze(1).expand_as(self.w1)))
        self.w2.copy_(self.w2.gather(1, order.unsqueeze(2).expand_as(self.w2)))


def _collect_own(x: Tensor, at: Tensor) -> Tensor:
    """Pick from tokens that every expert has its own of, [B, T, E, r]: [E, places, r]."""
    own = x.flatten(0, 1).transpose(0, 1)  # [E, B * T, r]
    return own.gather(1, at.unsqueeze(-1).expand(-1, -1, own.shape[-1]))

"""The gate of KAMoE, a gated residual network of Kolmogorov-Arnold layers.

Source: Inzirillo and Genet, A Gated Residual Kolmogorov-Arnold Networks for Mixtures of Experts,
arXiv:2409.15161, sec. 3; its code: KAN, KAN, gated linear unit, add and layer norm, sigmoid.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.router import Gating, padded
from nas.search_spaces.moe.size import Size, mixed

__all__ = ["KANLinear", "KANRouter"]


class KANLinear(nn.Module):
    """A layer whose every edge is a learned function: SiLU and a cubic spline (Liu et al., KAN,
    2024, arXiv:2404.19756, sec. 2.2).

    Args:
        inputs: Features in.
        outputs: Features out.
        intervals: Of the grid of the splines, which spans -2 to 2: most of a normalised input.
    """

    centres: Tensor

    def __init__(self, inputs: int, outputs: int, intervals: int = 5) -> None:
        super().__init__()
        self.step = 4 / intervals
        count = intervals + 3
        self.register_buffer("centres", (torch.arange(count) - (count - 1) / 2) * self.step)
        self.base = nn.Linear(inputs, outputs, bias=False)
        spline = torch.randn(outputs, inputs * count) * 0.1
        self.spline = nn.Parameter(spline * inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., inputs] to [..., outputs]."""
        y: Tensor = self.base(F.silu(x)) + F.linear(self.bases(x).flatten(-2), self.spline)
        return y

    def bases(self, x: Tensor) -> Tensor:
        """Return the cubic B-splines at x, [..., inputs, intervals + 3].

        On knots of equal distance all are one function of the distance from their centres.
        """
        distance = (x.unsqueeze(-1) - self.centres.to(x.dtype)).abs() / self.step
        bases: Tensor = F.relu(2 - distance).pow(3) / 6 - F.relu(1 - distance).pow(3) * (2 / 3)
        return bases


class KANRouter(Gating):
    """All experts run; a Kolmogorov-Arnold network weighs them, each by a sigmoid of its own.

    Args:
        dimension: Of tokens.
        experts: Number of experts.
        units: Of the hidden layers.
    """

    def __init__(self, dimension: int, experts: int, units: int = 8) -> None:
        super().__init__(experts, experts)
        self.first = KANLinear(dimension, units)
        self.second = KANLinear(units, units)
        self.value = nn.Linear(units, experts)
        self.gate = nn.Linear(units, experts)
        self.skip = nn.Linear(dimension, experts)
        self.norm = nn.LayerNorm(experts)

    def gates(self, x: Tensor, ids: Tensor | None, size: Size, experts: Experts | None) -> Tensor:
        del ids, experts
        hidden, most = self.second(self.first(x)), size.most_experts
        gated = _head(self.value, hidden, most) * _head(self.gate, hidden, most).sigmoid()
        residual = gated + _head(self.skip, x, most)
        total = torch.zeros_like(residual)
        for e, weight in size.experts:
            scale, shift = self.norm.weight[:e], self.norm.bias[:e]
            normed = F.layer_norm(residual[..., :e], (e,), scale, shift, self.norm.eps)
            total = total + padded(mixed(normed.sigmoid(), weight), size)
        return total

    def room(self, tokens: int, size: Size) -> int | None:
        del size
        return tokens


def _head(layer: nn.Linear, x: Tensor, e: int) -> Tensor:
    """Run the first e outputs of a layer."""
    return F.linear(x, layer.weight[:e], layer.bias[:e])

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
    """A layer whose every edge is a learned function: SiLU and a B-spline (Liu et al., KAN, 2024,
    arXiv:2404.19756, sec. 2.2).

    Args:
        inputs: Features in.
        outputs: Features out.
        intervals: Of the grid of the splines, which spans -2 to 2: most of a normalised input.
        order: Degree of the splines.
    """

    grid: Tensor

    def __init__(self, inputs: int, outputs: int, intervals: int = 5, order: int = 3) -> None:
        super().__init__()
        self.order = order
        step = 4 / intervals
        knots = torch.arange(-order, intervals + order + 1) * step - 2
        self.register_buffer("grid", knots.float())
        self.base = nn.Linear(inputs, outputs, bias=False)
        spline = torch.randn(outputs, inputs * (intervals + order)) * 0.1
        self.spline = nn.Parameter(spline * inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., inputs] to [..., outputs]."""
        y: Tensor = self.base(F.silu(x)) + F.linear(self.bases(x).flatten(-2), self.spline)
        return y

    def bases(self, x: Tensor) -> Tensor:
        """Return the B-splines at x, [..., inputs, intervals + order] (Cox and de Boor)."""
        x, grid = x.unsqueeze(-1), self.grid.to(x.dtype)
        bases = ((x >= grid[:-1]) & (x < grid[1:])).to(x.dtype)
        for p in range(1, self.order + 1):
            left = (x - grid[: -(p + 1)]) / (grid[p:-1] - grid[: -(p + 1)])
            right = (grid[p + 1 :] - x) / (grid[p + 1 :] - grid[1:-p])
            bases = left * bases[..., :-1] + right * bases[..., 1:]
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

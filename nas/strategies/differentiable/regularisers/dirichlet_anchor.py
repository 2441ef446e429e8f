"""The distance of a Dirichlet distribution from the uniform one (DrNAS, eq. 3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nas import registry
from nas.strategies.differentiable.relaxations.dirichlet import concentration

__all__ = ["DirichletAnchor"]


@registry.register(
    "strategies.differentiable.regularisers",
    "dirichlet-anchor",
    "squared distance of the concentrations elu(a) + 1 from 1",
    "Chen et al., DrNAS, ICLR 2021, arXiv:2006.10355, eq. 3",
)
class DirichletAnchor:
    """sum over gates of |elu(a) + 1 - 1|^2: keeps samples from becoming extreme early."""

    def penalty(self, logits: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([(concentration(a) - 1.0).square().sum() for a in logits.values()]).sum()

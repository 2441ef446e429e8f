"""The L1 norm of gates of unit length: makes them sparse (NAC, arXiv:2305.14065, sec. 4)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nas import registry
from nas.strategies.differentiable.relaxations.unit_norm import direction

__all__ = ["L1"]


@registry.register(
    "strategies.differentiable.regularisers",
    "l1",
    "L1 norm of the gates' weights of unit length, for the relaxation 'unit'",
    "Xu et al., NAC, ICML 2023, arXiv:2305.14065",
)
class L1:
    """sum over gates of |w|_1, w = (1 + a) / |1 + a|_2: from 1 (one option) to sqrt(options)."""

    def penalty(self, logits: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([direction(a).abs().sum() for a in logits.values()]).sum()

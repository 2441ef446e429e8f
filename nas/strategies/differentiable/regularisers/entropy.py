"""The entropy of the gates: pushes them towards a decision."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nas import registry

__all__ = ["Entropy"]


@registry.register(
    "strategies.differentiable.regularisers",
    "entropy",
    "mean entropy of softmax(a), which shrinks the gap between supernet and architecture",
    "Xie et al., SNAS, ICLR 2019, arXiv:1812.09926; Wu et al., FBNet, arXiv:1812.03443",
)
class Entropy:
    """mean over gates of -sum_i p_i log p_i, p = softmax(a)."""

    def penalty(self, logits: Mapping[str, Tensor]) -> Tensor:
        terms = [-(a.softmax(-1) * a.log_softmax(-1)).sum() for a in logits.values()]
        return torch.stack(terms).mean()

"""One hard Gumbel-softmax sample with a straight-through gradient.

Source: Dong & Yang, GDAS, CVPR 2019, arXiv:1910.04465, sec. 3.2, eq. 3 to 5.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from nas import registry
from nas.strategies.differentiable.relaxations.gumbel import gumbel_like
from nas.strategies.differentiable.relaxations.relaxation import Relaxation

__all__ = ["GumbelHard"]


@registry.register(
    "strategies.differentiable.relaxations",
    "gumbel-hard",
    "one-hot sample of the Gumbel-softmax, gradient of the soft one; only it is executed",
    "Dong & Yang, GDAS, CVPR 2019, arXiv:1910.04465, eq. 3-5",
)
class GumbelHard(Relaxation):
    """Forward the one-hot maximum, backward as if it were the soft sample.

    As in the paper only the selected operation runs, so the gradient reaches the logits through
    the weight of the selected option alone (and through the softmax, all logits).
    """

    def weights(self, logits: Tensor, temperature: float) -> Tensor:
        noisy = logits.log_softmax(-1) + gumbel_like(logits)
        soft = (noisy / temperature).softmax(-1)
        hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft)
        weights: Tensor = hard * (1.0 + (soft - soft.detach()))
        return weights

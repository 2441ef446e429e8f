"""Jacobian covariance: how differently the network reacts around different inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas import registry
from nas.errors import NasError
from nas.proxies.gradients import gradients_of
from nas.proxies.proxy import Inputs, Loss, batch_statistics, changed, finite, logits
from nas.task import Graph

__all__ = ["jacob_cov"]

_K = 1e-5  # the paper's, which keeps the logarithm finite


@registry.register(
    "proxies",
    "jacob_cov",
    "how little the examples' input gradients are correlated",
    "Mellor et al., Neural Architecture Search without Training, arXiv:2006.04647 (v1)",
)
def jacob_cov(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return -sum over eigenvalues v of (log(v + k) + 1 / (v + k)).

    They are those of the correlation matrix of the rows of the Jacobian: row i is the gradient of
    the sum of the logits with respect to input i (of a graph: the features of node i). An input on
    which the logits do not depend has no correlation, which is an error.

    Batch norm: statistics of the batch, as in the reference.

    Source: arXiv:2006.04647v1, eq. 5; as a proxy: arXiv:2101.08134. Arguments and errors as for
    `proxy.Proxy`.
    """
    del y, loss
    if isinstance(x, Graph) and x.index is None:
        raise NasError("jacob_cov compares inputs of one size, which graphs have not")
    copied, numbers = changed(x, lambda x: x.detach().clone().requires_grad_(), "jacob_cov")
    with batch_statistics(network):
        total = logits(network, {}, copied).sum()
        jacobian = gradients_of(total, [numbers])[0].flatten(1).double()
    if isinstance(x, Graph):
        jacobian = jacobian[x.index]
    rows = jacobian - jacobian.mean(1, keepdim=True)
    norms = rows.norm(dim=1, keepdim=True)
    if not (norms > 0).all():
        raise NasError("jacob_cov: the logits do not depend on every input (or not finitely)")
    rows = rows / norms
    eigenvalues = torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0)
    return finite(-((eigenvalues + _K).log() + 1 / (eigenvalues + _K)).sum(), "jacob_cov")

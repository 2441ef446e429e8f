"""NASWOT: how differently the examples switch the network's rectified units on and off."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from nas import registry
from nas.errors import NasError
from nas.proxies.proxy import Inputs, Loss, batch_statistics, changed, finite, logits
from nas.task import Graph

__all__ = ["naswot"]

_RECTIFIERS = frozenset(
    {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6, F.leaky_relu,
     F.leaky_relu_}
)  # fmt: skip
"""Piecewise linear with a bend at zero, however they are called."""
_CLAMPS = frozenset({F.hardtanh, F.hardtanh_})
"""The same where their lower limit is zero, as that of `nn.ReLU6` is."""


@registry.register(
    "proxies",
    "naswot",
    "how well the units' on/off codes tell examples apart",
    "Mellor et al., Neural Architecture Search without Training, ICML 2021, arXiv:2006.04647",
)
def naswot(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the logarithm of the determinant of K, which counts units on which inputs agree.

    K_ij is the number of rectified units that inputs i and j both switch on, or both off:
    sum over layers of c c^T + (1 - c)(1 - c)^T with codes c = [input > 0]. Units of every ReLU,
    ReLU6 and leaky ReLU count, called as a module or a function, if the output depends on them. Of
    a graph the nodes that are asked for are inputs, or the graphs (units of nodes do not count).

    Batch norm: statistics of the batch, as in the authors' code.

    Source: arXiv:2006.04647, eq. 2 and 3. Arguments and errors as for `proxy.Proxy`.
    """
    del y, loss
    if isinstance(x, Graph) or x.is_floating_point():
        x, _ = changed(x, lambda x: x.detach().clone().requires_grad_(), "naswot")
    codes = _Codes(len(x), x if isinstance(x, Graph) else None)
    parameters = {name: p.detach().requires_grad_() for name, p in network.named_parameters()}
    with batch_statistics(network), codes:
        total = logits(network, parameters, x).sum()
    finite(total.detach(), "the sum of the logits")
    agreement = codes.of_result(total)
    if agreement is None:
        raise NasError("naswot: the output does not depend on any ReLU")
    sign, value = torch.linalg.slogdet(agreement)
    reason = "two inputs have the same codes, or the batch is larger than the number of units"
    return finite(value if sign > 0 else float("-inf"), "naswot", reason)


def _rectifies(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if func not in _CLAMPS:
        return func in _RECTIFIERS
    lowest = args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)
    return bool(lowest == 0)


class _Codes(TorchFunctionMode):
    """Counts, for every rectifier that is called, the units on which pairs of inputs agree."""

    def __init__(self, batch: int, graph: Graph | None) -> None:
        super().__init__()
        self.batch, self.graph = batch, graph
        self.calls: list[tuple[Tensor, Tensor]] = []  # counts [B, B], the output

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if not _rectifies(func, args, kwargs):
            return func(*args, **kwargs)
        given: Tensor = args[0] if args else kwargs["input"]
        counts = self._count(given.detach())  # before it is changed in place
        output = func(*args, **kwargs)
        if counts is not None and output.requires_grad:
            self.calls.append((counts, output))
        return output

    def _count(self, given: Tensor) -> Tensor | None:
        graph = self.graph
        if graph is not None and graph.index is not None and len(given) == len(graph.features):
            given = given[graph.index]
        if given.dim() < 2 or len(given) != self.batch:
            return None
        on = (given.flatten(1) > 0).double()
        return on @ on.T + (1 - on) @ (1 - on).T

    def of_result(self, total: Tensor) -> Tensor | None:
        """Return the sum of the counts of rectifiers that a result depends on; None of none."""
        if not self.calls or not total.requires_grad:
            return None
        outputs = [output for _, output in self.calls]
        gradients = torch.autograd.grad(total, outputs, allow_unused=True)
        used = [c for (c, _), g in zip(self.calls, gradients, strict=True) if g is not None]
        return torch.stack(used).sum(0) if used else None

"""Fisher: how much the loss would change were channels removed."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from nas import registry
from nas.costs import AUXILIARY_HEAD
from nas.proxies.gradients import gradients_of
from nas.proxies.proxy import Inputs, Loss, batch_statistics, finite, logits, weights

__all__ = ["fisher"]


@registry.register(
    "proxies",
    "fisher",
    "sensitivity of the loss to removing channels",
    "Theis et al., Faster Gaze Prediction with Dense Networks and Fisher Pruning, "
    "arXiv:1801.05787; Turner et al., BlockSwap, ICLR 2020, arXiv:1906.04113",
)
def fisher(network: nn.Module, x: Inputs, y: Tensor, loss: Loss) -> float:
    """Return the sum over channels of 1/2 E[(sum over pixels of activation * its gradient)^2].

    The activations are the outputs of convolutions and linear layers; E is the mean over the
    examples. Every channel counts once, as in the paper (the reference of Abdelfattah et al.
    repeats a channel's value for each of its weights).

    Batch norm: statistics of the batch, as in the reference.

    Source: arXiv:1906.04113, eq. 2; as a proxy: arXiv:2101.08134. Arguments and errors as for
    `proxy.Proxy`.
    """
    outputs: list[tuple[nn.Module, Tensor]] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        outputs.append((module, output))
        return output.clone()  # what follows may change it in place

    layers = [
        module
        for name, module in network.named_modules()
        if isinstance(module, (_ConvNd, nn.Linear)) and AUXILIARY_HEAD not in name.split(".")
    ]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        with batch_statistics(network):
            value = loss(logits(network, weights(network), x), y)
    finally:
        for hook in hooks:
            hook.remove()
    gradients = gradients_of(value, [output for _, output in outputs])
    terms = (
        _saliency(module, output.detach() * gradient)
        for (module, output), gradient in zip(outputs, gradients, strict=True)
    )
    return finite(sum(terms), "fisher")


def _saliency(module: nn.Module, product: Tensor) -> Tensor:
    """Return the sum over channels, of a layer's activations times gradients [B, ...]."""
    if isinstance(module, nn.Linear):  # channels last
        product = product.movedim(-1, 1)
    each = product.flatten(2).sum(2) if product.dim() > 2 else product
    return each.square().mean(0).sum() / 2

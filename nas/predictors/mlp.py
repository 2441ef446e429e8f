"""An ensemble of multilayer perceptrons on one-hot encodings, as BANANAS has.

Source: White, Neiswanger & Savani, BANANAS, AAAI 2021, arXiv:1910.11858, sec. 4: five networks of
10 layers of 20 units, mean absolute error, Adam 0.01, 150 epochs, batches of 32. The authors encode
paths; one-hot encodings serve every space.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.predictors.predictor import Array, EncodingPredictor

__all__ = ["MLPEnsemble"]

_MEMBERS, _LAYERS, _UNITS = 5, 10, 20
_EPOCHS, _BATCH, _RATE = 150, 32, 0.01

Layer = tuple[Tensor, Tensor]
"""Weights [members, in, out] and biases [members, 1, out]."""


class MLPEnsemble(EncodingPredictor):
    """Members differ in their initial weights and the order of their batches.

    All are trained together, as batched matrix products on the CPU.
    """

    def _fit(self, x: Array, y: Array) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        inputs = torch.from_numpy(x).float()
        targets = torch.from_numpy(y).float()
        self._layers = _initial(inputs.shape[1], generator)
        parameters = [part for layer in self._layers for part in layer]
        optimizer = torch.optim.Adam(parameters, lr=_RATE, fused=True)
        with torch.enable_grad():
            for _ in range(_EPOCHS):
                orders = [torch.randperm(len(x), generator=generator) for _ in range(_MEMBERS)]
                for rows in torch.split(torch.stack(orders), _BATCH, dim=1):
                    output = _run(self._layers, inputs[rows])
                    loss = (output - targets[rows]).abs().mean(1).sum()
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()

    @torch.no_grad()
    def _predict(self, x: Array) -> tuple[Array, Array]:
        inputs = torch.from_numpy(x).float()
        each = _run(self._layers, inputs.expand(_MEMBERS, -1, -1)).double().numpy()
        return np.mean(each, axis=0), np.std(each, axis=0)


def _initial(inputs: int, generator: torch.Generator) -> list[Layer]:
    """Draw layers uniformly from +-sqrt(6 / fan-in) (He et al.), biases 0."""
    widths = [inputs, *[_UNITS] * _LAYERS, 1]
    layers = []
    for fan_in, fan_out in pairwise(widths):
        bound = math.sqrt(6 / fan_in)
        drawn = torch.rand(_MEMBERS, fan_in, fan_out, generator=generator)
        weight = (2 * drawn - 1) * bound
        layers.append((weight.requires_grad_(), torch.zeros(_MEMBERS, 1, fan_out).requires_grad_()))
    return layers


def _run(layers: list[Layer], x: Tensor) -> Tensor:
    """Return the outputs [members, n] for inputs [members, n, d]."""
    for weight, bias in layers[:-1]:
        x = F.relu(torch.baddbmm(bias, x, weight))
    weight, bias = layers[-1]
    return torch.baddbmm(bias, x, weight).squeeze(2)

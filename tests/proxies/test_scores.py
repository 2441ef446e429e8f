"""The values of the proxies, against their definitions written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.errors import NasError
from nas.proxies.fisher import fisher
from nas.proxies.flops import flops
from nas.proxies.grad_norm import grad_norm
from nas.proxies.gradsign import gradsign
from nas.proxies.grasp import grasp
from nas.proxies.jacob_cov import jacob_cov
from nas.proxies.naswot import naswot
from nas.proxies.ntk import ntk
from nas.proxies.params import params
from nas.proxies.proxy import batch_statistics
from nas.proxies.snip import snip
from nas.proxies.synflow import synflow
from nas.proxies.zen import zen

Batch = tuple[Tensor, Tensor]
loss = F.cross_entropy


def layers(network: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in network.parameters() if p.dim() >= 2]


def batch_gradients(network: nn.Module, batch: Batch) -> list[Tensor]:
    """Return the gradients of conv and linear weights, by plain backward passes."""
    with batch_statistics(network):
        value = loss(network(batch[0]), batch[1])
        return list(
            torch.autograd.grad(
                value,
                [p for p in network.parameters() if p.dim() >= 2],
                allow_unused=True,
                materialize_grads=True,
            )
        )


def test_gradsign_counts_agreement(network: nn.Module, batch: Batch) -> None:
    total = 0.0
    x, y = batch
    with batch_statistics(network):
        each = []
        for i in range(len(x)):
            value = loss(network(x[i : i + 1]), y[i : i + 1])
            chosen = [p for p in network.parameters() if p.dim() >= 2]
            found = torch.autograd.grad(value, chosen, allow_unused=True, materialize_grads=True)
            each.append(torch.cat([g.sign().flatten() for g in found]))
        total = torch.stack(each).sum(0).abs().sum().item()
    assert gradsign(network, x, y, loss) == pytest.approx(total, abs=2)  # a sign of rounding


def test_gradsign_is_largest_where_all_agree() -> None:
    network = nn.Linear(2, 2, bias=False)
    x, y = torch.ones(4, 2), torch.zeros(4, dtype=torch.long)
    assert gradsign(network, x, y, loss) == 16  # 4 weights, 4 examples
    half = torch.tensor([0, 0, 1, 1])
    assert gradsign(network, x, half, loss) == 0


def test_synflow_is_the_sum_over_paths() -> None:
    """Of a linear network of absolute weights: each of L layers gives R once."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2, bias=False)
    )
    first, second = (w.abs().double() for w in layers(network))
    flow = float((second @ first @ torch.ones(3, dtype=torch.float64)).sum())
    value = synflow(network, torch.randn(5, 3), torch.zeros(5).long(), loss)
    assert value == pytest.approx(2 * flow, rel=1e-6)


def test_synflow_needs_no_data(network: nn.Module, batch: Batch) -> None:
    expected = synflow(network, *batch, loss)
    assert synflow(network, batch[0] * 7 + 3, batch[1], loss) == expected


def test_synflow_does_not_overflow_float32() -> None:
    network = nn.Sequential(*[nn.Linear(8, 8, bias=False) for _ in range(6)])
    with torch.no_grad():
        for p in network.parameters():
            p.fill_(1e8)
    assert synflow(network, torch.ones(2, 8), torch.zeros(2).long(), loss) > 1e40


def test_snip_and_grad_norm(network: nn.Module, batch: Batch) -> None:
    gradients = batch_gradients(network, batch)
    expected = sum(
        float((w * g).abs().sum()) for w, g in zip(layers(network), gradients, strict=True)
    )
    assert snip(network, *batch, loss) == pytest.approx(expected, rel=1e-5)
    norms = sum(float(g.norm()) for g in gradients)
    assert grad_norm(network, *batch, loss) == pytest.approx(norms, rel=1e-5)


def test_grasp_is_minus_weights_times_hessian_times_gradient() -> None:
    """The product H g by a finite difference along g."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    batch = torch.randn(6, 4, dtype=torch.float64), torch.arange(6) % 3
    chosen = [p for p in network.parameters() if p.dim() >= 2]
    start = layers(network)
    gradient = batch_gradients(network, batch)
    step = 1e-6

    def shifted(by: float) -> list[Tensor]:
        with torch.no_grad():
            for p, w, g in zip(chosen, start, gradient, strict=True):
                p.copy_(w + by * g)
        return batch_gradients(network, batch)

    ahead, behind = shifted(step), shifted(-step)
    shifted(0)
    products = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    expected = -sum(float((w * h).sum()) for w, h in zip(start, products, strict=True))
    assert grasp(network, *batch, loss) == pytest.approx(expected, rel=1e-5)


def test_fisher_of_a_linear_layer() -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    x, y = torch.randn(5, 4), torch.arange(5) % 3
    output = network(x).detach()
    gradient = (output.softmax(1) - F.one_hot(y, 3)) / 5
    expected = float((output * gradient).square().mean(0).sum()) / 2
    assert fisher(network, x, y, loss) == pytest.approx(expected, rel=1e-5)


def test_fisher_sums_pixels_before_squaring() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 3, 1)
    network = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x, y = torch.randn(5, 1, 2, 2), torch.arange(5) % 3
    activation = conv(x).detach()
    logits = activation.mean((2, 3))
    gradient = (logits.softmax(1) - F.one_hot(y, 3)) / 5
    products = (activation * gradient[:, :, None, None] / 4).sum((2, 3))
    expected = float(products.square().mean(0).sum()) / 2
    assert fisher(network, x, y, loss) == pytest.approx(expected, rel=1e-5)


def test_jacob_cov_by_numpy(network: nn.Module, batch: Batch) -> None:
    x = batch[0].clone().requires_grad_()
    with batch_statistics(network):
        network(x).sum().backward()
    network.zero_grad()
    assert x.grad is not None
    correlation = np.corrcoef(x.grad.flatten(1).double().numpy())
    v = np.linalg.eigvalsh(correlation)
    expected = -np.sum(np.log(v + 1e-5) + 1 / (v + 1e-5))
    assert jacob_cov(network, *batch, loss) == pytest.approx(expected, rel=1e-3)


def test_jacob_cov_prefers_examples_that_differ() -> None:
    """Equal Jacobians are the worst there is."""
    torch.manual_seed(0)
    deep = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
    x, y = torch.randn(6, 20), torch.arange(6) % 3
    assert jacob_cov(deep, x, y, loss) > jacob_cov(nn.Linear(20, 3), x, y, loss)


class Constant(nn.Module):
    """Its output does not depend on its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(torch.zeros_like(x))))
        output: Tensor = self.head(x.mean((2, 3)))
        return output


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        (jacob_cov, "do not depend on every input"),
        (zen, "features do not depend on the input"),
        (naswot, "naswot is -inf: two inputs have the same codes"),
        (ntk, "the kernel of the batch is singular"),
    ],
)
def test_a_network_that_ignores_its_input_is_refused(
    proxy: object, reason: str, batch: Batch
) -> None:
    with pytest.raises(NasError, match=reason):
        proxy(Constant(), *batch, loss)  # type: ignore[operator]


def test_naswot_counts_units_that_agree(network: nn.Module, batch: Batch) -> None:
    """Of module, function and in-place ReLUs, but not those that lead nowhere."""
    x = batch[0]
    with batch_statistics(network), torch.no_grad():
        first = network.norm(network.first(x))  # type: ignore[operator]
        second = network.second(F.relu(first))  # type: ignore[operator]
    codes = torch.cat([(first > 0).flatten(1), (second > 0).flatten(1)], 1).numpy()
    agree = (codes[:, None] == codes[None]).sum(2)
    assert naswot(network, *batch, loss) == pytest.approx(np.linalg.slogdet(agree)[1])


@pytest.mark.parametrize(
    "relu", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(), torch.relu, F.relu,
             Tensor.relu, lambda x: x.relu_(), lambda x: F.relu(input=x)]
)  # fmt: skip
def test_naswot_sees_every_way_to_rectify(relu: object) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(5, 20), nn.Linear(20, 3)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.head(relu(self.first(x)))  # type: ignore[operator]
            return output

    torch.manual_seed(0)
    network, x = Net(), torch.randn(4, 5)
    codes = (network.first(x) > 0).numpy()
    expected = np.linalg.slogdet((codes[:, None] == codes[None]).sum(2))[1]
    assert naswot(network, x, torch.arange(4) % 3, loss) == pytest.approx(expected)


def test_naswot_needs_rectifiers() -> None:
    with pytest.raises(NasError, match="does not depend on any ReLU"):
        naswot(nn.Linear(3, 2), torch.randn(4, 3), torch.zeros(4).long(), loss)


def test_zen_gives_back_the_scale_that_batch_norm_takes() -> None:
    """For linear features: log of the mean change times the scale."""
    network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4), nn.Flatten(),
                            nn.Linear(4 * 64, 3))  # fmt: skip
    x, y = torch.empty(5, 3, 8, 8), torch.zeros(5).long()
    torch.manual_seed(3)
    value = zen(network, x, y, loss)
    torch.manual_seed(3)
    weight = torch.randn(4, 3, 1, 1)
    torch.randn(3, 4 * 64)  # the head's
    first = torch.randn(5, 3, 8, 8)
    second = first + 0.01 * torch.randn(5, 3, 8, 8)
    a, b = F.conv2d(first, weight), F.conv2d(second, weight)
    normed = [F.batch_norm(z, None, None, training=True) for z in (a, b)]
    change = float((normed[0] - normed[1]).abs().sum((1, 2, 3)).mean())
    scale = math.sqrt(float(a.var((0, 2, 3), correction=0).mean()))
    assert value == pytest.approx(math.log(change) + math.log(scale), rel=1e-4)


def test_zen_ignores_weights_and_inputs(network: nn.Module, batch: Batch) -> None:
    torch.manual_seed(0)
    expected = zen(network, *batch, loss)
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(3)
    torch.manual_seed(0)
    assert zen(network, batch[0] * 2, batch[1], loss) == expected
    torch.manual_seed(1)
    assert zen(network, *batch, loss) != expected


def test_ntk_is_the_condition_number_of_the_kernel() -> None:
    """Of a linear layer with k outputs: k times the inputs' Gram matrix."""
    x = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    assert ntk(nn.Linear(2, 4), x, torch.zeros(2).long(), loss) == pytest.approx(-9.0)


def test_ntk_by_single_backward_passes(network: nn.Module, batch: Batch) -> None:
    rows = []
    with batch_statistics(network):
        output = network(batch[0])
        for i in range(6):
            found = torch.autograd.grad(
                output[i].sum(), [p for p in network.parameters() if p.dim() >= 2],
                retain_graph=True, allow_unused=True, materialize_grads=True,
            )  # fmt: skip
            rows.append(torch.cat([g.flatten() for g in found]).double())
    values = torch.linalg.eigvalsh(torch.stack(rows) @ torch.stack(rows).T)
    assert ntk(network, *batch, loss) == pytest.approx(-float(values[-1] / values[0]), rel=1e-2)


def test_ntk_of_more_examples_than_weights_is_refused() -> None:
    with pytest.raises(NasError, match="ntk is -inf: the kernel of the batch is singular"):
        ntk(nn.Linear(2, 2), torch.randn(6, 2), torch.zeros(6).long(), loss)


def test_the_baselines(network: nn.Module, batch: Batch) -> None:
    assert params(network, *batch, loss) == 4 * 27 + 8 + 5 * 37 + 20 + 18
    assert flops(network, *batch, loss) == 64 * 4 * 27 + 64 * 16 + 9 * 5 * 36 + 15

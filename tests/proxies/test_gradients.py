"""Gradients of single examples: together as one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.proxies import gradients
from nas.proxies.gradients import example_gradients, looped_gradients, loss_gradients
from nas.proxies.proxy import batch_statistics, weights

Batch = tuple[Tensor, Tensor]


def together(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    chunks = list(example_gradients(network, *batch, F.cross_entropy))
    return {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert torch.allclose(first[name], second[name], rtol=1e-4, atol=1e-6), name


def test_vectorised_gradients_are_those_of_the_loop(
    network: nn.Module, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with batch_statistics(network):
        expected = looped_gradients(network, *batch, F.cross_entropy)
        monkeypatch.setattr(gradients, "looped_gradients", None)  # it must not be needed
        found = together(network, batch)
    assert_equal(found, expected)
    assert found["first.weight"].shape == (6, 4, 3, 3, 3)
    assert found["first.weight"].abs().min() > 0
    assert not found["dead.weight"].any()


def test_the_loop_is_plain_autograd(network: nn.Module, batch: Batch) -> None:
    with batch_statistics(network):
        found = looped_gradients(network, *batch, F.cross_entropy)
        for i in range(6):
            value = F.cross_entropy(network(batch[0][i : i + 1]), batch[1][i : i + 1])
            [expected] = torch.autograd.grad(value, [network.second.weight])  # type: ignore[list-item]
            assert torch.allclose(found["second.weight"][i], expected, rtol=1e-4, atol=1e-7)


def test_the_size_of_chunks_does_not_matter(
    network: nn.Module, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with batch_statistics(network):
        expected = together(network, batch)
        monkeypatch.setattr(gradients, "CHUNK_BYTES", 4 * 700)
        assert len(list(example_gradients(network, *batch, F.cross_entropy))) > 1
        assert_equal(together(network, batch), expected)


class Branching(nn.Module):
    """Its way depends on values, which `vmap` cannot handle."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(x)
        return output * 2 if float(x.sum()) > 0 else output


def test_what_cannot_be_vectorised_is_looped() -> None:
    torch.manual_seed(0)
    network, batch = Branching(), (torch.randn(5, 4), torch.arange(5) % 3)
    assert_equal(together(network, batch), looped_gradients(network, *batch, F.cross_entropy))


def test_the_gradient_of_a_batch_is_the_mean_over_examples_without_batch_norm() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    batch = torch.randn(6, 4), torch.arange(6) % 3
    whole = loss_gradients(network, weights(network), *batch, F.cross_entropy)
    assert_equal(whole, {k: g.mean(0) for k, g in together(network, batch).items()})
    assert whole.keys() == {"0.weight", "2.weight"}  # no biases


def test_no_weights_no_gradients() -> None:
    assert (
        loss_gradients(nn.Flatten(), {}, torch.randn(2, 3), torch.arange(2), F.cross_entropy) == {}
    )

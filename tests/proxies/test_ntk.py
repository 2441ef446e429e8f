"""The kernel's condition number, whose gradients come in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.proxies import ntk as module
from nas.proxies.ntk import ntk
from nas.proxies.proxy import batch_statistics, logits, weights

Batch = tuple[Tensor, Tensor]


def plain(network: nn.Module, batch: Batch) -> float:
    """Return the value from all gradients at once, in double."""
    chosen = weights(network)
    with batch_statistics(network):
        sums = logits(network, chosen, batch[0]).flatten(1).sum(1)
        rows = [
            torch.cat([g.flatten() for g in gradients])
            for gradients in (
                torch.autograd.grad(
                    one, list(chosen.values()), retain_graph=True, allow_unused=True,
                    materialize_grads=True,
                ) for one in sums
            )
        ]  # fmt: skip
    values = torch.linalg.svdvals(torch.stack(rows).double())
    return -float((values[0] / values[-1]) ** 2)


@pytest.mark.parametrize("chunk", [1, 4 * 6 * 100, 4 * 6 * 300, 2**28])
def test_the_size_of_chunks_does_not_matter(
    network: nn.Module, batch: Batch, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    assert ntk(network, *batch, F.cross_entropy) == pytest.approx(plain(network, batch), rel=1e-3)


def test_on_a_batch_that_is_well_conditioned_it_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(300, 40), nn.ReLU(), nn.Linear(40, 40), nn.Linear(40, 3))
    batch = torch.randn(16, 300), torch.zeros(16).long()
    expected = plain(network, batch)
    for chunk in (1, 20_000, 300_000):
        monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
        assert ntk(network, *batch, F.cross_entropy) == pytest.approx(expected, rel=1e-5)


def test_the_gradients_are_never_there_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tensor that is made is larger than a chunk, though all gradients are ten times that."""
    network = nn.Sequential(*[nn.Linear(50, 50) for _ in range(20)])
    x, y = torch.randn(8, 50), torch.zeros(8).long()
    whole = 8 * sum(p.nbytes for p in network.parameters())
    chunk = whole // 10
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    with Largest() as largest:
        ntk(network, x, y, F.cross_entropy)
    assert 0 < largest.nbytes <= chunk


class Largest(torch.utils._python_dispatch.TorchDispatchMode):
    """Sees the size of every tensor that an operation returns."""

    nbytes = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        found = output if isinstance(output, (tuple, list)) else [output]
        sizes = [one.nbytes for one in found if isinstance(one, Tensor)]
        self.nbytes = max([self.nbytes, *sizes])
        return output


class Frozen(nn.Module):
    """It has an operation that cannot be differentiated for several rows at once."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = Doubled.apply(self.layer(x))
        return output


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * (2.0 if float(gradient.abs().sum()) >= 0 else 1.0)


def test_what_cannot_be_vectorised_is_looped() -> None:
    torch.manual_seed(0)
    network, batch = Frozen(), (torch.randn(4, 6), torch.zeros(4).long())
    assert ntk(network, *batch, F.cross_entropy) == pytest.approx(plain(network, batch), rel=1e-5)

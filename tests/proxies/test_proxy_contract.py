"""What every registered proxy must do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas import registry
from nas.errors import NasError
from nas.proxies.proxy import Proxy, finite

NAMES = list(registry.names("proxies"))
over_proxies = pytest.mark.parametrize("name", NAMES)
Batch = tuple[Tensor, Tensor]


def proxy(name: str) -> Proxy:
    return registry.get("proxies", name).factory


def score(name: str, network: nn.Module, batch: Batch) -> float:
    torch.manual_seed(0)
    return proxy(name)(network, *batch, F.cross_entropy)


def everything(network: nn.Module) -> dict[str, Any]:
    """Return all that a proxy could change."""
    return {
        "state": {k: v.clone() for k, v in network.state_dict().items()},
        "modes": {k: m.training for k, m in network.named_modules()},
        "grads": {k: p.grad for k, p in network.named_parameters()},
        "needs": {k: p.requires_grad for k, p in network.named_parameters()},
        "ids": {k: id(p) for k, p in network.named_parameters()},
        "types": {k: p.dtype for k, p in network.named_parameters()},
        "hooks": [
            len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
            for m in network.modules()
        ],
        "tracking": [getattr(m, "track_running_stats", None) for m in network.modules()],
        "forwards": ["forward" in vars(m) for m in network.modules()],
    }


def same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    states = before.pop("state"), after.pop("state")
    equal = all(torch.equal(states[0][k], states[1][k]) for k in states[0] | states[1])
    return equal and before == after


@over_proxies
def test_a_network_is_left_as_it_was(name: str, network: nn.Module, batch: Batch) -> None:
    before = everything(network)
    x = batch[0].clone()
    score(name, network, batch)
    assert same(before, everything(network))
    assert torch.equal(x, batch[0]) and not batch[0].requires_grad and batch[0].grad is None


@over_proxies
def test_a_network_that_raises_is_left_as_it_was(
    name: str, network: nn.Module, batch: Batch
) -> None:
    class Broken(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("broken")

    if name == "params":
        pytest.skip("it runs nothing")
    network.head = Broken(5, 3)
    before = everything(network)
    with pytest.raises(RuntimeError, match="broken"):
        score(name, network, batch)
    assert same(before, everything(network))


@over_proxies
def test_a_score_is_a_number_and_repeatable(name: str, network: nn.Module, batch: Batch) -> None:
    first = score(name, network, batch)
    assert type(first) is float
    assert first == score(name, network, batch)
    assert first == score(name, copy.deepcopy(network), batch)


@over_proxies
def test_neither_modes_nor_statistics_matter(name: str, network: nn.Module, batch: Batch) -> None:
    """Nor does dropout: what is random in training is off."""
    expected = score(name, network, batch)
    network.eval()
    network.norm.running_mean += 5  # type: ignore[operator]
    network.norm.running_var *= 3  # type: ignore[operator]
    assert score(name, network, batch) == expected
    network.train()
    assert score(name, network, batch) == expected


@over_proxies
def test_without_gradients_enabled_too(name: str, network: nn.Module, batch: Batch) -> None:
    expected = score(name, network, batch)
    with torch.no_grad():
        assert score(name, network, batch) == expected


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("params", "flops", "zen")])
def test_weights_that_are_not_numbers_are_an_error(
    name: str, network: nn.Module, batch: Batch
) -> None:
    with torch.no_grad():
        network.first.weight[0, 0, 0, 0] = float("nan")  # type: ignore[index]
    with pytest.raises((NasError, RuntimeError)):
        score(name, network, batch)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_only_finite_scores(value: float) -> None:
    with pytest.raises(NasError, match=r"^snip is .*: too large$"):
        finite(value, "snip", "too large")
    assert finite(torch.tensor(2.5), "snip") == 2.5


@over_proxies
def test_vectors_are_scored_too(name: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 3))
    assert type(score(name, network, (torch.randn(5, 7), torch.arange(5) % 3))) is float


@over_proxies
def test_an_auxiliary_head_does_not_count(name: str, network: nn.Module, batch: Batch) -> None:
    class WithHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.auxiliary_head = nn.Linear(192, 3)

        def forward(self, x: Tensor) -> Any:
            if not self.training:
                return self.network(x), None
            return self.network(x), self.auxiliary_head(x.flatten(1))

    if name == "zen":
        pytest.skip("its weights are drawn, in the order of parameters")
    assert score(name, WithHead(), batch) == score(name, network, batch)

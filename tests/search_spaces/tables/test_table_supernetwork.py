"""The shared network on a table: slices, mixtures and their gradients, against plain references."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.mutables.supernet import Supernet
from nas.search_spaces.tables.supernetwork import plain_settings
from nas.search_spaces.tabular import Tabular
from nas.task import TaskInfo

SPACE = Tabular()
MIXED = TaskInfo((5,), 3, kind="table", categories=(0, 4, 0, 2, 7))
REST = "normalisation=layer;activation=gelu;dropout=0.0"


@pytest.fixture
def supernet() -> Supernet:
    torch.manual_seed(0)
    made = SPACE.supernet(MIXED).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made


def path_of(supernet: Supernet, text: str) -> dict[str, Any]:
    return dict(supernet.path(SPACE.parse(f"{text};{REST}")))


def batch() -> Tensor:
    x = MIXED.example(7)
    assert isinstance(x, Tensor)
    return x.double()


def weights_of(supernet: Supernet, gate: str, **options: float) -> Tensor:
    """Return weights of a gate by the names of options, 0 for the others."""
    choice: Any = supernet.network.choices[gate]
    names = [str(option) for option in choice.options]
    weights = torch.zeros(len(names), dtype=torch.double)
    for name, weight in options.items():
        weights[names.index(name.removeprefix("_"))] = weight
    return weights.requires_grad_()


# -- slices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("residual", ["yes", "no"])
def test_gradients_of_a_path_are_those_of_its_plain_network(
    supernet: Supernet, residual: str
) -> None:
    """In the slices that it uses; nothing else of the shared tensors gets any."""
    text = f"depth=2;width1=16;width2=24;residual={residual};embedding=4"
    path, x = path_of(supernet, text), batch()
    plain: Any = supernet.extract(SPACE.parse(f"{text};{REST}"))
    supernet(x, path).square().sum().backward()
    plain(x).square().sum().backward()
    shared: Any = supernet.network
    numbers = 2 + 3 * 4
    pairs = [
        (shared.columns.embedding.weight, plain.columns.embedding.weight, 13, 4),
        (shared.layers[0].linear.weight, plain.layers[0].linear.weight, 16, numbers),
        (shared.layers[1].linear.weight, plain.layers[1].linear.weight, 24, 16),
        (shared.classifier.weight, plain.classifier.weight, 3, 24),
    ]
    for wide, narrow, first, second in pairs:
        assert narrow.shape == (first, second)
        assert torch.equal(wide.data[:first, :second], narrow.data)
        assert torch.allclose(wide.grad[:first, :second], narrow.grad, atol=1e-10)
        assert wide.grad.abs().sum().item() == pytest.approx(narrow.grad.abs().sum().item())
    assert all(parameter.grad is None for parameter in shared.layers[2:].parameters())
    assert shared.layers[0].batch.weight.grad is None


def test_plain_settings() -> None:
    options = SPACE.options(SPACE.parse(f"depth=2;width1=16;width2=8;residual=yes;{REST}"))
    assert plain_settings(options) == {
        "widths": [16, 8], "embedding": 2, "residual": True, "normalisation": "layer",
        "activation": "gelu", "dropout": 0.0,
    }  # fmt: skip


# -- mixtures -------------------------------------------------------------------------------------

ONE = "depth=1;width1=16;embedding=4"


def hidden(supernet: Supernet, selection: dict[str, Any], x: Tensor) -> Tensor:
    """Return what the first layer gives."""
    network: Any = supernet.network
    with supernet.selected(selection):
        found: Tensor = network._layer(0, network._embedded(x))
    return found


@pytest.mark.parametrize(
    ("gate", "first", "second"),
    [("normalisation", "none", "layer"), ("activation", "tanh", "silu")],
)
def test_a_mixture_is_the_weighted_sum(
    supernet: Supernet, gate: str, first: str, second: str
) -> None:
    """Of activations; of normalisations before them."""
    x, path = batch(), path_of(supernet, ONE)
    path["activation"] = path["activation"] if gate == "activation" else _identity_like(supernet)
    choice: Any = supernet.network.choices[gate]
    parts = [
        hidden(supernet, {**path, gate: choice.options.index(name)}, x) for name in (first, second)
    ]
    weights = weights_of(supernet, gate, **{first: 0.3, second: 0.7})
    mixed = hidden(supernet, {**path, gate: weights}, x)
    if gate == "normalisation":
        parts, mixed = [part.atanh() for part in parts], mixed.atanh()
    assert torch.allclose(mixed, 0.3 * parts[0] + 0.7 * parts[1], atol=1e-7)


def _identity_like(supernet: Supernet) -> int:
    """Return the activation that can be undone."""
    choice: Any = supernet.network.choices["activation"]
    return int(choice.options.index("tanh"))


def test_a_mixture_of_widths_weighs_features_by_the_widths_that_have_them(
    supernet: Supernet,
) -> None:
    x, path = batch(), path_of(supernet, ONE)
    path["normalisation"] = 0  # none
    wide = hidden(supernet, {**path, **_width(supernet, 24)}, x)
    weights = weights_of(supernet, "width1", _8=0.2, _24=0.5)
    mixed = hidden(supernet, {**path, "width1": weights}, x)
    share = torch.tensor([0.7] * 8 + [0.5] * 16, dtype=torch.double)
    assert torch.allclose(mixed, wide * share, atol=1e-12)
    mixed.sum().backward()
    assert weights.grad is not None
    assert weights.grad[0].item() == pytest.approx(wide[:, :8].sum().item())
    assert weights.grad[2].item() == pytest.approx(wide.sum().item())


def _width(supernet: Supernet, width: int) -> dict[str, int]:
    choice: Any = supernet.network.choices["width1"]
    return {"width1": choice.options.index(width)}


def test_a_mixture_of_skips_adds_a_part_of_the_input(supernet: Supernet) -> None:
    x = batch()
    path = path_of(supernet, "depth=2;width1=16;width2=8;residual=no;embedding=4")
    weights = weights_of(supernet, "residual", no=0.6, yes=0.4)
    network: Any = supernet.network
    first = hidden(supernet, path, x)
    with supernet.selected(path):
        without = network._layer(1, first)
    with supernet.selected({**path, "residual": weights}):
        mixed = network._layer(1, first)
    assert torch.allclose(mixed, without + 0.4 * first[:, :8], atol=1e-12)

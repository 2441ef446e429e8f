"""Supernets of cells that are computed again in the backward pass."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.costs.measure import activation_bytes
from nas.mutables import Selection
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.supercell import SuperCell, SupercellOptions
from nas.search_spaces.cells.supernetworks import CellSupernetwork, DenseSupernetwork

CELL_OPERATIONS = (
    "none",
    "skip_connect",
    "max_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
)
DENSE_OPERATIONS = ("none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3")
OPTIONS: dict[str, dict[str, Any]] = {
    "usual": {},
    "plain": {"execution": "plain"},
    "partial": {"partial_channels": 2, "edge_gates": True},
}
Weights = Mapping[str, Selection]


def cell_supernet(checkpoint: bool, layers: int = 4, **options: Any) -> Supernet:
    chosen = SupercellOptions(CELL_OPERATIONS, pool_norm=True, **options)
    network = CellSupernetwork(2, chosen, 1, 8, 3, 4, layers, "cifar", checkpoint=checkpoint)
    return Supernet(network, lambda _: {})


def dense_supernet(checkpoint: bool, cells: int = 2, **options: Any) -> Supernet:
    chosen = SupercellOptions(DENSE_OPERATIONS, **options)
    return Supernet(DenseSupernetwork(chosen, 1, 3, 4, cells, checkpoint=checkpoint), lambda _: {})


Make = Callable[..., Supernet]
BOTH = pytest.mark.parametrize("make", [cell_supernet, dense_supernet])


def pair(make: Make, **options: Any) -> tuple[Supernet, Supernet]:
    """Return the same supernet without and with recomputation."""
    torch.manual_seed(0)
    usual, again = make(False, **options).double(), make(True, **options).double()
    again.load_state_dict(usual.state_dict())
    return usual, again


def images(dtype: torch.dtype = torch.float64, size: int = 8) -> Tensor:
    return torch.randn(4, 1, size, size, generator=torch.Generator().manual_seed(1)).to(dtype)


def mixture(supernet: Supernet, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    logits = (torch.randn(len(g.options), generator=generator) for g in supernet.gates.values())
    rows = (row.softmax(0).to(dtype).requires_grad_() for row in logits)
    return dict(zip(supernet.gates, rows, strict=True))


def one_hot(supernet: Supernet) -> dict[str, Tensor]:
    """Return one-hot weights over edges, of another option on each."""
    weights = mixture(supernet)
    for at, (name, gate) in enumerate(supernet.gates.items()):
        if gate.choose == 1 and len(gate.options) == len(CELL_OPERATIONS):
            hot = torch.eye(len(gate.options), dtype=torch.float64)[at % len(gate.options)]
            weights[name] = hot.requires_grad_()
    return weights


def path(supernet: Supernet) -> dict[str, Selection]:
    return {
        name: tuple(range(gate.choose)) if "<-" not in name else 1 + at % (len(gate.options) - 1)
        for at, (name, gate) in enumerate(supernet.gates.items())
    }


def step(supernet: Supernet, weights: Weights, x: Tensor) -> dict[str, Tensor]:
    """Make a forward and a backward pass; return all that it gave and changed."""
    output = supernet(x, weights)
    (output.float() ** 2).mean().backward()
    found = {"output": output.detach()}
    found |= {f"{n}'": p.grad for n, p in supernet.named_parameters() if p.grad is not None}
    gates = {n: w for n, w in weights.items() if isinstance(w, Tensor) and w.grad is not None}
    found |= {f"gate {name}": weight.grad for name, weight in gates.items()}  # type: ignore[misc]
    return found | dict(supernet.named_buffers())


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-12, msg=name)


# -- the same numbers -----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("select", [mixture, one_hot, path])
def test_a_step_gives_the_same(
    make: Make, options: dict[str, Any], select: Callable[[Supernet], Weights]
) -> None:
    usual, again = pair(make, **options)
    for _ in range(2):  # the second with running statistics that have moved
        expected = step(usual, select(usual), images())
        found = step(again, select(again), images())
    assert any(name.startswith("network.cells") and name.endswith("'") for name in expected)
    assert_equal(found, expected)


@BOTH
def test_a_step_of_the_gates_gives_the_same(make: Make) -> None:
    """Weights take no part in it."""
    usual, again = pair(make)
    results = []
    for supernet in (usual, again):
        supernet.requires_grad_(False)
        results.append(step(supernet, mixture(supernet), images()))
    expected, found = results
    assert sum(name.startswith("gate ") for name in expected) == len(usual.gates)
    assert not any(name.endswith("'") for name in expected)
    assert_equal(found, expected)


@BOTH
def test_only_gates_of_a_graph_with_weights(make: Make) -> None:
    """A solver may ask for gradients twice: of gates, then of weights."""
    results = []
    for supernet in pair(make):
        weights, parameters = mixture(supernet), list(supernet.parameters())
        loss = (supernet(images(), weights) ** 2).mean()
        gates = torch.autograd.grad(loss, list(weights.values()), retain_graph=True)
        rest = torch.autograd.grad(loss, parameters, allow_unused=True)
        every = enumerate((*gates, *rest))
        results.append({str(i): gradient for i, gradient in every if gradient is not None})
        results[-1] |= dict(supernet.named_buffers())
    assert_equal(results[1], results[0])


@BOTH
def test_bfloat16_gives_the_same(make: Make) -> None:
    results = []
    for supernet in pair(make):
        supernet.float()
        with torch.autocast("cpu", torch.bfloat16):
            weights = mixture(supernet, torch.float32)
            loss = supernet(images(torch.float32), weights).float().square().mean()
        loss.backward()  # outside of autocast, as PyTorch recommends
        gradients = {name: p.grad for name, p in supernet.named_parameters() if p.grad is not None}
        gates = {name: weight.grad for name, weight in weights.items() if weight.grad is not None}
        results.append(gradients | gates | dict(supernet.named_buffers()))
    for name, value in results[0].items():
        assert torch.equal(results[1][name], value), name


@BOTH
@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_batch_counts_once_for_batch_norm(make: Make, momentum: float | None) -> None:
    """Of averages over all batches (momentum None) the count is part."""
    usual, again = pair(make)
    for supernet in (usual, again):
        for layer in supernet.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = momentum
        step(supernet, mixture(supernet), images())
    assert_equal(dict(again.named_buffers()), dict(usual.named_buffers()))
    counts = [t for n, t in again.named_buffers() if n.endswith("num_batches_tracked")]
    assert max(int(count.max()) for count in counts) == 1
    norms = [layer for layer in again.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(layer.momentum == momentum for layer in norms)


@BOTH
def test_random_numbers_stay_as_they_are(make: Make) -> None:
    states = []
    for supernet in pair(make):
        torch.manual_seed(3)
        step(supernet, mixture(supernet), images())
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


@BOTH
def test_a_selection_ends_with_its_pass(make: Make) -> None:
    """The backward pass sees what was selected, though another pass came in between."""
    usual, again = pair(make)
    results = []
    for supernet in (usual, again):
        weights = mixture(supernet)
        output = supernet(images(), weights)
        with torch.no_grad():
            supernet.eval()(images(), path(supernet))
        supernet.train()
        (output**2).mean().backward()
        results.append({n: w.grad for n, w in weights.items() if w.grad is not None})
    assert_equal(results[1], results[0])


# -- what differs ---------------------------------------------------------------------------------


@BOTH
def test_names_are_the_same(make: Make) -> None:
    usual, again = pair(make)
    assert list(usual.state_dict()) == list(again.state_dict())
    assert usual.gates == again.gates
    twin = copy.deepcopy(again)
    assert_equal(step(twin, mixture(twin), images()), step(again, mixture(again), images()))


@pytest.mark.parametrize(
    ("make", "deep"),
    [(cell_supernet, {"layers": 6}), (dense_supernet, {"cells": 3})],
)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_less_is_kept(make: Make, deep: dict[str, int], options: dict[str, Any]) -> None:
    usual, again = pair(make, **deep, **options)
    kept = [
        activation_bytes(
            lambda net=supernet: net(images(size=16), mixture(net)),  # type: ignore[misc]
            [*supernet.parameters(), *supernet.buffers()],
        )
        for supernet in (usual, again)
    ]
    assert 0 < kept[1] < kept[0] / 3


@BOTH
@pytest.mark.parametrize(
    ("training", "gradients", "runs"), [(True, True, 2), (False, True, 1), (True, False, 1)]
)
def test_cells_run_again_for_training_only(
    make: Make, training: bool, gradients: bool, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[nn.Module] = []
    forward = SuperCell.forward

    def counted(cell: SuperCell, *inputs: Tensor) -> list[Tensor]:
        ran.append(cell)
        return forward(cell, *inputs)

    monkeypatch.setattr(SuperCell, "forward", counted)
    _, again = pair(make)
    again.train(training)
    with torch.set_grad_enabled(gradients):
        output = again(images(), path(again))
    if gradients:
        output.sum().backward()
    assert set(Counter(ran).values()) == {runs}

"""Whole supernets of cells: the fused execution gives what the plain one gives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import nas
from nas.errors import NasError
from nas.evaluators.supernet import recalibrate, use_batch_statistics
from nas.mutables import Selection, executed
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.supercell import SuperCell
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import SearchSpace
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import DifferentiableStrategy
from nas.task import TaskInfo


class Own(DARTS):
    """A user's space: other candidates in another order, one of them without a fused form."""

    name = "own"
    nodes = 3
    operations = (
        "sep_conv_5x5",
        "conv_7x1_1x7",
        "max_pool_3x3",
        "sep_conv_3x3",
        "nor_conv_3x3",
        "skip_connect",
        "dil_conv_3x3",
    )
    candidates = ("none", *operations)


SPACES: dict[str, tuple[type[SearchSpace], dict[str, int]]] = {
    "darts": (DARTS, {"channels": 4, "layers": 3}),
    "nas-bench-201": (NASBench201, {"channels": 4, "cells": 1}),
    "own": (Own, {"channels": 4, "layers": 3}),
}
CHANNELS: dict[str, dict[str, Any]] = {
    "all channels": {},
    "partial channels": {"partial_channels": 2, "edge_gates": True, "affine": True},
}
TASK = TaskInfo((2, 8, 8), 3)
EVERY_SPACE = pytest.mark.parametrize("name", SPACES)
EVERY_NETWORK = pytest.mark.parametrize("channels", CHANNELS)


@cache
def _made(name: str, channels: str) -> tuple[Supernet, Supernet, dict[str, Tensor]]:
    space, size = SPACES[name]
    torch.manual_seed(0)
    options = size | CHANNELS[channels]
    fused, plain = (
        space().supernet(TASK, execution=execution, **options).double()
        for execution in ("fused", "plain")
    )
    with torch.no_grad():
        for parameter_or_buffer, tensor in fused.state_dict().items():
            if tensor.ndim == 1 and tensor.is_floating_point():
                start = -0.5 if parameter_or_buffer.endswith(("bias", "mean")) else 0.5
                tensor.uniform_(start, start + 1.0)
    return fused, plain, copy.deepcopy(fused.state_dict())


def pair(name: str, channels: str) -> tuple[Supernet, Supernet]:
    """Return a supernet in both executions, fused first, with the same weights.

    Making them takes longer than running them, so that they are made once.
    """
    fused, plain, start = _made(name, channels)
    for supernet in (fused, plain):
        supernet.double().train().zero_grad()
        supernet.load_state_dict(start)
    return fused, plain


def images(size: int = 8, batch: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 2, size, size, generator=generator, dtype=torch.float64)


# -- selections -----------------------------------------------------------------------------------

Weights = dict[str, Selection]
Select = Callable[[Supernet, int], Weights]


def mixture(supernet: Supernet, seed: int) -> Weights:
    """Draw weights for all options."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (0.1 + torch.rand(len(gate.options), generator=generator)).double().requires_grad_()
        for name, gate in supernet.gates.items()
    }


def with_zeros(supernet: Supernet, seed: int) -> Weights:
    """Draw weights of which about half are zero, and a few negative."""
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, gate in supernet.gates.items():
        row = torch.rand(len(gate.options), generator=generator) - 0.2
        keep = torch.rand(len(gate.options), generator=generator) < 0.5
        weights[name] = (row * keep).double().requires_grad_()
    return weights


def path(supernet: Supernet, seed: int) -> Weights:
    """Draw any option of every gate: more edges run than an architecture has."""
    rng = np.random.default_rng(seed)
    drawn = (
        rng.choice(len(gate.options), gate.choose, replace=False)
        for gate in supernet.gates.values()
    )
    ordered = (tuple(sorted(int(i) for i in indices)) for indices in drawn)
    return {
        name: indices if supernet.gates[name].choose > 1 else indices[0]
        for name, indices in zip(supernet.gates, ordered, strict=True)
    }


def one_hot(supernet: Supernet, seed: int) -> Weights:
    return as_weights(supernet, path(supernet, seed))


def as_weights(supernet: Supernet, path: Mapping[str, Selection]) -> Weights:
    """Write a path with ones and zeros."""
    weights: Weights = {}
    for name, indices in executed(path).items():
        row = torch.zeros(len(supernet.gates[name].options), dtype=torch.float64)
        row[list(indices)] = 1.0
        weights[name] = row.requires_grad_()
    return weights


def mixed(supernet: Supernet, seed: int) -> Weights:
    """Take every third gate from a path and the others from weights."""
    indices, weights = path(supernet, seed), with_zeros(supernet, seed)
    for name in list(weights)[seed % 3 :: 3]:
        weights[name] = indices[name]
    return weights


SELECTIONS: tuple[Select, ...] = (mixture, with_zeros, one_hot, path, mixed)
EVERY_SELECTION = pytest.mark.parametrize("select", SELECTIONS)


# -- one pass and what it gives -------------------------------------------------------------------


def step(supernet: Supernet, weights: Weights, x: Tensor) -> dict[str, Tensor]:
    """Make a forward and a backward pass; return all that it gave and changed.

    A gradient of None counts as zero.
    """
    supernet.zero_grad()
    x = x.clone().requires_grad_()
    tensors = {n: w.detach().clone().requires_grad_() for n, w in weights.items() if is_tensor(w)}
    output = supernet(x, {**weights, **tensors})
    (
        output * torch.linspace(-1.0, 2.0, output.numel()).view(output.shape).to(output)
    ).sum().backward()
    found = {"output": output.detach()}
    for name, tensor in {"input": x, **tensors, **dict(supernet.named_parameters())}.items():
        found[f"{name}'"] = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
    return found | statistics(supernet)


def is_tensor(selection: Any) -> bool:
    return isinstance(selection, Tensor)


def statistics(network: nn.Module) -> dict[str, Tensor]:
    """Return batch norm's running averages; counts are needed for averages over all alone."""
    counts = "num_batches_tracked"
    return {n: b.clone() for n, b in network.named_buffers() if not n.endswith(counts)}


def assert_equal(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float = 1e-9
) -> None:
    """Compare relatively to the largest number of every tensor."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        difference = (found[name] - value).abs().max()
        allowed = tolerance * value.abs().max() + 1e-3 * tolerance
        assert difference <= allowed, f"{name}: {difference} of {value.abs().max()}"


# -- the same numbers -----------------------------------------------------------------------------


@EVERY_SPACE
@EVERY_NETWORK
@EVERY_SELECTION
def test_training_steps_are_equal(name: str, channels: str, select: Select) -> None:
    fused, plain = pair(name, channels)
    sizes = (8, 7) if channels == "all channels" else (7, 4)  # 7 cannot be split by parity
    for at, size in enumerate(sizes):
        weights, x = select(fused, at), images(size, seed=at)
        assert_equal(step(fused, weights, x), step(plain, weights, x))


@EVERY_SPACE
@EVERY_NETWORK
@EVERY_SELECTION
def test_evaluation_is_equal(name: str, channels: str, select: Select) -> None:
    fused, plain = pair(name, channels)
    before = statistics(fused.eval())
    weights, x = select(plain.eval(), 10), images(8 if channels == "all channels" else 7)
    assert_equal(step(fused, weights, x), step(plain, weights, x))
    assert_equal(statistics(fused), before, 0.0)


@EVERY_SPACE
@EVERY_NETWORK
@pytest.mark.parametrize(("select", "same"), [(with_zeros, False), (path, True)])
def test_recalibrated_statistics_are_equal(
    name: str, channels: str, select: Select, same: bool
) -> None:
    """Averages over all batches, of one candidate or of one that changes from batch to batch."""
    supernets = pair(name, channels)
    weights = [select(supernets[0], 0 if same else at) for at in range(3)]
    for supernet in supernets:
        upcoming = iter(weights)

        def run(x: Tensor, supernet: Supernet = supernet, upcoming: Any = upcoming) -> None:
            supernet(x, next(upcoming))

        recalibrate(supernet, run, [images(7, seed=at) for at in range(3)])
    fused, plain = supernets
    assert_equal(statistics(fused), statistics(plain))
    with torch.no_grad():
        found, expected = (net(images(7, seed=9), weights[0]) for net in supernets)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@EVERY_SPACE
@EVERY_NETWORK
def test_statistics_of_each_batch_in_evaluation_are_equal(name: str, channels: str) -> None:
    """Candidates may be scored with batch norm alone in training mode."""
    fused, plain = pair(name, channels)
    for supernet in (fused, plain):
        use_batch_statistics(supernet)
    weights, x = mixed(fused, 0), images(4)
    assert_equal(step(fused, weights, x), step(plain, weights, x))


@EVERY_SPACE
@EVERY_NETWORK
@pytest.mark.parametrize("dense", [True, False])
def test_dense_and_depthwise_kernels_are_equal(
    name: str, channels: str, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them is faster depends on the number of channels."""
    monkeypatch.setattr("nas.search_spaces.cells.separable.dense_pays", lambda x, stride: dense)
    fused, plain = pair(name, channels)
    weights, x = mixture(fused, 5), images(8)
    assert_equal(step(fused, weights, x), step(plain, weights, x))


@EVERY_SPACE
@EVERY_NETWORK
def test_one_operation_alone_is_equal(name: str, channels: str) -> None:
    """Every operation in turn, on a few edges, with a weight."""
    fused, plain = pair(name, channels)
    options = len(next(g.options for n, g in fused.gates.items() if "<-" in n))
    few = ("/3<-0",) if name == "nas-bench-201" else ("/2<-1", "/4<-1")
    for option in range(1, options):
        weights: Weights = {}
        for gate, description in fused.gates.items():
            hot = 0.5 * torch.eye(options, dtype=torch.float64)[option if gate.endswith(few) else 0]
            weights[gate] = hot if "<-" in gate else tuple(range(description.choose))
        for training in (True, False):
            x = images(8, seed=option)
            fused.train(training)
            plain.train(training)
            assert_equal(step(fused, weights, x), step(plain, weights, x))


# -- other precisions -----------------------------------------------------------------------------


def as_float32(weights: Weights) -> Weights:
    return {n: w.float() if isinstance(w, Tensor) else w for n, w in weights.items()}


def difference(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], ending: str) -> float:
    """Return the relative difference of all tensors of a kind together."""
    assert found.keys() == expected.keys()
    names = [name for name in expected if name.endswith(ending)]
    one, other = (
        torch.cat([tensors[name].flatten().float() for name in names])
        for tensors in (found, expected)
    )
    assert one.isfinite().all()
    return float((one - other).norm() / (other.norm() + 1e-12))


@EVERY_SPACE
@EVERY_NETWORK
def test_float32_is_equal_to_its_precision(name: str, channels: str) -> None:
    fused, plain = (supernet.float() for supernet in pair(name, channels))
    weights, x = as_float32(mixture(fused, 3)), images(8, batch=8).float()
    found, expected = step(fused, weights, x), step(plain, weights, x)
    assert found["output"].dtype == torch.float32
    for kind in ("output", "'", "<-0'", "running_mean", "running_var"):
        assert difference(found, expected, kind) < 1e-4, kind


@EVERY_SPACE
@EVERY_NETWORK
def test_bfloat16_is_roughly_equal(name: str, channels: str) -> None:
    """It keeps 8 bits; gradients through many normalised layers lose some more."""
    again = copy.deepcopy(pair(name, channels)[0]).float()
    weights, x = as_float32(mixture(again, 3)), images(8, batch=8).float()
    expected = step(pair(name, channels)[0].float(), weights, x)
    with torch.autocast("cpu", torch.bfloat16):
        found = step(again, weights, x)
    assert {n: t.dtype for n, t in found.items() if n.endswith(("'", "mean", "var"))} == {
        n: torch.float32 for n in expected if n.endswith(("'", "mean", "var"))
    }
    assert difference(found, expected, "output") < 0.1
    assert difference(found, expected, "running_mean") < 0.03
    assert difference(found, expected, "running_var") < 0.03
    assert difference(found, expected, "'") < 0.4


# -- what runs ------------------------------------------------------------------------------------


class Convolutions(TorchDispatchMode):
    """Count what convolutions compute, and how often gradients of their weights are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = self.of_weights = self.of_inputs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        y = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            self.outputs += y.numel()
        elif func is torch.ops.aten.convolution_backward.default:
            self.of_inputs += args[-1][0]
            self.of_weights += args[-1][1]
        return y


@pytest.fixture
def depthwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run separable convolutions as they are, rather than as dense ones."""
    monkeypatch.setattr("nas.search_spaces.cells.separable.dense_pays", lambda x, stride: False)


def computed(network: nn.Module, *inputs: Any) -> int:
    with torch.no_grad(), Convolutions() as convolutions:
        network(*inputs)
    return convolutions.outputs


@EVERY_SPACE
@EVERY_NETWORK
@pytest.mark.parametrize("select", [with_zeros, one_hot, path])
def test_no_more_is_computed(name: str, channels: str, select: Select, depthwise: None) -> None:
    """Numbers that all convolutions give, together, are those of the selected operations."""
    fused, plain = pair(name, channels)
    weights, x = select(fused, 1), images(4)
    assert computed(fused, x, weights) == computed(plain, x, weights)


@EVERY_SPACE
@EVERY_NETWORK
def test_a_path_computes_what_its_network_computes(
    name: str, channels: str, depthwise: None
) -> None:
    fused, _ = pair(name, channels)
    x, rng = images(4), np.random.default_rng(0)
    [architecture] = SPACES[name][0]().sample(rng, 1)
    path = fused.path(architecture)
    expected = computed(fused.extract(architecture), x)
    assert computed(fused, x, path) == computed(fused, x, as_weights(fused, path)) == expected


def cells(supernet: Supernet) -> list[tuple[str, SuperCell]]:
    """Return all cells, each with what the names of its gates begin with."""
    found = [cell for cell in supernet.modules() if isinstance(cell, SuperCell)]
    labels = (cell.gates.edge(cell.gates.order[0]).label or "" for cell in found)
    return [(label.split("/")[0], cell) for label, cell in zip(labels, found, strict=True)]


def operations(supernet: Supernet) -> Iterator[tuple[str, str, int, dict[str, Tensor]]]:
    """Yield, for every operation on every edge, its gates, its place and its tensors."""
    for kind, cell in cells(supernet):
        for (target, source), gate in product(cell.gates.order, range(len(cell.gates.operations))):
            state = cell.edge_state(target, source, cell.gates.operations[gate])
            yield f"{kind}/{target}<-{source}", f"{kind}/{target}", gate, state


@EVERY_SPACE
@EVERY_NETWORK
@pytest.mark.parametrize("select", [with_zeros, path])
def test_weights_that_are_not_selected_are_not_read(
    name: str, channels: str, select: Select
) -> None:
    """Whatever meets a number that is not one turns into none."""
    fused, _ = pair(name, channels)
    spoilt, weights, x = copy.deepcopy(fused), select(fused, 1), images(8)
    runs, spoiled = executed(weights), 0
    for edge, node, option, state in operations(spoilt):
        source = int(edge.partition("<-")[2])
        if option not in runs[edge] or source not in runs.get(node, (source,)):
            tensors = [t for n, t in state.items() if n.endswith("weight") and t.ndim == 4]
            spoiled += len(tensors)
            for tensor in tensors:
                tensor.detach().fill_(torch.nan)
    assert spoiled
    assert_equal(step(spoilt, weights, x), step(fused, weights, x))


# -- a strategy's steps ---------------------------------------------------------------------------


class Classification:
    """Cross entropy and the number of right predictions."""

    def loss(self, output: Any, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target)

    def correct(self, output: Any, target: Tensor) -> int:
        return int((output.argmax(1) == target).sum())


def strategy_of(supernet: Supernet, **settings: Any) -> DifferentiableStrategy:
    torch.manual_seed(0)  # of the logits' start
    chosen = DifferentiableSettings(gate_lr=0.1, **settings)
    strategy = DifferentiableStrategy(chosen, supernet, Classification())
    strategy.begin_epoch(0)
    return strategy


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    return images(8, batch=6, seed=seed).float(), torch.arange(6) % 3


@EVERY_SPACE
@EVERY_NETWORK
def test_a_gate_step_computes_no_gradient_of_weights(name: str, channels: str) -> None:
    supernet = pair(name, channels)[0].float()
    strategy = strategy_of(supernet)
    gates = list(strategy.logits.values())
    with strategy.fixed_weights(), Convolutions() as convolutions:
        loss, _ = strategy.gate_loss(batch())
        found = torch.autograd.grad(loss, gates)
    assert convolutions.of_weights == 0
    assert convolutions.of_inputs or channels == "all channels"
    assert all(weight.requires_grad and weight.grad is None for weight in supernet.parameters())
    loss, _ = strategy.gate_loss(batch())
    with Convolutions() as convolutions:
        loss.backward()
    assert convolutions.of_weights  # what the step leaves out
    for gradient, gate in zip(found, gates, strict=True):
        torch.testing.assert_close(gradient, gate.grad, rtol=1e-4, atol=1e-6)


@EVERY_SPACE
@pytest.mark.parametrize("execution", [0, 1], ids=["fused", "plain"])
def test_a_weight_step_follows_the_gradient(name: str, execution: int) -> None:
    """Whatever memory the gradient of a kernel comes in (channels last, from convolutions)."""
    supernet = pair(name, "partial channels")[execution].float()
    other = copy.deepcopy(supernet)
    strategy_of(supernet, weight_decay=0.01, grad_clip=1.0).weight_step(batch())
    strategy = strategy_of(other)
    optimizer = torch.optim.SGD(other.parameters(), 0.025, momentum=0.9, weight_decay=0.01)
    for weight in other.parameters():
        weight.grad = torch.zeros_like(weight)
    strategy.forward(batch(), detach=True)[1].backward()
    nn.utils.clip_grad_norm_(other.parameters(), 1.0)
    optimizer.step()
    for (weight_name, found), expected in zip(
        supernet.named_parameters(), other.parameters(), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, msg=weight_name)


@pytest.mark.parametrize("solver", ["first-order", "second-order"])
@pytest.mark.parametrize("name", ["darts", "own"])
def test_steps_keep_kernels_at_their_sizes(name: str, solver: str) -> None:
    """Of kernels stored with larger ones all but the operation's own numbers stay zero."""
    fused, _ = (supernet.float() for supernet in pair(name, "partial channels"))
    strategy = strategy_of(fused, solver=solver, weight_lr=0.1, weight_decay=0.01)
    before = {name: tensor.clone() for name, tensor in fused.named_parameters()}
    for seed in range(2):
        strategy.step(batch(seed), batch(seed + 5))
    stored = {n: p for n, p in fused.named_parameters() if ".banks." in n}
    kernels = [n for n in stored if n.endswith("depthwise")]
    assert kernels and all((stored[n] != before[n]).any() for n in kernels)
    used = sum(
        tensor.count_nonzero()
        for *_, state in operations(fused)
        for name, tensor in state.items()
        if name.endswith(("weight", "bias"))
    )
    assert sum(p.count_nonzero() for p in stored.values()) == used


def test_few_tensors() -> None:
    """An optimiser's step takes time for every tensor."""
    supernet = DARTS().supernet(TaskInfo((3, 32, 32), 10), channels=16, layers=8)
    assert len(list(supernet.parameters())) < 400


# -- a whole search -------------------------------------------------------------------------------


@pytest.fixture
def double() -> Iterator[None]:
    """Make logits in double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@EVERY_SPACE
@pytest.mark.parametrize(
    ("channels", "solver", "relaxation"),
    [
        ("all channels", "second-order", "softmax"),
        ("partial channels", "first-order", "gumbel-hard"),
    ],
)
def test_steps_of_a_strategy_are_equal(
    name: str, channels: str, solver: str, relaxation: str, double: None
) -> None:
    """Gates and weights stay the same, and what is derived from them."""
    results = []
    for supernet in pair(name, channels):
        settings = {"solver": solver, "relaxation": relaxation, "weight_lr": 0.1}
        strategy = strategy_of(supernet, **settings)
        for at in range(2):
            torch.manual_seed(at)
            strategy.step(
                (images(7, 6, at), torch.arange(6) % 3), (images(7, 6), torch.ones(6).long())
            )
        derived = SPACES[name][0]().derive(strategy.scores())
        tensors = dict(supernet.named_parameters()) | strategy.logits | statistics(supernet)
        results.append((derived, {name: tensor.detach() for name, tensor in tensors.items()}))
    (found, tensors), (expected, others) = results
    assert found == expected
    assert_equal(tensors, others, 1e-7)


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("darts", "darts"),
        ("darts", "pc-darts"),
        ("nas-bench-201", "darts"),
        ("nas-bench-201", "pc-darts"),
        ("nas-bench-201", "gdas"),
    ],
)
def test_a_search_ends_in_the_same_architecture(
    name: str, strategy: str, tmp_path: Path, tiny_npz: Path, no_report: None
) -> None:
    runs = [
        nas.search(
            name,
            strategy,
            f"npz:{tiny_npz}",
            device="cpu",
            out=tmp_path / execution,
            settings={
                "supernet": SPACES[name][1] | {"execution": execution},
                "strategy": {"epochs": 2, "batch_size": 10, "gate_travel": 1.0},
            },
        )
        for execution in ("fused", "plain")
    ]
    fused, plain = runs
    assert fused.best.architecture == plain.best.architecture
    figures = ("train_loss", "valid_loss", "loss")
    found, expected = (
        [[event[name] for name in figures if name in event] for event in run.events()]
        for run in runs
    )
    assert len(found) == len(expected) == 4  # two epochs, a trial, the end
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=0.02)  # steps of gates enlarge what is rounded


# -- settings -------------------------------------------------------------------------------------


@EVERY_SPACE
def test_an_execution_that_there_is_not(name: str) -> None:
    with pytest.raises(NasError) as error:
        SPACES[name][0]().supernet(TASK, execution="fussed")
    assert str(error.value) == (
        "unknown supernet.execution 'fussed'. Did you mean 'fused'? Allowed: fused, plain."
    )


@EVERY_SPACE
def test_supernets_are_fused_unless_told(name: str) -> None:
    space, size = SPACES[name]
    supernet = space().supernet(TASK, **size)
    assert {cell.options.execution for _, cell in cells(supernet)} == {"fused"}

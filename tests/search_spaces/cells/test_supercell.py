"""Cells in which every edge is a choice: what runs, what is weighted, what is left.

That both executions give the same for whole networks is in `test_fused.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nas.errors import NasError
from nas.mutables import Mutable, Selection, collapse
from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.gates import CellGates, selecting
from nas.search_spaces.cells.operations import PartialChannels
from nas.search_spaces.cells.supercell import SuperCell, SupercellOptions
from nas.search_spaces.cells.supernetworks import DenseSuperCell, StackedSuperCell

SIMPLE = ("none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1")
EVERY = (
    "nor_conv_3x3", "sep_conv_5x5", "max_pool_3x3", "none", "conv_7x1_1x7", "sep_conv_3x3",
    "skip_connect", "dil_conv_3x3", "dil_conv_5x5",
)  # fmt: skip
EXECUTIONS = ("fused", "plain")
BOTH = pytest.mark.parametrize("execution", EXECUTIONS)
X = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Alone(nn.Module):
    """A cell of one or two inputs, run on x and 10 x."""

    def __init__(self, cell: SuperCell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        with selecting([self.cell.gates], x):
            return self.cell(*(x, 10 * x)[: self.cell.inputs])


def make(
    operations: tuple[str, ...] = SIMPLE,
    execution: str = "fused",
    *,
    kind: type[SuperCell] = StackedSuperCell,
    inputs: int = 2,
    nodes: int = 1,
    channels: int = 4,
    reduction: bool = False,
    **options: Any,
) -> Alone:
    torch.manual_seed(0)
    chosen = SupercellOptions(operations, execution=execution, **options)
    keep = [min(2, inputs + i) for i in range(nodes)] if chosen.edge_gates else None
    gates = CellGates("cell", operations, inputs, nodes, keep)
    return Alone(kind(gates, inputs, nodes, channels, reduction, chosen)).double()


def run(network: nn.Module, weights: Mapping[str, Selection], x: Tensor = X) -> Any:
    return Supernet(network, lambda _: {})(x, weights)


def edges(nodes: int, inputs: int = 2) -> list[tuple[int, int]]:
    return [(t, s) for t in range(inputs, inputs + nodes) for s in range(t)]


def every(network: Alone, option: int) -> dict[str, Selection]:
    """Select one option on every edge."""
    cell = network.cell
    return {f"cell/{t}<-{s}": option for t, s in edges(cell.nodes, cell.inputs)}


# -- what a cell computes -------------------------------------------------------------------------


@BOTH
def test_a_node_adds_its_edges(execution: str) -> None:
    network = make(execution=execution)
    output = run(network, {"cell/2<-0": 1, "cell/2<-1": 1})
    torch.testing.assert_close(output, 11 * X)
    assert torch.equal(run(network, {"cell/2<-0": 0, "cell/2<-1": 1}), 10 * X)


@BOTH
def test_nodes_see_nodes_before(execution: str) -> None:
    output = run(make(execution=execution, nodes=3), every(make(nodes=3), 1))
    torch.testing.assert_close(output, torch.cat([11 * X, 22 * X, 44 * X], dim=1))


@BOTH
def test_edges_of_weights(execution: str) -> None:
    weights: dict[str, Selection] = {
        "cell/2<-0": torch.tensor([0.5, 0.5, 0.0, 0.0]),
        "cell/2<-1": torch.tensor([0.9, 0.1, 0.0, 0.0]),
    }
    output = run(make(execution=execution), weights)
    torch.testing.assert_close(output, 1.5 * X, rtol=1e-6, atol=1e-6)


@BOTH
def test_a_gate_over_the_inputs(execution: str) -> None:
    network = make(execution=execution, edge_gates=True)
    both = every(network, 1)
    double = torch.float64
    for weights, factor in (((0.5, 0.1), 1.5), ((0.5, 0.0), 0.5), ((0.0, 0.5), 5.0)):
        output = run(network, {**both, "cell/2": torch.tensor(weights, dtype=double)})
        torch.testing.assert_close(output, factor * X)
    torch.testing.assert_close(run(network, {**both, "cell/2": (0, 1)}), 11 * X)
    assert torch.equal(run(network, {**both, "cell/2": (0,)}), X)


@BOTH
@pytest.mark.parametrize("options", [{}, {"partial_channels": 2}, {"edge_gates": True}])
@pytest.mark.parametrize(("reduction", "size"), [(False, 6), (True, 3)])
def test_a_node_without_edges_is_zero(
    options: dict[str, Any], reduction: bool, size: int, execution: str
) -> None:
    """Not even what would pass beside the operations is left."""
    network = make(execution=execution, reduction=reduction, **options)
    weights = every(network, 0) | ({"cell/2": (0, 1)} if "edge_gates" in options else {})
    output = run(network, weights)
    assert output.shape == (2, 4, size, size) and not output.any()
    hot = torch.tensor([1.0, 0.0, 0.0, 0.0])
    assert not run(network, {**weights, "cell/2<-0": hot, "cell/2<-1": hot}).any()


@BOTH
def test_a_node_without_edges_among_others(execution: str) -> None:
    """Its zeros have the resolution of the other nodes, and others may take them."""
    weights: dict[str, Selection] = {f"cell/2<-{s}": 2 for s in range(2)}
    weights |= {f"cell/3<-{s}": 0 for s in range(3)}
    weights |= {f"cell/4<-{s}": 0 for s in range(3)} | {"cell/4<-3": 3}
    output = run(make(execution=execution, nodes=3, reduction=True), weights)
    assert output.shape == (2, 12, 3, 3)
    assert output[:, :4].any() and not output[:, 4:].any()


@BOTH
@pytest.mark.parametrize("k", [2, 4])
def test_channels_pass_beside_operations(execution: str, k: int) -> None:
    """PC-DARTS, fig. 2: operations see the first channels, then channels are shuffled."""
    network = make(execution=execution, partial_channels=k)
    half = torch.zeros(4, dtype=torch.float64)
    half[1] = 0.5
    output = run(network, {"cell/2<-0": half, "cell/2<-1": 0})
    part = 4 // k
    seen = torch.cat([0.5 * X[:, :part], X[:, part:]], dim=1)
    expected = seen.unflatten(1, (k, part)).transpose(1, 2).flatten(1, 2)
    torch.testing.assert_close(output, expected)


@BOTH
def test_channels_that_pass_are_pooled_where_the_resolution_is_halved(execution: str) -> None:
    network = make(execution=execution, partial_channels=2, reduction=True)
    output = run(network, {"cell/2<-0": 2, "cell/2<-1": 0}, X[..., :5])
    pool = nn.MaxPool2d(2, 2, ceil_mode=True)
    assert torch.equal(output[:, 1::2], pool(X[:, 2:, :, :5]))


@BOTH
def test_pooling_with_batch_norm(execution: str) -> None:
    network = make(execution=execution, pool_norm=True)
    output = run(network, {"cell/2<-0": 2, "cell/2<-1": 0})
    assert output.mean((0, 2, 3)).abs().max() < 1e-9
    torch.testing.assert_close(output.var((0, 2, 3), correction=0), torch.ones(4).double(),
                               rtol=1e-3, atol=1e-3)  # fmt: skip


# -- both executions ------------------------------------------------------------------------------

SETS = {
    "every": EVERY,
    "none last": ("sep_conv_3x3", "dil_conv_3x3", "none"),
    "without none": ("sep_conv_5x5", "nor_conv_1x1"),
    "without weights": ("none", "skip_connect", "max_pool_3x3"),
    "one": ("dil_conv_5x5",),
    "one without weights": ("skip_connect",),
    "separate": ("conv_7x1_1x7", "none"),
}


def step(network: Alone, weights: Mapping[str, Selection], x: Tensor) -> dict[str, Tensor]:
    x = x.clone().requires_grad_()
    outputs = run(network, weights, x)
    y = outputs if isinstance(outputs, Tensor) else torch.cat(outputs, dim=1)
    found = {"output": y.detach()}
    if y.requires_grad:
        (y * torch.linspace(-1.0, 1.0, y.numel()).double().view(y.shape)).sum().backward()
    named = [("input", x), *network.named_parameters()]
    named += [(name, w) for name, w in weights.items() if isinstance(w, Tensor)]
    for name, tensor in named:
        found[f"{name}'"] = torch.zeros(()) if tensor.grad is None else tensor.grad
    counted = "num_batches_tracked"
    return found | {n: t for n, t in network.named_buffers() if not n.endswith(counted)}


def draw(network: Alone, seed: int) -> dict[str, Selection]:
    """Draw weights, some of them zero, and a few indices."""
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, Selection] = {}
    for name, gate in Supernet(network, lambda _: {}).gates.items():
        row = torch.rand(len(gate.options), generator=generator).double()
        row = row * (torch.rand(len(gate.options), generator=generator) < 0.6)
        weights[name] = row.requires_grad_()
        if "<-" in name and torch.rand((), generator=generator) < 0.3:
            weights[name] = int(torch.randint(len(gate.options), (), generator=generator))
    return weights


@pytest.mark.parametrize("operations", SETS.values(), ids=SETS)
@pytest.mark.parametrize("reduction", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"partial_channels": 2, "edge_gates": True, "affine": True, "pool_norm": True}]
)
@pytest.mark.parametrize("inputs", [1, 2])
def test_executions_are_equal(
    operations: tuple[str, ...], reduction: bool, options: dict[str, Any], inputs: int
) -> None:
    results = []
    for execution in EXECUTIONS:
        network = make(
            operations, execution, kind=SuperCell, inputs=inputs, nodes=3, reduction=reduction,
            **options,
        )  # fmt: skip
        results.append([step(network, draw(network, seed), X) for seed in range(3)])
    for found, expected in zip(*results, strict=True):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            difference = (found[name] - value).abs().max()
            assert difference <= 1e-9 * (1.0 + value.abs().max()), f"{name} by {difference}"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("operation", ["sep_conv_3x3", "nor_conv_1x1", "skip_connect"])
@pytest.mark.parametrize("channels", [2, 4])
def test_one_slot_alone(operation: str, channels: int, affine: bool, training: bool) -> None:
    """Its scale, one number for all channels, must not come as one number in memory.

    PyTorch's batch norm misreads such weights in its backward pass (CPU, channels last).
    """
    results = []
    for execution in EXECUTIONS:
        network = make(
            ("none", operation), execution, channels=channels, reduction=True, affine=affine
        )
        network.train(training)
        weights: dict[str, Selection] = {
            "cell/2<-0": torch.tensor([0.0, 0.7], dtype=torch.float64, requires_grad=True),
            "cell/2<-1": torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True),
        }
        form = torch.channels_last
        results.append(step(network, weights, X[:, :channels].contiguous(memory_format=form)))
    found, expected = results
    assert expected["input'"].any()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-9, msg=name)


# -- what runs ------------------------------------------------------------------------------------


class Calls(TorchDispatchMode):
    """Count calls of operators."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))

    def __call__(self, part: str) -> int:
        return sum(part in name for name in self.names)


def calls(network: Alone, weights: Mapping[str, Selection]) -> Calls:
    supernet = Supernet(network, lambda _: {})
    with supernet.selected(weights), Calls() as counted:
        network(X)
    return counted


@BOTH
def test_a_cell_of_none_runs_nothing(execution: str) -> None:
    for options in ({}, {"partial_channels": 2}):
        network = make(EVERY, execution, nodes=2, reduction=True, **options)
        counted = calls(network, every(network, EVERY.index("none")))
        for kind in ("conv", "norm", "pool", "relu", "add", "mm"):
            assert counted(kind) == 0, counted.names


@BOTH
@pytest.mark.parametrize(
    ("operation", "convolutions"),
    [("sep_conv_5x5", 4), ("dil_conv_3x3", 2), ("nor_conv_3x3", 1), ("conv_7x1_1x7", 2),
     ("skip_connect", 0), ("max_pool_3x3", 0)],
)  # fmt: skip
def test_one_operation_on_one_edge(operation: str, convolutions: int, execution: str) -> None:
    network = make(EVERY, execution, nodes=2, pool_norm=True)
    weights = every(network, EVERY.index("none"))
    option = EVERY.index(operation)
    hot = torch.nn.functional.one_hot(torch.tensor(option), len(EVERY)).double()
    for selection in (option, hot, 0.5 * hot):
        counted = calls(network, {**weights, "cell/3<-1": selection})
        assert counted("convolution") == convolutions
        assert counted("max_pool2d") == (operation == "max_pool_3x3")
        assert counted("batch_norm") == {4: 2, 0: int("pool" in operation)}.get(convolutions, 1)


def test_edges_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions of all edges that leave the inputs are one call a layer."""
    monkeypatch.setattr("nas.search_spaces.cells.separable.dense_pays", lambda x, stride: False)
    network = make(("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "nor_conv_1x1"), nodes=2)
    weights: dict[str, Selection] = {
        name: torch.full((4,), 0.5, dtype=torch.float64) for name in every(network, 0)
    }
    groups, separable, dilated, of_each_input, of_node = 2, 4, 2, 2, 1
    expected = groups * (separable + dilated) + of_each_input + of_node
    assert calls(network, weights)("convolution") == expected


def test_operations_without_weights_run_once_a_state() -> None:
    for execution in EXECUTIONS:
        network = make(("max_pool_3x3", "none"), execution, nodes=3, pool_norm=True)
        counted = calls(network, every(network, 0))
        assert counted("max_pool2d") == 4 and counted("batch_norm") == 4


@BOTH
def test_edges_that_a_gate_shuts_do_not_run(execution: str) -> None:
    network = make(("none", "nor_conv_3x3"), execution, edge_gates=True)
    weights = every(network, 1)
    for selection in ((0,), torch.tensor([0.0, 0.5], dtype=torch.float64)):
        assert calls(network, {**weights, "cell/2": selection})("convolution") == 1


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "channels"), [(0, 4), (-1, 4), (3, 4), (8, 4)])
def test_channels_must_split(k: int, channels: int) -> None:
    with pytest.raises(NasError, match=f"partial_channels={k}: must divide .*channels={channels}"):
        SupercellOptions(("none",), partial_channels=k).require(channels)
    SupercellOptions(("none",), partial_channels=4).require(8)


@BOTH
@pytest.mark.parametrize("channels", [2, 3])
def test_a_reduction_of_any_number_of_channels(execution: str, channels: int) -> None:
    network = make(EVERY, execution, channels=channels, nodes=2, reduction=True)
    for weights in (every(network, EVERY.index("skip_connect")), draw(network, 0)):
        assert run(network, weights, X[:, :channels]).shape == (2, 2 * channels, 3, 3)


def test_affine() -> None:
    for affine in (True, False):
        names = {name for name, _ in make(affine=affine).named_parameters()}
        assert any(name.endswith("norm.weight") for name in names) == affine


def test_a_cell_runs_within_its_network() -> None:
    with pytest.raises(NasError, match="nothing selected: run it within its network"):
        make().cell(X, X)


# -- one operation on one edge --------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("reduction", [False, True])
def test_tensors_of_an_operation(reduction: bool, execution: str) -> None:
    """They bear the names of its module, and setting them sets what the cell runs."""
    network = make(EVERY, execution, nodes=2, reduction=reduction, affine=True, pool_norm=True)
    network.eval()
    for target, source in edges(2):
        for option, name in enumerate(EVERY):
            stride = 2 if reduction and source < 2 else 1
            op = network.cell.options.operation(option, 4, stride).double().eval()
            with torch.no_grad():
                for tensor in op.state_dict().values():
                    if tensor.is_floating_point():
                        tensor.uniform_(0.5, 1.5)
            state = network.cell.edge_state(target, source, name)
            assert state.keys() == op.state_dict().keys()
            with torch.no_grad():
                for key, tensor in op.state_dict().items():
                    state[key].copy_(tensor)
            if source < 2:
                weights = every(network, EVERY.index("none"))
                output = run(network, {**weights, f"cell/{target}<-{source}": option})
                expected = op(X * 10**source)
                part = output[:, 4 * (target - 2) : 4 * (target - 1)]
                torch.testing.assert_close(part, expected, msg=name)


def test_none_has_no_tensors() -> None:
    assert make().cell.edge_state(2, 0, "none") == {}


# -- what an architecture keeps -------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("reduction", [False, True])
def test_chosen_edges_compute_what_the_cell_does(k: int, reduction: bool) -> None:
    network = make(EVERY, nodes=2, reduction=reduction, partial_channels=k, affine=True).eval()
    none = EVERY.index("none")
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        path = {
            name: int(torch.randint(len(EVERY), (), generator=generator))
            for name in every(network, 0)
        }
        chosen = network.cell.chosen_edges(path)
        named = {f"cell/{t}<-{s}" for t, s in chosen}
        assert named == {name for name, option in path.items() if option != none}
        assert all(isinstance(edge, PartialChannels) == (k > 1) for edge in chosen.values())
        states = [X, 10 * X]
        for target in (2, 3):
            mine = [(s, edge.double().eval()) for (t, s), edge in chosen.items() if t == target]
            terms = [edge(states[source]) for source, edge in mine]
            size = X[:, :, ::2, ::2] if reduction else X
            states.append(sum(terms) if terms else torch.zeros_like(size))
        torch.testing.assert_close(run(network, path), torch.cat(states[2:], dim=1))


def dense(operations: tuple[str, ...] = SIMPLE, **options: Any) -> Alone:
    return make(operations, kind=DenseSuperCell, inputs=1, nodes=3, **options)


def dense_path(*operations: int) -> dict[str, Any]:
    return {f"cell/{t}<-{s}": op for (t, s), op in zip(edges(3, 1), operations, strict=True)}


@BOTH
def test_dense_cell(execution: str) -> None:
    network = dense(execution=execution)
    torch.testing.assert_close(run(network, dense_path(1, 1, 1, 1, 1, 1)), 4 * X)
    torch.testing.assert_close(run(network, dense_path(1, 0, 1, 0, 0, 1)), X)
    assert not run(network, dense_path(0, 0, 3, 0, 0, 0)).any()


def test_collapsed_cells_have_the_names_of_plain_ones() -> None:
    network = collapse(dense(), dense_path(3, 0, 2, 0, 1, 3))
    names = [name for name, _ in network.cell.edges.named_children()]  # type: ignore[union-attr]
    assert sorted(names) == ["1_0", "2_1", "3_1", "3_2"]
    assert not any(isinstance(module, Mutable) for module in network.modules())
    options = zip(edges(2), (0, 3, 2, 3, 0), strict=True)
    network = collapse(make(nodes=2), {f"cell/{t}<-{s}": option for (t, s), option in options})
    names = [name for name, _ in network.cell.edges.named_children()]  # type: ignore[union-attr]
    assert names == ["0", "1", "2"]
    assert not any(isinstance(module, Mutable) for module in network.modules())

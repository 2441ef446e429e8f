"""Cells in which every edge is a choice: what runs, what is weighted, what is left."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Mutable, Selection, collapse
from nas.search_spaces.cells.operations import PartialChannels
from nas.search_spaces.cells.supercell import EdgeGate, Node, SupercellOptions, choice_of
from nas.search_spaces.cells.supernetworks import DenseSuperCell, SuperCell
from nas.supernet import Supernet

OPTIONS = SupercellOptions(("none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1"))
GATED = SupercellOptions(OPTIONS.operations, edge_gates=True)
X = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))


class Pair(nn.Module):
    """Run a cell of two inputs on one."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(x, 10 * x)


def run(cell: nn.Module, weights: dict[str, Selection], x: Tensor = X) -> Tensor:
    return Supernet(cell, lambda _: {})(x, weights)


def pair_of(options: SupercellOptions, nodes: int = 1, reduction: bool = False) -> Pair:
    return Pair(SuperCell("normal", nodes, 4, reduction, options))


def test_gates_of_a_cell() -> None:
    gates = Supernet(pair_of(GATED, nodes=2), lambda _: {}).gates
    assert set(gates) == {
        "normal/2",
        "normal/2<-0",
        "normal/2<-1",
        "normal/3",
        "normal/3<-0",
        "normal/3<-1",
        "normal/3<-2",
    }
    assert gates["normal/3"].options == ("0", "1", "2")
    assert gates["normal/3"].choose == 2
    assert gates["normal/3<-2"].absent == 0


def test_a_node_adds_its_edges() -> None:
    output = run(pair_of(OPTIONS), {"normal/2<-0": 1, "normal/2<-1": 1})
    assert torch.allclose(output, 11 * X)
    assert torch.equal(run(pair_of(OPTIONS), {"normal/2<-0": 0, "normal/2<-1": 1}), 10 * X)


def test_edges_of_weights() -> None:
    weights: dict[str, Selection] = {
        "normal/2<-0": torch.tensor([0.5, 0.5, 0.0, 0.0]),
        "normal/2<-1": torch.tensor([0.9, 0.1, 0.0, 0.0]),
    }
    assert torch.allclose(run(pair_of(OPTIONS), weights), 1.5 * X)


def test_a_gate_over_the_inputs() -> None:
    edges: dict[str, Selection] = {"normal/2<-0": 1, "normal/2<-1": 1}
    cell = pair_of(GATED)
    assert torch.allclose(run(cell, {**edges, "normal/2": torch.tensor([0.5, 0.1])}), 1.5 * X)
    assert torch.allclose(run(cell, {**edges, "normal/2": (0, 1)}), 11 * X)
    assert torch.equal(run(cell, {**edges, "normal/2": torch.tensor([1.0, 0.0])}), X)


def test_edges_that_a_gate_shuts_do_not_run() -> None:
    cell = pair_of(GATED)
    ran: list[int] = []
    edges = cell.cell.nodes[0].edges
    for source, edge in enumerate(edges.values()):
        edge.register_forward_hook(lambda *_, s=source: ran.append(s))
    weights: dict[str, Selection] = {"normal/2<-0": 1, "normal/2<-1": 1}
    run(cell, {**weights, "normal/2": torch.tensor([0.0, 1.0])})
    assert ran == [1]
    ran.clear()
    run(cell, {**weights, "normal/2<-1": 0, "normal/2": (0, 1)})
    assert ran == [0]


@pytest.mark.parametrize("options", [OPTIONS, GATED])
@pytest.mark.parametrize(("reduction", "size"), [(False, 6), (True, 3)])
def test_a_node_without_edges_is_zero(
    options: SupercellOptions, reduction: bool, size: int
) -> None:
    weights: dict[str, Selection] = {"normal/2<-0": 0, "normal/2<-1": 0}
    if options.edge_gates:
        weights["normal/2"] = (0, 1)
    output = run(pair_of(options, reduction=reduction), weights)
    assert output.shape == (2, 4, size, size) and not output.any()


def test_a_node_without_edges_after_a_reduction() -> None:
    """Its zeros have the resolution of the other nodes."""
    weights: dict[str, Selection] = {f"normal/2<-{s}": 2 for s in range(2)}
    weights |= {f"normal/3<-{s}": 0 for s in range(3)}
    output = run(pair_of(OPTIONS, nodes=2, reduction=True), weights)
    assert output.shape == (2, 8, 3, 3)
    assert output[:, :4].any() and not output[:, 4:].any()


def test_partial_channels_shut_with_none() -> None:
    """An edge that is `none` passes nothing, not even the channels that it would let by."""
    options = SupercellOptions(OPTIONS.operations, partial_channels=2)
    assert not run(pair_of(options), {"normal/2<-0": 0, "normal/2<-1": 0}).any()
    hot = torch.tensor([1.0, 0.0, 0.0, 0.0])
    assert not run(pair_of(options), {"normal/2<-0": hot, "normal/2<-1": hot}).any()


def test_choice_of_an_edge() -> None:
    for k in (1, 2):
        options = SupercellOptions(OPTIONS.operations, partial_channels=k)
        edge = options.make_edge("edge", 4, 1, True)
        assert isinstance(edge, PartialChannels) == (k > 1)
        assert tuple(choice_of(edge).candidates) == OPTIONS.operations


@pytest.mark.parametrize(("k", "channels"), [(0, 4), (-1, 4), (3, 4), (8, 4)])
def test_channels_must_split(k: int, channels: int) -> None:
    with pytest.raises(NasError, match=f"partial_channels={k}: must divide .*channels={channels}"):
        SupercellOptions(("none",), partial_channels=k).require(channels)
    SupercellOptions(("none",), partial_channels=4).require(8)


def test_affine() -> None:
    for affine in (True, False):
        edge = SupercellOptions(OPTIONS.operations, affine).make_edge("edge", 4, 2, True)
        convs = [m for n, m in edge.named_modules() if n.endswith("conv_1x1.norm")]
        assert [norm.affine for norm in convs] == [affine]


# -- the gate ---------------------------------------------------------------------------------


def test_edge_gate_is_no_decision() -> None:
    gate = EdgeGate("g", ["0", "1"], 2)
    assert gate.parts() == []
    assert isinstance(gate.chosen((0, 1)), nn.Identity)
    for ask in (gate.decision, gate.selections):
        with pytest.raises(NotImplementedError):
            ask()


def test_edge_gate_needs_a_selection() -> None:
    with pytest.raises(NasError, match="mutable 'g' has nothing selected"):
        EdgeGate("g", ["0", "1"], 2)({0: X})


# -- dense cells and collapsing ---------------------------------------------------------------


def dense_path(*operations: int) -> dict[str, Any]:
    edges = [(t, s) for t in range(1, 4) for s in range(t)]
    return {f"cell/{t}<-{s}": op for (t, s), op in zip(edges, operations, strict=True)}


def test_dense_cell() -> None:
    cell = DenseSuperCell(4, OPTIONS)
    assert torch.allclose(run(cell, dense_path(1, 1, 1, 1, 1, 1)), 4 * X)
    assert torch.allclose(run(cell, dense_path(1, 0, 1, 0, 0, 1)), X)
    assert not run(cell, dense_path(0, 0, 3, 0, 0, 0)).any()
    assert sum(isinstance(module, Node) for module in cell.modules()) == 3


def test_dense_gates_keep_all_inputs() -> None:
    gates = Supernet(DenseSuperCell(4, GATED), lambda _: {}).gates
    assert [gates[f"cell/{t}"].choose for t in (1, 2, 3)] == [1, 2, 3]


def test_collapsed_cells_have_the_names_of_plain_ones() -> None:
    dense = collapse(DenseSuperCell(4, OPTIONS), dense_path(3, 0, 2, 0, 1, 3))
    assert sorted(dict(dense.edges.named_children())) == ["1_0", "2_1", "3_1", "3_2"]
    pair = collapse(pair_of(OPTIONS), {"normal/2<-0": 3, "normal/2<-1": 2})
    assert [name for name, _ in pair.cell.edges.named_children()] == ["0", "1"]
    for plain in (dense, pair):
        assert not any(isinstance(module, Mutable) for module in plain.modules())

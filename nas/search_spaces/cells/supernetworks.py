"""The networks of stacked cells with every edge a choice: what `Supernet` wraps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nas.search_spaces.cells.dense_network import DenseStack
from nas.search_spaces.cells.network import CellStack
from nas.search_spaces.cells.supercell import EdgeGate, Node, SupercellOptions, choice_of


class SuperCell(nn.Module):
    """A cell with two inputs and nodes that take all earlier states; nodes are concatenated.

    Args:
        name: "normal" or "reduction"; cells of one name share their gates.
        nodes: How many.
        channels: Of every state.
        reduction: Whether edges from the cell's inputs have stride 2.
        options: What the edges are like.
    """

    def __init__(
        self, name: str, nodes: int, channels: int, reduction: bool, options: SupercellOptions
    ) -> None:
        super().__init__()
        self.nodes = nn.ModuleList()
        for node in range(2, 2 + nodes):
            strides = [2 if reduction and source < 2 else 1 for source in range(node)]
            edges = {
                str(source): options.make_edge(f"{name}/{node}<-{source}", channels, stride, True)
                for source, stride in enumerate(strides)
            }
            gate = EdgeGate(f"{name}/{node}", list(edges), 2) if options.edge_gates else None
            self.nodes.append(Node(edges, gate, strides))

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        states = [s0, s1]
        for node in self.nodes:
            states.append(node(states))
        return torch.cat(states[2:], dim=1)

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return a holder of the chosen edges, in the genotype's order (see `Cell`)."""
        kept = [edge for node in self.nodes for edge in chosen_edges(node, path).values()]
        return _Edges(nn.ModuleList(kept))


class DenseSuperCell(nn.Module):
    """The cell of NAS-Bench-201 with a choice on every edge.

    Args:
        channels: Of every state.
        options: What the edges are like.
    """

    def __init__(self, channels: int, options: SupercellOptions) -> None:
        super().__init__()
        self.nodes = nn.ModuleList()
        for node in range(1, 4):
            edges = {
                str(source): options.make_edge(f"cell/{node}<-{source}", channels, 1, False)
                for source in range(node)
            }
            gate = EdgeGate(f"cell/{node}", list(edges), node) if options.edge_gates else None
            self.nodes.append(Node(edges, gate, [1] * node))

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for node in self.nodes:
            states.append(node(states))
        return states[-1]

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return a holder of the edges other than `none` (see `DenseCell`)."""
        kept = {
            f"{target}_{source}": edge
            for target, node in enumerate(self.nodes, start=1)
            for source, edge in chosen_edges(node, path).items()
        }
        return _Edges(nn.ModuleDict(kept))


class _Edges(nn.Module):
    """Only the chosen edges, under the name that they have in the plain network."""

    def __init__(self, edges: nn.Module) -> None:
        super().__init__()
        self.edges = edges


def chosen_edges(
    node: nn.Module, path: Mapping[str, int | tuple[int, ...]]
) -> dict[str, nn.Module]:
    """Return the edges of a node that a path runs, by source."""
    assert isinstance(node, Node)
    kept = {}
    for source, edge in node.edges.items():
        choice = choice_of(edge)
        selected = path[choice.label or ""]
        assert isinstance(selected, int)
        if not getattr(choice.chosen(selected), "is_zero", False):
            kept[source] = edge
    return kept


class CellSupernetwork(CellStack):
    """`CellNetwork` with a choice on every edge.

    Args:
        nodes: Nodes a cell.
        options: What the edges are like.
        input_channels, input_size, classes, channels, layers, stem: As for `CellNetwork`.
    """

    def __init__(
        self,
        nodes: int,
        options: SupercellOptions,
        input_channels: int,
        input_size: int,
        classes: int,
        channels: int,
        layers: int,
        stem: str,
    ) -> None:
        self.cell_nodes = nodes
        self.options = options
        super().__init__(
            input_channels, input_size, classes, channels, layers, stem, False, options.affine
        )

    def make_cell(self, channels: int, reduction: bool) -> tuple[nn.Module, int]:
        name = "reduction" if reduction else "normal"
        cell = SuperCell(name, self.cell_nodes, channels, reduction, self.options)
        return cell, self.cell_nodes


class DenseSupernetwork(DenseStack):
    """`DenseNetwork` with a choice on every edge.

    Args:
        options: What the edges are like.
        input_channels, classes, channels, cells: As for `DenseNetwork`.
    """

    def __init__(
        self,
        options: SupercellOptions,
        input_channels: int,
        classes: int,
        channels: int,
        cells: int,
    ) -> None:
        self.options = options
        super().__init__(input_channels, classes, channels, cells, options.affine)

    def make_cell(self, channels: int) -> nn.Module:
        return DenseSuperCell(channels, self.options)

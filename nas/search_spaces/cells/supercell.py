"""Cells in which every edge is a choice of operations: what supernets are stacked from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Gate, Mutable, OneOf
from nas.search_spaces.cells.operations import PartialChannels, make_operation
from nas.space import Decision


@dataclass(frozen=True)
class SupercellOptions:
    """What edges of a supernet are like.

    Args:
        operations: Names of the candidates of every edge.
        affine: Whether batch norm in cells has scale and shift.
        partial_channels: 1, or k for operations that see every k-th part of the channels.
        edge_gates: Whether the inputs of every node have a gate of their own (PC-DARTS, eq. 3).
    """

    operations: tuple[str, ...]
    affine: bool = False
    partial_channels: int = 1
    edge_gates: bool = False

    def require(self, channels: int) -> None:
        """Raise `NasError` unless the channels can be split."""
        k = self.partial_channels
        if k < 1 or channels % k:
            raise NasError(
                f"supernet.partial_channels={k}: must divide supernet.channels={channels}"
            )

    def make_edge(self, label: str, channels: int, stride: int, pool_norm: bool) -> nn.Module:
        """Make the choice of one edge, on a part of the channels where that is asked for."""
        part = channels // self.partial_channels
        candidates = {
            name: make_operation(name, part, stride, self.affine, pool_norm)
            for name in self.operations
        }
        choice = OneOf(candidates, label)
        if self.partial_channels == 1:
            return choice
        return PartialChannels(choice, channels, self.partial_channels, stride)


class EdgeGate(Mutable):
    """Weights over the inputs of one node: which of the edges into it an architecture keeps.

    Args:
        label: The name of the gate.
        sources: The state that every edge comes from, by name.
        choose: How many edges an architecture keeps.
    """

    def __init__(self, label: str, sources: Sequence[str], choose: int) -> None:
        super().__init__(label)
        self.sources = tuple(sources)
        self.choose = choose

    def gate(self) -> Gate:
        return Gate(self.label or "", self.sources, self.choose)

    def decision(self) -> Decision:
        raise NotImplementedError("a space of cells has its own decisions")

    def selections(self) -> list[int | tuple[int, ...]]:
        raise NotImplementedError("a space of cells has its own decisions")

    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        return []

    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        del selection
        return nn.Identity()

    def forward(self, outputs: Mapping[int, Tensor]) -> list[Tensor]:
        """Weight the outputs of edges, {position among the edges: [B, C, H, W]}."""
        self.current()
        if self.weights is None:
            return list(outputs.values())
        return [self.weights[i] * y for i, y in outputs.items()]


class Node(nn.Module):
    """A state of a supernet's cell: the (weighted) sum over the edges from earlier states.

    Args:
        edges: The choice of every edge, by the name of the state that it comes from.
        gate: Weights over the edges, or None for a plain sum.
        stride_of: The stride of every edge.
    """

    def __init__(
        self, edges: Mapping[str, nn.Module], gate: EdgeGate | None, strides: Sequence[int]
    ) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(edges)
        self.gate = gate
        self.strides = list(strides)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Sum over the edges; edge i takes states[i]. Edges that give only zeros do not run."""
        outputs = {
            i: edge(states[i])
            for i, edge in enumerate(self.edges.values())
            if not choice_of(edge).is_off() and (self.gate is None or i in self.gate.active)
        }
        terms = list(outputs.values()) if self.gate is None else self.gate(outputs)
        if not terms:
            stride = self.strides[0]
            return torch.zeros_like(states[0][:, :, ::stride, ::stride])
        return torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]


def choice_of(edge: nn.Module) -> OneOf:
    """Return the choice inside an edge."""
    choice = edge.op if isinstance(edge, PartialChannels) else edge
    assert isinstance(choice, OneOf)
    return choice

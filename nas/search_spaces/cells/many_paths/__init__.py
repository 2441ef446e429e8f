"""What paths through a network of cells compute, step by step, so that equal steps run once.

Steps have names; equal names stand for equal functions. A state that gives only zeros is None: what
would be computed from it is not, unless batch norm shifts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from nas.search_spaces.cells.dense_network import DenseStack
from nas.search_spaces.cells.gates import CellGates, Edge
from nas.search_spaces.cells.many_paths.layers import Layer, relu, write
from nas.search_spaces.cells.many_paths.steps import Steps
from nas.search_spaces.cells.network import CellStack, PreparedCell
from nas.search_spaces.cells.operations import PartialChannels
from nas.search_spaces.cells.supercell import SuperCell, SupercellOptions
from nas.space import Path

__all__ = ["Steps", "trace_paths"]

_Active = Mapping[str, Mapping[Edge, int]]
"""Kind of cell -> edge -> operation; an edge that gives only zeros is missing."""


def trace_paths(
    network: CellStack | DenseStack,
    kinds: Mapping[str, CellGates],
    paths: Sequence[Path],
    steps: Steps,
) -> list[int]:
    """Write down what paths compute.

    Args:
        network: Whose cells are supercells.
        kinds: The gates of every kind of cell.
        paths: Each with a selection for every gate.
        steps: Where to.

    Returns:
        The step of every path that gives its logits, [B, classes].
    """
    tracing = _Tracing(steps)
    chosen = [{kind: _active(gates, path) for kind, gates in kinds.items()} for path in paths]
    if isinstance(network, DenseStack):
        return [tracing.dense(network, active) for active in chosen]
    return [tracing.stacked(network, active) for active in chosen]


def _active(gates: CellGates, path: Path) -> dict[Edge, int]:
    active: dict[Edge, int] = {}
    for edge in gates.order:
        operation, node = path[gates.edge(edge).label or ""], gates.node(edge[0])
        kept = edge[1] if node is None else path[node.label or ""]
        on = edge[1] in kept if isinstance(kept, tuple) else edge[1] == kept
        assert isinstance(operation, int)
        if on and operation != gates.absent:
            active[edge] = operation
    return active


class _Tracing:
    """Writes down paths one after the other.

    Args:
        steps: Where to.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self._layers: dict[str, Layer] = {}

    # -- networks -----------------------------------------------------------------------------

    def dense(self, network: DenseStack, active: _Active) -> int:
        """Follow one path through `DenseSupernetwork`."""
        x = self._part("stem", network.stem, self.steps.input)
        for i, cell in enumerate(network.cells):
            if isinstance(cell, SuperCell):
                last = self.cell(f"cells.{i}", cell, [x], active["cell"])[-1]
                x = self._zeros(cell, x) if last is None else last
            else:
                x = self._part(f"cells.{i}", cell, x)
        norm = network.norm
        x = self.steps.normalise("norm", (norm.weight, norm.bias, norm.eps), x)
        return self._classify(network.classifier, relu(self.steps, x))

    def stacked(self, network: CellStack, active: _Active) -> int:
        """Follow one path through `CellSupernetwork`."""
        s0 = self._part("stem.0", network.stem[0], self.steps.input)
        s1 = self._part("stem.1", network.stem[1], s0) if len(network.stem) > 1 else s0
        for i, prepared in enumerate(network.cells):
            assert isinstance(prepared, PreparedCell) and isinstance(prepared.cell, SuperCell)
            name, cell = f"cells.{i}", prepared.cell
            first = self._part(f"{name}.prepare0", prepared.prepare0, s0)
            second = self._part(f"{name}.prepare1", prepared.prepare1, s1)
            kind = "reduction" if cell.reduction else "normal"
            nodes = self.cell(name, cell, [first, second], active[kind])
            parts = [self._zeros(cell, first) if node is None else node for node in nodes]
            s0, s1 = s1, self.steps.apply("cat", _side_by_side, *parts)
        return self._classify(network.classifier, s1)

    def _part(self, name: str, module: nn.Module, x: int) -> int:
        if name not in self._layers:
            self._layers[name] = Layer(name, module)
        return write(self.steps, self._layers[name], x)

    def _classify(self, layer: nn.Module, x: int) -> int:
        return self.steps.apply("classifier", lambda x: layer(x.mean(dim=(2, 3))), x)

    # -- cells --------------------------------------------------------------------------------

    def cell(
        self, name: str, cell: SuperCell, inputs: list[int], active: Mapping[Edge, int]
    ) -> list[int | None]:
        """Return the states of a cell's nodes."""
        states: list[int | None] = [*inputs]
        for target in range(cell.inputs, cell.inputs + cell.nodes):
            done, passed = [], []
            for source in range(target):
                operation = active.get((target, source))
                x = states[source]
                if operation is None or (x is None and not cell.options.affine):
                    continue
                x = self._zeros(cell, inputs[0]) if x is None else x
                done.append(self._edge(name, cell, (target, source), operation, x))
                if cell.part < cell.channels:
                    passed.append(self._beside(cell, source, x))
            states.append(self._node(cell, done, passed) if done else None)
        return states[cell.inputs :]

    def _node(self, cell: SuperCell, done: list[int], passed: list[int]) -> int:
        total = self.steps.add(done)
        if not passed:
            return total
        join = partial(_join, cell.beside)
        return self.steps.apply(f"join {cell.part}", join, total, self.steps.add(passed))

    def _edge(self, name: str, cell: SuperCell, edge: Edge, operation: int, x: int) -> int:
        """Run an operation on the channels that operations see."""
        target, source = edge
        if cell.part < cell.channels:
            x = self.steps.apply(f"first {cell.part}", partial(_first, cell.part), x)
        place = f"{name}/{target}<-{source}/{operation}"
        if place not in self._layers:
            stride = 2 if cell.reduction and source < cell.inputs else 1
            module = _operation(cell.options, operation, cell.channels, stride)
            tensors = cell.edge_state(*edge, cell.options.operations[operation])
            self._layers[place] = Layer(place, module, tensors)
        return write(self.steps, self._layers[place], x)

    def _beside(self, cell: SuperCell, source: int, x: int) -> int:
        rest = self.steps.apply(f"without {cell.part}", partial(_without, cell.part), x)
        if source >= cell.inputs or isinstance(cell.beside.bypass, nn.Identity):
            return rest
        return self.steps.apply("bypass", cell.beside.bypass, rest)

    def _zeros(self, cell: SuperCell, like: int) -> int:
        """Return zeros of the shape of the cell's nodes, for an input of the cell."""
        stride = 2 if cell.reduction else 1
        return self.steps.apply(f"zeros {stride}", partial(_zeros, stride), like)


@lru_cache(maxsize=256)
def _operation(options: SupercellOptions, option: int, channels: int, stride: int) -> nn.Module:
    """Return an operation without its tensors."""
    with torch.device("meta"):
        return options.operation(option, channels, stride)


def _side_by_side(*parts: Tensor) -> Tensor:
    return torch.cat(parts, dim=1)


def _first(count: int, x: Tensor) -> Tensor:
    return x[:, :count].contiguous(memory_format=torch.channels_last)


def _without(count: int, x: Tensor) -> Tensor:
    return x[:, count:].contiguous(memory_format=torch.channels_last)


def _zeros(stride: int, like: Tensor) -> Tensor:
    return torch.zeros_like(like[:, :, ::stride, ::stride])


def _join(beside: PartialChannels, done: Tensor, passed: Tensor) -> Tensor:
    return beside.join(done, passed).contiguous(memory_format=torch.channels_last)

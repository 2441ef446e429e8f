"""The networks of stacked cells with every edge a choice: what `Supernet` wraps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint as checkpointed

from nas.search_spaces.cells.dense_network import DenseStack
from nas.search_spaces.cells.gates import CellGates, Selected, selecting
from nas.search_spaces.cells.many_paths import Steps, trace_paths
from nas.search_spaces.cells.network import CellStack, PreparedCell
from nas.search_spaces.cells.supercell import SuperCell, SupercellOptions
from nas.space import Path


class StackedSuperCell(SuperCell):
    """The cell of DARTS with a choice on every edge; its nodes are concatenated."""

    def forward(self, *inputs: Tensor) -> Tensor:  # type: ignore[override]
        """Return [B, nodes * C, H', W'] for the outputs of the two cells before."""
        return torch.cat(super().forward(*inputs), dim=1)

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return a holder of the chosen edges, in the genotype's order (see `Cell`)."""
        return _Edges(nn.ModuleList(self.chosen_edges(path).values()))


class DenseSuperCell(SuperCell):
    """The cell of NAS-Bench-201 with a choice on every edge; its last state is the output."""

    def forward(self, *inputs: Tensor) -> Tensor:  # type: ignore[override]
        """Return [B, C, H, W] for one state."""
        return super().forward(*inputs)[-1]

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return a holder of the edges other than `none` (see `DenseCell`)."""
        kept = self.chosen_edges(path)
        return _Edges(nn.ModuleDict({f"{t}_{s}": edge for (t, s), edge in kept.items()}))


class _Edges(nn.Module):
    """Only the chosen edges, under the name that they have in the plain network."""

    def __init__(self, edges: nn.Module) -> None:
        super().__init__()
        self.edges = edges


# -- recomputation --------------------------------------------------------------------------------


def recomputed(
    cell: nn.Module, gates: CellGates, run: Callable[..., Tensor], *inputs: Tensor
) -> Tensor:
    """Run a cell so that its backward pass computes it again instead of keeping what is inside.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016, arXiv:1604.06174.

    Args:
        cell: Whose batch norm must count a batch once.
        gates: Of the cell; what they select now is what they select in the backward pass.
        run: The forward pass of the cell.
        inputs: Of the cell, [B, C, H, W] each.
    """
    if not (cell.training and torch.is_grad_enabled()):
        return run(*inputs)
    begun, selected = False, _twin(gates.selected)

    def again(*inputs: Tensor) -> Tensor:
        nonlocal begun
        if not begun:
            begun = True
            return run(*inputs)
        with _repeating(cell, gates, selected):
            return run(*inputs)

    return checkpointed(again, *inputs, use_reentrant=False)


@contextmanager
def _repeating(cell: nn.Module, gates: CellGates, selected: Selected | None) -> Iterator[None]:
    """Let a second pass over a batch see what the first saw, and leave batch norm as it is."""
    norms = [layer for layer in cell.modules() if isinstance(layer, _BatchNorm)]
    kept = [(layer.momentum, layer.num_batches_tracked) for layer in norms]
    outside, gates.selected = gates.selected, _twin(selected)
    try:
        for layer in norms:
            layer.momentum = 0.0
            if layer.num_batches_tracked is not None:
                layer.num_batches_tracked = torch.empty_like(layer.num_batches_tracked)
        yield
    finally:
        gates.selected = outside
        for layer, (momentum, count) in zip(norms, kept, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count


def _twin(selected: Selected | None) -> Selected | None:
    """Copy what is selected with what has been computed from it, which another pass will extend."""
    twin = copy.copy(selected)
    for name, value in vars(twin).items() if twin else ():
        if isinstance(value, dict):
            setattr(twin, name, dict(value))
    return twin


class RecomputedCell(PreparedCell):
    """A cell of `CellSupernetwork` that is computed again in the backward pass.

    Args:
        prepared: The cell; its parts keep their names.
    """

    cell: StackedSuperCell

    def __init__(self, prepared: nn.Module) -> None:
        nn.Module.__init__(self)
        assert isinstance(prepared, PreparedCell) and isinstance(prepared.cell, StackedSuperCell)
        self.prepare0, self.prepare1 = prepared.prepare0, prepared.prepare1
        self.cell = prepared.cell

    def forward(self, s0: Tensor, s1: Tensor) -> Tensor:
        return recomputed(self, self.cell.gates, super().forward, s0, s1)


class RecomputedDenseCell(DenseSuperCell):
    """A cell of `DenseSupernetwork` that is computed again in the backward pass."""

    def forward(self, *inputs: Tensor) -> Tensor:  # type: ignore[override]
        return recomputed(self, self.gates, super().forward, *inputs)


# -- networks -------------------------------------------------------------------------------------


class CellSupernetwork(CellStack):
    """`CellNetwork` with a choice on every edge.

    Args:
        nodes: Nodes a cell.
        options: What the edges are like.
        input_channels, input_size, classes, channels, layers, stem: As for `CellNetwork`.
        checkpoint: Whether cells are computed again in the backward pass.
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
        checkpoint: bool = False,
    ) -> None:
        self.cell_nodes = nodes
        self.options = options
        keep = [2] * nodes if options.edge_gates else None
        self.kinds = {
            kind: CellGates(kind, options.operations, 2, nodes, keep, in_degree=2)
            for kind in ("normal", "reduction")
        }
        super().__init__(
            input_channels, input_size, classes, channels, layers, stem, False, options.affine
        )
        if checkpoint:
            self.cells = nn.ModuleList(RecomputedCell(cell) for cell in self.cells)

    def make_cell(self, channels: int, reduction: bool) -> tuple[nn.Module, int]:
        gates = self.kinds["reduction" if reduction else "normal"]
        cell = StackedSuperCell(gates, 2, self.cell_nodes, channels, reduction, self.options)
        return cell, self.cell_nodes

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        with selecting(self.kinds.values(), x):
            return super().forward(x)

    def trace_paths(self, paths: Sequence[Path], steps: Steps) -> list[int]:
        """Write down what paths compute; return the step that gives the logits of each."""
        return trace_paths(self, self.kinds, paths, steps)


class DenseSupernetwork(DenseStack):
    """`DenseNetwork` with a choice on every edge.

    Args:
        options: What the edges are like.
        input_channels, classes, channels, cells: As for `DenseNetwork`.
        checkpoint: Whether cells are computed again in the backward pass.
    """

    def __init__(
        self,
        options: SupercellOptions,
        input_channels: int,
        classes: int,
        channels: int,
        cells: int,
        checkpoint: bool = False,
    ) -> None:
        self.options = options
        self.kind_of_cell = RecomputedDenseCell if checkpoint else DenseSuperCell
        keep = [1, 2, 3] if options.edge_gates else None
        self.kinds = {"cell": CellGates("cell", options.operations, 1, 3, keep)}
        super().__init__(input_channels, classes, channels, cells, options.affine)

    def make_cell(self, channels: int) -> nn.Module:
        return self.kind_of_cell(self.kinds["cell"], 1, 3, channels, False, self.options)

    def forward(self, x: Tensor) -> Tensor:
        with selecting(self.kinds.values(), x):
            return super().forward(x)

    def trace_paths(self, paths: Sequence[Path], steps: Steps) -> list[int]:
        """Write down what paths compute; return the step that gives the logits of each."""
        return trace_paths(self, self.kinds, paths, steps)

"""The network of TransNAS-Bench-101's cells with every edge a choice: what `Supernet` wraps."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from nas.search_spaces.cells.gates import CellGates, Edge, Selected, selecting
from nas.search_spaces.cells.module_network import ModuleStack, halved_zeros, make_wide_operation
from nas.search_spaces.cells.supercell import SupercellOptions
from nas.search_spaces.cells.supernetworks import DenseSuperCell, RecomputedDenseCell, recomputed

__all__ = ["ModuleSupernetwork"]


class HalvingSuperCell(nn.Module):
    """`HalvingCell` with a choice on every edge, one operation after the other.

    Args:
        gates: Of the cells; all cells share them.
        c_in: Channels of state 0.
        c_out: Channels of the others.
        options: What the edges are like; operations see all channels here, for what would pass
            beside them is not as wide as what they give.
    """

    def __init__(self, gates: CellGates, c_in: int, c_out: int, options: SupercellOptions) -> None:
        super().__init__()
        self.gates, self.channels, self.names = gates, c_out, options.operations
        self.edges = nn.ModuleDict()
        for target, source in gates.order:
            before, stride = (c_out, 1) if source else (c_in, 2)
            self.edges[f"{target}_{source}"] = nn.ModuleDict(
                {
                    name: make_wide_operation(name, before, c_out, stride, options.affine)
                    for name in self.names
                    if name != "none"
                }
            )

    def operation(self, edge: Edge, option: int) -> nn.Module:
        """Return one operation on one edge."""
        candidates = self.edges[f"{edge[0]}_{edge[1]}"]
        assert isinstance(candidates, nn.ModuleDict)
        return candidates[self.names[option]]

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, c_out, H / 2, W / 2] for [B, c_in, H, W]."""
        assert self.gates.selected is not None
        return self._run(x, self.gates.selected)

    def _run(self, x: Tensor, selected: Selected) -> Tensor:
        states = [x]
        for target in range(1, 4):
            total: Tensor | None = None
            for source in range(target):
                for option in selected.active.get((target, source), ()):
                    y = self.operation((target, source), option)(states[source])
                    scale = selected.scale((target, source), option)
                    y = y if scale is None else scale * y
                    total = y if total is None else total + y
            states.append(halved_zeros(x, self.channels) if total is None else total)
        return states[-1]

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return a holder of the edges other than `none` (see `HalvingCell`)."""
        holder = nn.Module()
        holder.edges = nn.ModuleDict()
        for edge in sorted(self.gates.order):
            option = path[self.gates.edge(edge).label or ""]
            assert isinstance(option, int)
            if self.names[option] != "none":
                holder.edges[f"{edge[0]}_{edge[1]}"] = self.operation(edge, option)
        return holder


class RecomputedHalvingCell(HalvingSuperCell):
    """A cell that is computed again in the backward pass."""

    def forward(self, x: Tensor) -> Tensor:
        return recomputed(self, self.gates, super().forward, x)


class ModuleSupernetwork(ModuleStack):
    """`CellModuleNetwork` with a choice on every edge.

    Args:
        edges: What the edges are like.
        input_channels, classes, modules, channels, blocks, stem: As for `CellModuleNetwork`.
        checkpoint: Whether cells are computed again in the backward pass.
    """

    def __init__(
        self,
        edges: SupercellOptions,
        input_channels: int,
        classes: int,
        modules: str,
        channels: int,
        blocks: int,
        stem: str,
        checkpoint: bool = False,
    ) -> None:
        self.edge_options, self.checkpoint = edges, checkpoint
        keep = [1, 2, 3] if edges.edge_gates else None
        self.kinds = {"cell": CellGates("cell", edges.operations, 1, 3, keep)}
        super().__init__(input_channels, classes, modules, channels, blocks, stem)

    def make_block(self, c_in: int, c_out: int, stride: int) -> nn.Module:
        gates = self.kinds["cell"]
        if stride == 1 and c_in == c_out:
            kind = RecomputedDenseCell if self.checkpoint else DenseSuperCell
            return kind(gates, 1, 3, c_in, False, self.edge_options)
        halving = RecomputedHalvingCell if self.checkpoint else HalvingSuperCell
        return halving(gates, c_in, c_out, self.edge_options)

    def forward(self, x: Tensor) -> Tensor:
        with selecting(self.kinds.values(), x):
            return super().forward(x)

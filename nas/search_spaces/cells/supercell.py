"""Cells in which every edge is a choice of operations: what supernets are stacked from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.search_spaces.cells.bank import Bank
from nas.search_spaces.cells.banks import JOINED, SharedBank, bank_class
from nas.search_spaces.cells.gates import CellGates, Edge, Group, Key, Selected, groups_of
from nas.search_spaces.cells.group_states import GroupStates
from nas.search_spaces.cells.kernels import Side, combine, interleave
from nas.search_spaces.cells.operations import PartialChannels, make_edge, make_operation


@dataclass(frozen=True)
class SupercellOptions:
    """What edges of a supernet are like and how cells run.

    Args:
        operations: Names of the candidates of every edge.
        affine: Whether batch norm in cells has scale and shift.
        pool_norm: Whether pooling is followed by batch norm.
        partial_channels: 1, or k for operations that see every k-th part of the channels.
        edge_gates: Whether the inputs of every node have a gate of their own (PC-DARTS, eq. 3).
        execution: "fused", or "plain" for one operation on one edge after the other.
    """

    operations: tuple[str, ...]
    affine: bool = False
    pool_norm: bool = False
    partial_channels: int = 1
    edge_gates: bool = False
    execution: str = "fused"

    def require(self, channels: int) -> None:
        """Raise `NasError` unless the channels can be split."""
        k = self.partial_channels
        if k < 1 or channels % k:
            raise NasError(
                f"supernet.partial_channels={k}: must divide supernet.channels={channels}"
            )

    def operation(self, option: int, channels: int, stride: int) -> nn.Module:
        """Make a candidate for the part of the channels that operations see."""
        part = channels // self.partial_channels
        return make_operation(self.operations[option], part, stride, self.affine, self.pool_norm)

    def edge(self, option: int, channels: int, stride: int) -> nn.Module:
        """Make an edge of the plain network."""
        name, k = self.operations[option], self.partial_channels
        return make_edge(name, channels, stride, self.affine, self.pool_norm, k)


class SuperCell(nn.Module):
    """A cell whose nodes take all earlier states, with a choice of operations on every edge.

    Weights are kept in banks (see `bank.py`); both executions run on them. The fused one computes
    at once what a group of states contributes to all later ones: operations without weights once,
    convolutions of all edges side by side, the weights of the gates folded into batch norm or one
    contraction. The plain one, which it is tested against, runs one operation on one edge after
    the other.

    Args:
        gates: Of this kind of cell; cells of one kind share them.
        inputs: Number of states that come from outside.
        nodes: Number of states that the cell computes.
        channels: Of every state.
        reduction: Whether edges from the inputs have stride 2.
        options: What the edges are like.
    """

    def __init__(
        self,
        gates: CellGates,
        inputs: int,
        nodes: int,
        channels: int,
        reduction: bool,
        options: SupercellOptions,
    ) -> None:
        super().__init__()
        self.gates, self.inputs, self.nodes = gates, inputs, nodes
        self.channels, self.reduction, self.options = channels, reduction, options
        self.part = channels // options.partial_channels
        self.groups = groups_of(inputs, nodes)
        self.keys: list[list[Key]] = []
        self.banks = nn.ModuleList(self._make_banks(group) for group in self.groups)
        gates.keys = [key for at in range(len(self.groups)) for key, _ in self._weighted(at)]
        # What passes beside the operations of an edge from an input.
        stride = self.stride(self.groups[0])
        self.beside = PartialChannels(nn.Identity(), channels, options.partial_channels, stride)

    # -- weights ------------------------------------------------------------------------------

    def _make_banks(self, group: Group) -> nn.ModuleDict:
        """Make the banks of a group, by the names of their operations."""
        names, banks, stride = self.options.operations, nn.ModuleDict(), self.stride(group)
        self.keys.append([])
        for kind, options in self._families(stride):
            copies = [option for _ in group.sources for option in options for _ in group.targets]
            made = [self.options.operation(option, self.channels, stride) for option in copies]
            bank = kind(made, len(group.edges), len(group.targets))
            bank.strip()
            banks["+".join(names[option] for option in options)] = bank
            self.keys[-1].append((group, options))
        return banks

    def _families(self, stride: int) -> list[tuple[type[Bank], tuple[int, ...]]]:
        """Return the kinds of banks with the options that each holds."""
        families: dict[tuple[type[Bank], int], list[int]] = {}
        for option, name in enumerate(self.options.operations):
            if name != "none":
                kind = bank_class(self.options.operation(option, self.channels, stride))
                families.setdefault((kind, -1 if kind in JOINED else option), []).append(option)
        return [(kind, tuple(options)) for (kind, _), options in families.items()]

    def stride(self, group: Group) -> int:
        """Return the stride of the edges that leave a group."""
        return 2 if self.reduction and group.sources[0] < self.inputs else 1

    def _every(self, at: int) -> Iterator[tuple[Key, Bank]]:
        """Iterate over the banks of a group."""
        banks = self.banks[at]
        assert isinstance(banks, nn.ModuleDict)
        for key, bank in zip(self.keys[at], banks.values(), strict=True):
            assert isinstance(bank, Bank)
            yield key, bank

    def _weighted(self, at: int) -> list[tuple[Key, Bank]]:
        return [(key, bank) for key, bank in self._every(at) if not isinstance(bank, SharedBank)]

    def _shared(self, at: int) -> dict[int, SharedBank]:
        return {k[1][0]: bank for k, bank in self._every(at) if isinstance(bank, SharedBank)}

    def _slot(self, edge: Edge, option: int) -> tuple[Bank, int]:
        """Return the bank of an operation on an edge, and its slot there."""
        at = max(0, edge[1] - self.inputs + 1)
        group = self.groups[at]
        for (_, options), bank in self._every(at):
            if option in options:
                row = group.sources.index(edge[1]) * len(options) + options.index(option)
                return bank, row * len(group.targets) + group.targets.index(edge[0])
        raise NasError(f"no operation {option} on edge {edge}")

    def edge_state(self, target: int, source: int, operation: str) -> dict[str, Tensor]:
        """Return the tensors of one operation on one edge, as views of the stacked ones.

        Names are those of the module that `make_operation` makes.
        """
        if operation == "none":
            return {}
        bank, slot = self._slot((target, source), self.options.operations.index(operation))
        return bank.state(slot)

    def chosen_edges(self, path: Mapping[str, int | tuple[int, ...]]) -> dict[Edge, nn.Module]:
        """Return plain edges with the weights that a path runs; `none` is no edge."""
        kept = {}
        for target in range(self.inputs, self.inputs + self.nodes):
            for source in range(target):
                option = path[self.gates.edge((target, source)).label or ""]
                assert isinstance(option, int)
                if option != self.gates.absent:
                    kept[target, source] = self._plain_module((target, source), option)
        return kept

    def _plain_module(self, edge: Edge, option: int) -> nn.Module:
        group = self.groups[max(0, edge[1] - self.inputs + 1)]
        module = self.options.edge(option, self.channels, self.stride(group))
        op = module.op if isinstance(module, PartialChannels) else module
        assert isinstance(op, nn.Module)
        bank, slot = self._slot(edge, option)
        op.load_state_dict(bank.state(slot))
        return module

    # -- running ------------------------------------------------------------------------------

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Return the states of the nodes, [B, C, H', W'] each, for the input states."""
        selected = self.gates.selected
        if selected is None:
            raise NasError("a cell has nothing selected: run it within its network's forward")
        run = self._fused if self.options.execution == "fused" else self._plain
        return run([*inputs], selected)[self.inputs :]

    def _passed(self, x: Tensor, source: int) -> Tensor:
        """Return what passes beside the operations on the edges that leave a state."""
        rest = x[:, self.part :]
        return self.beside.bypass(rest) if source < self.inputs else rest

    def _zeros(self, states: Sequence[Tensor]) -> Tensor:
        stride = self.stride(self.groups[0])
        return torch.zeros_like(states[0][:, :, ::stride, ::stride])

    # -- fused --------------------------------------------------------------------------------

    def _fused(self, states: list[Tensor], selected: Selected) -> list[Tensor]:
        states = [x.contiguous(memory_format=torch.channels_last) for x in states]
        nodes = range(self.inputs, self.inputs + self.nodes)
        done: dict[int, list[Tensor]] = {node: [] for node in nodes}
        passed: dict[int, list[Tensor]] = {node: [] for node in nodes}
        for at, group in enumerate(self.groups):
            if at:
                states.append(self._node(states, done, passed))
            mine = [states[source] for source in group.sources]
            if selected.targets(group):
                self._leave(at, mine, selected, done)
                if self.part < self.channels:
                    self._leave_beside(group, mine, selected, passed)
        states.append(self._node(states, done, passed))
        return states

    def _leave(
        self, at: int, states: list[Tensor], selected: Selected, done: dict[int, list[Tensor]]
    ) -> None:
        """Compute what the operations contribute from a group of states to later ones."""
        group, banks = self.groups[at], self._shared(at)
        mine = GroupStates([x[:, : self.part] for x in states], self.stride(group))
        sides = []
        for key, bank in self._weighted(at):
            slots = selected.slots(key)
            if slots is not None:
                y = bank.fused(mine, slots, selected.slot_scales(key, self.part))
                sides.append(Side(y, selected.slot_targets(key), bank.parity(mine)))
        results, weights = selected.mixture(group, tuple(banks))
        first = group.sources[0]
        shared = [banks[o].run(mine.states[s - first], s - first) for o, s in results]
        terms = combine(sides, shared, weights)
        for target, term in zip(selected.targets(group), terms, strict=True):
            done[target].append(term)

    def _leave_beside(
        self,
        group: Group,
        states: list[Tensor],
        selected: Selected,
        passed: dict[int, list[Tensor]],
    ) -> None:
        """Compute what passes beside the operations."""
        rest = [self._passed(x, s) for x, s in zip(states, group.sources, strict=True)]
        terms = combine([], rest, selected.beside(group))
        for target, term in zip(selected.targets(group), terms, strict=True):
            passed[target].append(term)

    def _node(
        self, states: list[Tensor], done: dict[int, list[Tensor]], passed: dict[int, list[Tensor]]
    ) -> Tensor:
        node = len(states)
        if not done[node]:
            return self._zeros(states)
        total = _sum(done[node])
        return interleave(total, _sum(passed[node])) if passed[node] else total

    # -- plain --------------------------------------------------------------------------------

    def _plain(self, states: list[Tensor], selected: Selected) -> list[Tensor]:
        shared: dict[tuple[int, int], Tensor] = {}
        for target in range(self.inputs, self.inputs + self.nodes):
            total: Tensor | None = None
            for source in range(target):
                if (target, source) in selected.active:
                    y = self._plain_edge(states[source], (target, source), selected, shared)
                    total = y if total is None else total + y
            states.append(self._zeros(states) if total is None else total)
        return states

    def _plain_edge(
        self,
        x: Tensor,
        edge: Edge,
        selected: Selected,
        shared: dict[tuple[int, int], Tensor],
    ) -> Tensor:
        total: Tensor | None = None
        for option in selected.active[edge]:
            y = self._plain_operation(x[:, : self.part], edge, option, shared)
            scale = selected.scale(edge, option)
            y = y if scale is None else scale * y
            total = y if total is None else total + y
        assert total is not None
        if self.part == self.channels:
            return total
        passed = self._passed(x, edge[1])
        scale = selected.input_scale(edge)
        return self.beside.join(total, passed if scale is None else scale * passed)

    def _plain_operation(
        self, x: Tensor, edge: Edge, option: int, shared: dict[tuple[int, int], Tensor]
    ) -> Tensor:
        """Run one operation; one without weights once a state, for it has one batch norm."""
        bank, slot = self._slot(edge, option)
        if not isinstance(bank, SharedBank):
            return bank.plain(x, slot)
        if (option, edge[1]) not in shared:
            shared[option, edge[1]] = bank.run(x, slot // bank.targets)
        return shared[option, edge[1]]


def _sum(terms: Sequence[Tensor]) -> Tensor:
    if len(terms) < 2:
        return terms[0]
    total = terms[0] + terms[1]
    for term in terms[2:]:
        total += term
    return total

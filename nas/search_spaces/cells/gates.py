"""The gates of a cell, and what they select for one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nas.mutables import Gate, Mutable, Node
from nas.search_spaces.cells.slots import Slots
from nas.space import Decision

_MOST_INDICES = 1000

Edge = tuple[int, int]
"""Target and source state of an edge."""


class CellGate(Mutable):
    """A gate of a cell; it runs nothing itself: the cell asks it what is selected.

    Args:
        label: The name of the gate.
        options: Names of the operations of an edge, or of the states that a node takes.
        choose: How many options an architecture keeps.
        absent: The option that gives only zeros, where there is one.
        node: Where the edge leads, if edges compete there.
    """

    def __init__(
        self,
        label: str,
        options: Sequence[str],
        choose: int = 1,
        absent: int | None = None,
        node: Node | None = None,
    ) -> None:
        super().__init__(label)
        self.options = tuple(options)
        self.choose = choose
        self.absent = absent
        self.node = node

    def gate(self) -> Gate:
        label = self.label or ""
        return Gate(label, self.options, self.choose, absent=self.absent, node=self.node)

    def decision(self) -> Decision:
        raise NotImplementedError("a space of cells has its own decisions")

    def selections(self) -> list[int | tuple[int, ...]]:
        raise NotImplementedError("a space of cells has its own decisions")

    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        return []

    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        del selection
        return nn.Identity()

    def row(self, like: Tensor) -> Tensor:
        """Return the weights of this pass, [options]; of a path, ones and zeros."""
        self.current()
        if isinstance(self.selection, Tensor):
            return self.selection
        row = torch.zeros(len(self.options), dtype=like.dtype, device=like.device)
        row[list(self.active)] = 1.0
        return row


@dataclass(frozen=True)
class Group:
    """States of a cell that become known together and have edges to the same targets.

    Args:
        sources: The states.
        targets: Where their edges lead. Edges are ordered by source, then target.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]

    @property
    def edges(self) -> list[Edge]:
        """All edges, in order."""
        return [(target, source) for source in self.sources for target in self.targets]


def groups_of(inputs: int, nodes: int) -> list[Group]:
    """Return the groups of a cell: its inputs, then every node but the last on its own."""
    last = inputs + nodes
    alone = [Group((node,), tuple(range(node + 1, last))) for node in range(inputs, last - 1)]
    return [Group(tuple(range(inputs)), tuple(range(inputs, last))), *alone]


Key = tuple[Group, tuple[int, ...]]
"""A group and the operations that are kept in one bank."""


@dataclass
class Selected:
    """What runs in one forward pass through the cells of one kind.

    Args:
        active: Edge -> the operations that run on it, `none` not among them. An edge that gives
            only zeros is missing.
        keys: The banks of a cell.
        like: Gives dtype and device of constants.
        indices: Index tensors that were made before.
        scales: What the output of every operation is multiplied by, [edges, operations], its rows
            in the order of `active`; None on a path, where it is 1.
        inputs: The same for what passes beside the operations of an edge, [edges].
    """

    active: dict[Edge, tuple[int, ...]]
    keys: Sequence[Key]
    like: Tensor
    indices: dict[tuple[int, ...], Tensor]
    scales: Tensor | None = None
    inputs: Tensor | None = None
    _slots: dict[Key, Slots | None] = field(default_factory=dict)
    _scales: dict[int, dict[Key, Tensor]] = field(default_factory=dict)
    _mixed: dict[Group, tuple[list[tuple[int, int]], Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._row = {edge: row for row, edge in enumerate(self.active)}

    # -- edge by edge -------------------------------------------------------------------------

    def scale(self, edge: Edge, operation: int) -> Tensor | None:
        """Return the factor of one operation's output on an edge, a scalar; None for 1."""
        return None if self.scales is None else self.scales[self._row[edge], operation]

    def input_scale(self, edge: Edge) -> Tensor | None:
        """Return the factor of what passes beside the operations of an edge; None for 1."""
        return None if self.inputs is None else self.inputs[self._row[edge]]

    # -- group by group -----------------------------------------------------------------------

    def targets(self, group: Group) -> list[int]:
        """Return the targets that anything from a group reaches."""
        return [t for t in group.targets if any((t, s) in self.active for s in group.sources)]

    def slots(self, key: Key) -> Slots | None:
        """Return which slots of a bank run; None: none."""
        if key not in self._slots:
            (group, operations), at, position = key, [], 0
            for source in group.sources:
                for operation in operations:
                    for target in group.targets:
                        if operation in self.active.get((target, source), ()):
                            at.append(position)
                        position += 1
            count = (position, len(group.edges), len(group.targets))
            self._slots[key] = Slots(at, *count) if at else None
        return self._slots[key]

    def slot_targets(self, key: Key) -> tuple[int, ...]:
        """Return, for every slot that runs, the position of its target among those reached."""
        slots, targets = self.slots(key), self.targets(key[0])
        edges = [] if slots is None else slots.edges
        return tuple(targets.index(key[0].edges[edge][0]) for edge in edges)

    def slot_scales(self, key: Key, channels: int) -> Tensor | None:
        """Return the scales of a bank's slots that run, for every channel.

        Returns:
            [slots * channels], the channels of a slot together; None for 1.
        """
        if self.scales is None:
            return None
        if channels not in self._scales:  # for all banks of the cell at once
            self._scales[channels] = self._expanded(channels)
        return self._scales[channels][key]

    def _expanded(self, channels: int) -> dict[Key, Tensor]:
        assert self.scales is not None
        keys = [key for key in self.keys if self.slots(key)]
        wanted = self._index([at for key in keys for at in self._columns(key)])
        column = self.scales.reshape(-1)[wanted][:, None]
        # Batch norm's backward pass misreads weights that are not contiguous.
        wide = column.expand(-1, channels).contiguous().view(-1)
        pieces = torch.split(wide, [len(self._columns(key)) * channels for key in keys])
        return dict(zip(keys, pieces, strict=True))

    def _columns(self, key: Key) -> list[int]:
        """Return where the scales of a bank's slots are in the flat table."""
        slots = self.slots(key)
        if slots is None or self.scales is None:
            return []
        (group, operations), width = key, self.scales.shape[1]
        pairs = zip(slots.edges, slots.operations, strict=True)
        return [self._row[group.edges[e]] * width + operations[o] for e, o in pairs]

    def _index(self, at: Sequence[int]) -> Tensor:
        key = tuple(at)
        if key not in self.indices:
            if len(self.indices) > _MOST_INDICES:  # paths differ in every pass
                self.indices.clear()
            self.indices[key] = torch.tensor(key, dtype=torch.long, device=self.like.device)
        return self.indices[key]

    def mixture(
        self, group: Group, operations: Sequence[int]
    ) -> tuple[list[tuple[int, int]], Tensor]:
        """Return what all edges of a group share and its weights in every target.

        Args:
            group: The states.
            operations: Those that give the same on all edges that leave a state.

        Returns:
            (operation, source) of what runs on any edge, and its weights [targets, results].
        """
        if group not in self._mixed:
            results = [
                (operation, source)
                for operation in operations
                for source in group.sources
                if any(operation in self.active.get((t, source), ()) for t in group.targets)
            ]
            entries = [
                self._entry((target, source), operation)
                for target in self.targets(group)
                for operation, source in results
            ]
            table = None if self.scales is None else self.scales.reshape(-1)
            shape = (len(self.targets(group)), len(results))
            self._mixed[group] = results, self._gather(table, entries, shape)
        return self._mixed[group]

    def _entry(self, edge: Edge, operation: int) -> int | None:
        if operation not in self.active.get(edge, ()):
            return None
        width = 0 if self.scales is None else self.scales.shape[1]
        return self._row[edge] * width + operation

    def _gather(
        self, table: Tensor | None, entries: Sequence[int | None], shape: tuple[int, int]
    ) -> Tensor:
        """Return a table's entries in a shape; 0 for None; without a table 1."""
        if table is None or None in entries:
            zero = self.like.new_zeros(1)
            table = torch.cat([zero, zero + 1 if table is None else table])
            shift = [0 if e is None else 1 + (0 if len(table) == 2 else e) for e in entries]
            return table[self._index(shift)].view(shape)
        return table[self._index([e for e in entries if e is not None])].view(shape)

    def beside(self, group: Group) -> Tensor:
        """Return the weights of what passes beside operations, [targets, sources]."""
        edges = [(target, source) for target in self.targets(group) for source in group.sources]
        entries = [self._row.get(edge) for edge in edges]
        return self._gather(self.inputs, entries, (len(self.targets(group)), len(group.sources)))


class CellGates(nn.Module):
    """The gates that all cells of one kind share: one an edge, and perhaps one a node.

    Args:
        name: Of the kind of cell: "normal", "reduction", "cell".
        operations: Names of the candidates of every edge.
        inputs: Number of states that come from outside.
        nodes: Number of states that the cell computes.
        keep: How many inputs a node of an architecture has, by number of inputs to choose from;
            None: the nodes have no gates.
        in_degree: How many inputs of every node an architecture keeps, the strongest; None: an
            edge is absent where it chooses so.
    """

    def __init__(
        self,
        name: str,
        operations: Sequence[str],
        inputs: int,
        nodes: int,
        keep: Sequence[int] | None = None,
        in_degree: int | None = None,
    ) -> None:
        super().__init__()
        self.operations = tuple(operations)
        self.absent = self.operations.index("none") if "none" in operations else None
        self.selected: Selected | None = None  # what runs in the present forward pass
        self.keys: list[Key] = []  # the banks of the cells, named by the first of them
        self._indices: dict[tuple[int, ...], Tensor] = {}
        self._indices_on: torch.device | None = None
        self.edges = nn.ModuleDict()
        self.nodes = nn.ModuleDict()
        for target in range(inputs, inputs + nodes):
            node = None if in_degree is None else Node(f"{name}/{target}", in_degree)
            for source in range(target):
                label = f"{name}/{target}<-{source}"
                gate = CellGate(label, self.operations, absent=self.absent, node=node)
                self.edges[f"{target}<-{source}"] = gate
            if keep is not None:
                sources = [str(source) for source in range(target)]
                gate = CellGate(f"{name}/{target}", sources, keep[target - inputs])
                self.nodes[str(target)] = gate
        pairs = [(t, s) for t in range(inputs, inputs + nodes) for s in range(t)]
        self.order: list[Edge] = sorted(pairs, key=lambda edge: (edge[1], edge[0]))

    def edge(self, edge: Edge) -> CellGate:
        """Return the gate over the operations of an edge."""
        gate = self.edges[f"{edge[0]}<-{edge[1]}"]
        assert isinstance(gate, CellGate)
        return gate

    def node(self, target: int) -> CellGate | None:
        """Return the gate over the inputs of a node, if there is one."""
        gate = self.nodes[str(target)] if str(target) in self.nodes else None  # noqa: SIM401
        assert gate is None or isinstance(gate, CellGate)
        return gate

    def select(self, like: Tensor) -> Selected:
        """Read what all gates select, for one forward pass of all cells of this kind.

        Args:
            like: Gives dtype and device of weights that are made here.
        """
        active = {edge: operations for edge in self.order if (operations := self._active(edge))}
        gates = [self.edge(edge) for edge in active]
        nodes = [node for target, _ in active if (node := self.node(target)) is not None]
        if self._indices_on != like.device:
            self._indices, self._indices_on = {}, like.device
        selected = Selected(active, self.keys, like, self._indices)
        mixed = [isinstance(gate.selection, Tensor) for gate in (*gates, *nodes)]
        if any(mixed):
            scales = torch.stack([gate.row(like) for gate in gates])
            if any(mixed[len(gates) :]):
                selected.inputs = self._inputs(list(active), like)
                scales = scales * selected.inputs[:, None]
            selected.scales = scales
        return selected

    def _active(self, edge: Edge) -> tuple[int, ...]:
        """Return the operations of an edge that run; none where the edge is off."""
        target, source = edge
        node = self.node(target)
        if node is not None:
            node.current()
            if source not in node.active:
                return ()
        gate = self.edge(edge)
        gate.current()
        return tuple(operation for operation in gate.active if operation != self.absent)

    def _inputs(self, edges: list[Edge], like: Tensor) -> Tensor:
        """Return the weight of every edge in the gate of its node."""
        rows: dict[int, tuple[Tensor, ...]] = {}
        for target, _ in edges:
            node = self.node(target)
            assert node is not None
            if target not in rows:
                rows[target] = node.weights or node.row(like).unbind()
        return torch.stack([rows[target][source] for target, source in edges])


@contextmanager
def selecting(gates: Iterable[CellGates], x: Tensor) -> Iterator[None]:
    """Let cells run what their gates select, for the time of a forward pass on x."""
    every = list(gates)
    try:
        for kind in every:
            kind.selected = kind.select(x)
        yield
    finally:
        for kind in every:
            kind.selected = None

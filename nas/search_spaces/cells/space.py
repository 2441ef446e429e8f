"""What the spaces of stacked normal and reduction cells have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx

from nas.errors import NasError, unknown
from nas.settings import fill
from nas.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.search_spaces.cells.network import Genotype
    from nas.task import TaskInfo

__all__ = ["CELLS", "GenotypeSpace", "image_shape"]

CELLS = ("normal", "reduction")


def image_shape(task: TaskInfo, space: str) -> tuple[int, int, int]:
    """Return (C, H, W) of a task; raises `NasError` where its inputs are not images."""
    if len(task.input_shape) != 3:
        raise NasError(
            f"space '{space}' needs images [C, H, W]; the task has inputs of shape "
            f"{list(task.input_shape)}"
        )
    channels, height, width = task.input_shape
    return channels, height, width


class GenotypeSpace(SearchSpace):
    """Cells written as `Genotype(...)`: every node adds two operations on two earlier states.

    A subclass sets `nodes` and `operations`, maps architectures to genotypes and back, and says
    which states a cell concatenates.
    """

    nodes: int
    operations: tuple[str, ...]
    identity_ops = frozenset({"skip_connect"})

    @abstractmethod
    def genotype(self, architecture: Architecture) -> Genotype:
        """Return an architecture in the papers' form."""

    @abstractmethod
    def from_pairs(self, cells: Sequence[Sequence[tuple[str, int]]]) -> Architecture:
        """Return the architecture of two cells' (operation, state) pairs, two a node."""

    @abstractmethod
    def concat(self, pairs: Sequence[tuple[str, int]]) -> list[int]:
        """Return the states that a cell concatenates."""

    # -- text and graph -----------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        from nas.search_spaces.cells.genotypes import format_genotype

        return format_genotype(self.genotype(architecture))

    def parse(self, text: str) -> Architecture:
        from nas.search_spaces.cells.genotypes import parse_genotype

        genotype = parse_genotype(text)
        cells = [
            (genotype.normal, genotype.normal_concat, "normal"),
            (genotype.reduce, genotype.reduce_concat, "reduce"),
        ]
        for pairs, concat, name in cells:
            self._check_pairs(pairs, name)
            if sorted(concat) != self.concat(pairs):
                raise NasError(
                    f"genotype: {name}_concat={concat!s:.80}; space '{self.name}' has "
                    f"{self.concat(pairs)}"
                )
        return self.require(self.from_pairs([genotype.normal, genotype.reduce]))

    def _check_pairs(self, pairs: Sequence[tuple[str, int]], cell: str) -> None:
        if len(pairs) != 2 * self.nodes:
            raise NasError(
                f"genotype: {cell} has {len(pairs)} pairs; space '{self.name}' needs "
                f"{2 * self.nodes}, two a node"
            )
        for position, (operation, state) in enumerate(pairs):
            node = 2 + position // 2
            if operation not in self.operations:
                where = f"operation at {cell}[{position}]"
                raise unknown(where, operation, self.operations)
            if not 0 <= state < node:
                raise NasError(
                    f"genotype: {cell}[{position}] is an impossible edge: node {node} cannot take "
                    f"state {state}; allowed is 0 to {node - 1}"
                )

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        genotype = self.genotype(architecture)
        cells = (
            (genotype.normal, genotype.normal_concat),
            (genotype.reduce, genotype.reduce_concat),
        )
        for cell, (pairs, concat) in zip(CELLS, cells, strict=True):
            names = ["c_{k-2}", "c_{k-1}", *(str(node) for node in range(self.nodes))]
            states = [f"{cell}/{name}" for name in names]
            for state, name in enumerate(names):
                kind, op = ("input", name) if state < 2 else ("node", "add")
                graph.add_node(states[state], op=op, kind=kind, cell=cell, label=name)
            for position, (operation, source) in enumerate(pairs):
                target = 2 + position // 2
                edge = f"{cell}/{target - 2}.{position % 2}"
                graph.add_node(edge, op=operation, kind="op", cell=cell)
                graph.add_edge(states[source], edge)
                graph.add_edge(edge, states[target])
            output = f"{cell}/c_{{k}}"
            graph.add_node(output, op="concat", kind="output", cell=cell, label="c_{k}")
            graph.add_edges_from((states[state], output) for state in concat)
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.cells.network import CellNetwork
        from nas.search_spaces.cells.settings import CellNetworkSettings

        chosen = fill(CellNetworkSettings, settings, "network")
        channels, height, _ = image_shape(task, self.name)
        config = {
            "genotype": self.genotype(self.require(architecture)),
            "input_channels": channels,
            "input_size": height,
            "classes": task.outputs,
            **vars(chosen),
        }
        network = CellNetwork(**config)
        network.config = config
        return network

    def network_defaults(self, scale: str) -> dict[str, Any]:
        if scale == "paper":
            return {"channels": 36, "layers": 20, "auxiliary": True}
        return {"channels": 16, "layers": 5}

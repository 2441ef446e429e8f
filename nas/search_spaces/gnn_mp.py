"""The search space of GNAS-MP: cells of three stages of message passing, and their number.

Source: Cai et al., Rethinking Graph Neural Architecture Search from Message-passing, CVPR 2021,
arXiv:2103.14282, sec. 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from nas import registry
from nas.errors import NasError, unknown
from nas.search_spaces.graph.cell_edges import edge_names
from nas.search_spaces.graph.space import GraphSpace, HiddenSettings
from nas.search_spaces.sliced.groups import fill_group
from nas.settings import setting
from nas.space import Architecture, Decision, Path, Scores

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["GNNMP", "MPSettings"]

FILTERS = ("none", "identity", "sparse", "dense")
AGGREGATIONS = ("identity", "mean", "sum", "max")
DEPTHS = (1, 2, 4, 8)
CELLS = ("alike", "own")


@dataclass
class MPSettings(HiddenSettings):
    """Settings of the network, and of the supernet."""

    dropout: float = setting(0.0, "share of the features that is dropped in training")


@registry.register(
    "search_spaces",
    "gnn-mp",
    "graph networks of cells of three stages: filter, aggregate, filter; and how many cells",
    "Cai et al., Rethinking Graph Neural Architecture Search from Message-passing (GNAS-MP), CVPR "
    "2021, arXiv:2103.14282",
)
class GNNMP(GraphSpace):
    """A filter on every edge of the first and third stage, an aggregation on those of the second.

    With 3 nodes a stage there are 18 edges of 4 operations each, and 4 depths: 4^19 architectures
    of cells that are alike. With cells of their own, as in GNAS-MP, a cell's decisions are active
    where there are so many cells: 4^18 + 4^36 + 4^72 + 4^144.

    Args:
        nodes: States a stage.
        cells: "alike", or "own": every cell is chosen for itself.
    """

    name = "gnn-mp"
    description = "graph networks of three-stage message-passing cells, and their number"
    identity_ops = frozenset({"identity"})

    def __init__(self, nodes: int = 3, cells: str = "alike") -> None:
        if nodes < 1:
            raise NasError(f"space 'gnn-mp': nodes={nodes}; at least 1 is needed")
        if cells not in CELLS:
            raise unknown("cells of space 'gnn-mp'", cells, CELLS)
        self._take_options(nodes=nodes, cells=cells)
        self.nodes, self.cells = nodes, cells
        self._depth = Decision("depth", DEPTHS, ordered=True)
        if cells == "alike":
            self._edges = [self._of_cell("", ())] * max(DEPTHS)
            self.decisions = (*self._edges[0].values(), self._depth)
        else:
            self._edges = [self._own(number) for number in range(1, max(DEPTHS) + 1)]
            self.decisions = (self._depth, *(d for cell in self._edges for d in cell.values()))

    def _own(self, number: int) -> dict[str, Decision]:
        deep = tuple(depth for depth in DEPTHS if depth >= number)
        return self._of_cell(f"cell{number}/", (("depth", deep),) if deep != DEPTHS else ())

    def _of_cell(self, prefix: str, when: Any) -> dict[str, Decision]:
        """Return the decision of every edge of a cell, by the edge's name."""
        return {
            name: Decision(
                f"{prefix}{stage}/{target}<-{source}",
                AGGREGATIONS if stage == "second" else FILTERS,
                when=when,
            )
            for name, stage, target, source in edge_names(self.nodes)
        }

    def _operations(self, architecture: Architecture) -> list[dict[str, str]]:
        """Return the operation of every edge, by name, of every cell that there is."""
        options = self.options(architecture)
        depth = options["depth"]
        assert isinstance(depth, int)
        return [
            {name: str(options[decision.name]) for name, decision in cell.items()}
            for cell in self._edges[:depth]
        ]

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return the cells; of cells that are alike one, with their number in its output's label.

        Cells of their own are drawn side by side; each takes what the one before it gives.
        """
        graph: nx.DiGraph[str] = nx.DiGraph()
        cells = self._operations(architecture)
        if self.cells == "alike":
            self._draw(graph, "", cells[0], f"concat, {len(cells)} cells")
            return graph
        for number, operations in enumerate(cells, 1):
            self._draw(graph, f"cell{number}/", operations, "concat")
        for node in graph:
            graph.nodes[node]["cell"] = node.partition("/")[0]
        return graph

    def _draw(
        self, graph: nx.DiGraph[str], prefix: str, operations: Mapping[str, str], output: str
    ) -> None:
        """Add a cell; the names of its nodes start with a prefix."""
        graph.add_node(f"{prefix}0", op="input", kind="input")
        for name, stage, target, source in edge_names(self.nodes):
            edge = f"{prefix}{stage}/{target}<-{source}"
            graph.add_node(f"{prefix}{target}", op="add", kind="node")
            graph.add_node(edge, op=operations[name], kind="op")
            graph.add_edges_from([(f"{prefix}{source}", edge), (edge, f"{prefix}{target}")])
        graph.add_node(f"{prefix}output", op=output, kind="output")
        last = range(2 * self.nodes + 1, 3 * self.nodes + 1)
        graph.add_edges_from((f"{prefix}{state}", f"{prefix}output") for state in last)

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.graph.mp import MPNetwork

        config: dict[str, Any] = {
            "operations": self._operations(self.require(architecture)),
            **self._shapes(task, settings, "network"),
        }
        network = MPNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.graph.mp_supernetwork import MPSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        shapes = self._shapes(task, without_cells(options, self.name), "supernet")
        return Supernet(MPSupernetwork(self._edges, self._depth, **shapes), self.path)

    def _shapes(self, task: TaskInfo, settings: dict[str, Any], group: str) -> dict[str, Any]:
        chosen = fill_group(MPSettings, settings, group)
        return {
            "features": self.features(task),
            "classes": task.outputs,
            "nodes": self.nodes,
            "edge_features": task.edge_features,
            **vars(chosen),
        }

    def network_defaults(self, scale: str) -> dict[str, Any]:
        return {"hidden": 64} if scale == "paper" else {"hidden": 32}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return self.network_defaults(scale)

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision, `none` among them."""
        choices = [int(scores[decision.name].argmax()) for decision in self.decisions]
        row = np.array([choices], dtype=np.int64)
        return self.from_array(np.where(self.active(row), row, 0))[0]

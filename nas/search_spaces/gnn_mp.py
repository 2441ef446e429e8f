"""The search space of GNAS-MP: cells of three stages of message passing, and their number.

Source: Cai et al., Rethinking Graph Neural Architecture Search from Message-passing, CVPR 2021,
arXiv:2103.14282, sec. 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx

from nas import registry
from nas.errors import NasError
from nas.search_spaces.graph.cell_edges import edge_names
from nas.search_spaces.graph.space import GraphSpace, HiddenSettings
from nas.settings import fill, setting
from nas.space import Architecture, Decision, Path, Scores

if TYPE_CHECKING:
    from torch import nn

    from nas.supernet import Supernet
    from nas.task import TaskInfo

__all__ = ["GNNMP", "MPSettings"]

FILTERS = ("none", "identity", "sparse", "dense")
AGGREGATIONS = ("identity", "mean", "sum", "max")
DEPTHS = (1, 2, 4, 8)


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

    With 3 nodes a stage there are 18 edges of 4 operations each, and 4 depths: 4^19 architectures.
    All cells are alike; GNAS-MP chooses every cell for itself.

    Args:
        nodes: States a stage.
    """

    name = "gnn-mp"
    description = "graph networks of three-stage message-passing cells, and their number"
    identity_ops = frozenset({"identity"})

    def __init__(self, nodes: int = 3) -> None:
        if nodes < 1:
            raise NasError(f"space 'gnn-mp': nodes={nodes}; at least 1 is needed")
        self._take_options(nodes=nodes)
        self.nodes = nodes
        self._edges = {
            name: Decision(
                f"{stage}/{target}<-{source}", AGGREGATIONS if stage == "second" else FILTERS
            )
            for name, stage, target, source in edge_names(nodes)
        }
        self.decisions = (*self._edges.values(), Decision("depth", DEPTHS, ordered=True))

    def _operations(self, architecture: Architecture) -> dict[str, str]:
        options = self.options(architecture)
        return {name: str(options[decision.name]) for name, decision in self._edges.items()}

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return a cell; how often it is repeated is part of its output's label."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("0", op="input", kind="input")
        operations = self._operations(architecture)
        for name, stage, target, source in edge_names(self.nodes):
            edge = f"{stage}/{target}<-{source}"
            graph.add_node(str(target), op="add", kind="node")
            graph.add_node(edge, op=operations[name], kind="op")
            graph.add_edges_from([(str(source), edge), (edge, str(target))])
        depth = self.options(architecture)["depth"]
        graph.add_node("output", op=f"concat, {depth} cells", kind="output")
        last = range(2 * self.nodes + 1, 3 * self.nodes + 1)
        graph.add_edges_from((str(state), "output") for state in last)
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.graph.mp import MPNetwork

        config: dict[str, Any] = {
            "operations": self._operations(self.require(architecture)),
            "depth": self.options(architecture)["depth"],
            **self._shapes(task, settings, "network"),
        }
        network = MPNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.search_spaces.graph.mp_supernetwork import MPSupernetwork
        from nas.search_spaces.sliced.options import without_cells
        from nas.supernet import Supernet

        shapes = self._shapes(task, without_cells(options, self.name), "supernet")
        return Supernet(MPSupernetwork(self._edges, self.decisions[-1], **shapes), self.path)

    def _shapes(self, task: TaskInfo, settings: dict[str, Any], group: str) -> dict[str, Any]:
        chosen = fill(MPSettings, settings, group)
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
        choices = (int(scores[decision.name].argmax()) for decision in self.decisions)
        return Architecture(self.name, tuple(choices))

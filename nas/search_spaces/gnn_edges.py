"""Graph networks that learn a state of the edges beside that of the nodes.

Source: Cai et al., Edge-featured Graph Neural Architecture Search (EGNAS), arXiv:2109.01356; Cai et
al., Automatic Relation-aware Graph Network Proliferation (ARGNP), CVPR 2022, arXiv:2205.15678,
whose code, phython96/ARGNP, says the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx

from nas import registry
from nas.errors import NasError
from nas.search_spaces.graph.space import GraphSpace, HiddenSettings
from nas.search_spaces.sliced.groups import fill_group
from nas.settings import require_ranges, setting
from nas.space import Architecture, Decision, Path, Scores

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["GNNEdges", "GNNEdgesSettings"]

NODE_UPDATES = ("none", "identity", "mean", "sum", "max", "std", "gem2", "gem3")
EDGE_UPDATES = ("none", "identity", "sub", "gauss", "max", "sum", "mean", "had")
UPDATES = {"node": NODE_UPDATES, "edge": EDGE_UPDATES}
_PASSIVE = ("none", "identity")  # they take no part of the other state


@dataclass
class GNNEdgesSettings(HiddenSettings):
    """Settings of the network, and of the supernet."""

    dropout: float = setting(0.0, "share of the features that is dropped in training")
    hidden: int = setting(50, "features of a state of the nodes")
    edge_hidden: int = setting(25, "features of a state of the edges")
    cells: int = setting(4, "cells one after the other")

    def __post_init__(self) -> None:
        super().__post_init__()
        ranges: dict[str, tuple[bool, str]] = {
            "edge_hidden": (self.edge_hidden >= 1, "at least 1"),
            "cells": (self.cells >= 2, "at least 2: edges of a cell act on the nodes of the next"),
        }
        require_ranges(self, self.group, ranges)


@registry.register(
    "search_spaces",
    "gnn-edges",
    "graph networks of cells with states of nodes and of edges, 8 updates each",
    "Cai et al., Edge-featured Graph Neural Architecture Search (EGNAS), arXiv:2109.01356; "
    "Automatic Relation-aware Graph Network Proliferation (ARGNP), CVPR 2022, arXiv:2205.15678",
)
class GNNEdges(GraphSpace):
    """An update of every earlier pair of states: of the nodes, and of the edges.

    Nodes are updated by messages over edges, edges by functions of their two nodes. A cell sees the
    two before, and gives all its states joined. With 2 states there are 10 updates of 8 kinds: 8^10
    architectures. All cells are alike; ARGNP chooses every cell for itself.

    Args:
        states: Of the nodes, and of the edges, in a cell.
    """

    name = "gnn-edges"
    description = "graph networks of cells with states of nodes and of edges"
    identity_ops = frozenset({"identity", "edge identity"})

    def __init__(self, states: int = 2) -> None:
        if states < 1:
            raise NasError(f"space 'gnn-edges': states={states}; at least 1 is needed")
        self._take_options(states=states)
        self.states = states
        self._updates = {
            f"{kind}{target}_{source}": Decision(f"{kind}/{target}<-{source}", options)
            for kind, options in UPDATES.items()
            for target in range(2, states + 2)
            for source in range(target)
        }
        self.decisions = tuple(self._updates.values())

    def _chosen(self, architecture: Architecture) -> dict[str, str]:
        options = self.options(architecture)
        return {name: str(options[decision.name]) for name, decision in self._updates.items()}

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return a cell: states v of the nodes, e of the edges; updates of edges are so named."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        for letter in ("v", "e"):
            for state, label in (("0", f"{letter}_{{k-2}}"), ("1", f"{letter}_{{k-1}}")):
                graph.add_node(letter + state, op=label, kind="input")
        for target in range(2, self.states + 2):
            for letter in ("v", "e"):
                graph.add_node(f"{letter}{target}", op="add", kind="node")
        for decision in self.decisions:
            self._draw(graph, decision.name, str(self.options(architecture)[decision.name]))
        for letter in ("v", "e"):
            graph.add_node(f"{letter}_{{k}}", op="concat", kind="output")
            states = range(self.states + 2)
            graph.add_edges_from((f"{letter}{state}", f"{letter}_{{k}}") for state in states)
        return graph

    @staticmethod
    def _draw(graph: nx.DiGraph[str], name: str, update: str) -> None:
        kind, _, place = name.partition("/")
        target, _, source = place.partition("<-")
        own, other = ("v", "e") if kind == "node" else ("e", "v")
        graph.add_node(name, op=update if kind == "node" else f"edge {update}", kind="op")
        graph.add_edges_from([(own + source, name), (name, own + target)])
        if update not in _PASSIVE:
            graph.add_edge(other + source, name)

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.graph.edge_network import EdgeNetwork

        config: dict[str, Any] = {
            "updates": self._chosen(self.require(architecture)),
            **self._shapes(task, settings, "network"),
        }
        network = EdgeNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.graph.edge_supernetwork import EdgeSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        shapes = self._shapes(task, without_cells(options, self.name), "supernet")
        return Supernet(EdgeSupernetwork(self._updates, **shapes), self.path)

    def _shapes(self, task: TaskInfo, settings: dict[str, Any], group: str) -> dict[str, Any]:
        chosen = fill_group(GNNEdgesSettings, settings, group)
        return {
            "features": self.features(task),
            "classes": task.outputs,
            "states": self.states,
            "edge_features": task.edge_features,
            "graphs": task.kind == "graphs",
            **vars(chosen),
        }

    def network_defaults(self, scale: str) -> dict[str, Any]:
        return {} if scale == "paper" else {"hidden": 32, "edge_hidden": 16, "cells": 2}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return self.network_defaults(scale)

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision, `none` among them."""
        choices = (int(scores[decision.name].argmax()) for decision in self.decisions)
        return Architecture(self.name, tuple(choices))

"""The cell search space of GraphNAS.

Source: Gao et al., Graph Neural Architecture Search, IJCAI 2020, arXiv:1904.09981; its code,
GraphNAS/GraphNAS (micro_search_space.py).
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

__all__ = ["GNNMicro", "MicroSettings"]

OPERATIONS = (
    "gat_8", "gat_6", "gat_4", "gat_2", "gat_1", "gcn", "cheb", "sage", "arma", "sg", "linear",
    "zero",
)  # fmt: skip
ACTIVATIONS = ("sigmoid", "tanh", "relu", "linear", "elu")
COMBINE = ("add", "product", "concat")


@dataclass
class MicroSettings(HiddenSettings):
    """Settings of the network, and of the supernet."""

    cells: int = setting(2, "cells one after the other")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, self.group, {"cells": (self.cells >= 1, "at least 1")})


@registry.register(
    "search_spaces",
    "gnn-micro",
    "graph networks of a repeated cell: 2 nodes of 12 operations, activation, combination",
    "Gao et al., Graph Neural Architecture Search (GraphNAS), IJCAI 2020, arXiv:1904.09981",
)
class GNNMicro(GraphSpace):
    """What nodes take and do, the activation, how they are combined: with 2 nodes 12,960 ways.

    A node takes one of the two cells before (0 the older one) or an earlier node. GraphNAS chooses
    hidden size and dropout (settings here), learning rate and weight decay (the evaluator's) too.

    Args:
        nodes: How many a cell has.
    """

    name = "gnn-micro"
    description = "graph networks of a repeated cell, nodes with 12 operations"

    def __init__(self, nodes: int = 2) -> None:
        if nodes < 1:
            raise NasError(f"space 'gnn-micro': nodes={nodes}; at least 1 is needed")
        self._take_options(nodes=nodes)
        self.nodes = range(1, nodes + 1)
        own = [
            decision
            for node in self.nodes
            for decision in (
                Decision(f"node{node}/input", tuple(range(node + 1))),
                Decision(f"node{node}/op", OPERATIONS),
            )
        ]
        self.decisions = (
            *own,
            Decision("activation", ACTIVATIONS),
            Decision("combine", COMBINE),
        )

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        options = self.options(architecture)
        graph: nx.DiGraph[str] = nx.DiGraph()
        states = ["c_{k-2}", "c_{k-1}"]
        for state in states:
            graph.add_node(state, op=state, kind="input")
        for node in self.nodes:
            source = options[f"node{node}/input"]
            assert isinstance(source, int)
            graph.add_node(f"node{node}", op=str(options[f"node{node}/op"]), kind="op")
            graph.add_edge(states[source], f"node{node}")
            graph.add_edge(f"node{node}", "combine")
            states.append(f"node{node}")
        graph.add_node("combine", op=str(options["combine"]), kind="node")
        graph.add_node("activation", op=str(options["activation"]), kind="op")
        graph.add_node("c_{k}", op="c_{k}", kind="output")
        graph.add_edge("combine", "activation")
        graph.add_edge("activation", "c_{k}")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.graph.micro import MicroNetwork

        chosen = fill_group(MicroSettings, settings, "network")
        options = self.options(self.require(architecture))
        config: dict[str, Any] = {
            "inputs": [options[f"node{node}/input"] for node in self.nodes],
            "operations": [options[f"node{node}/op"] for node in self.nodes],
            "activation": options["activation"],
            "combined": options["combine"],
            "features": self.features(task),
            "classes": task.outputs,
            **vars(chosen),
        }
        network = MicroNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.graph.micro_supernetwork import MicroSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        chosen = fill_group(MicroSettings, without_cells(options, self.name), "supernet")
        decisions = {decision.name: decision for decision in self.decisions}
        features = self.features(task)
        network = MicroSupernetwork(decisions, features, task.outputs, **vars(chosen))
        return Supernet(network, self.path)

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision."""
        choices = (int(scores[decision.name].argmax()) for decision in self.decisions)
        return Architecture(self.name, tuple(choices))

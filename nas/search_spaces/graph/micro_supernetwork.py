"""The network of GraphNAS's cell space with everything a choice: what `Supernet` wraps.

What takes the output of a cell has weights of its own for concatenated nodes, whose width differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from nas.mutables import OneOf
from nas.search_spaces.graph.macro import ACTIVATIONS
from nas.search_spaces.graph.micro import MicroNetwork, combine
from nas.search_spaces.graph.operations import make_operation
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.sparse_features import FeatureLinear, Features, dropped
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.sliced.choice import Choice
from nas.space import Decision

__all__ = ["MicroSupernetwork"]

Given = Features | Mapping[str, Tensor]
"""The graph's features, or what a cell gives by how its nodes are combined."""


class CellGates(nn.Module):
    """The choices that all cells share, other than the operations.

    Args:
        decisions: By name: "node1/input" ..., "activation", "combine".
    """

    def __init__(self, decisions: Mapping[str, Decision]) -> None:
        super().__init__()
        inputs = [d for name, d in decisions.items() if name.endswith("/input")]
        self.inputs = nn.ModuleList(Choice[int](decision) for decision in inputs)
        self.activation = Choice[str](decisions["activation"])
        self.combine = Choice[str](decisions["combine"])

    def input(self, number: int) -> Choice[int]:
        """Return the choice of what a node takes, counted from 0."""
        choice = self.inputs[number]
        assert isinstance(choice, Choice)
        return choice


class Reader(nn.Module):
    """A linear layer on what a cell gives, one for concatenated nodes and one for all else.

    Args:
        gates: Of the cells.
        hidden: Features of a node.
        nodes: How many are concatenated.
        c_out: Features that it gives.
    """

    def __init__(self, gates: CellGates, hidden: int, nodes: int, c_out: int) -> None:
        super().__init__()
        self.gates = gates
        self.narrow, self.wide = nn.Linear(hidden, c_out), nn.Linear(nodes * hidden, c_out)

    def layer(self, combined: str) -> nn.Linear:
        """Return the layer for nodes that are combined in one way."""
        return self.wide if combined == "concat" else self.narrow

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return [N, c_out]."""
        return self.gates.combine.mix(lambda name: self.layer(name)(given[name]))


class MicroSuperCell(nn.Module):
    """`MicroCell` with a choice of everything.

    Args:
        gates: That all cells share.
        operations: The decisions of what nodes do.
        stems: What brings the inputs to the hidden size.
        hidden: Features of a node.
    """

    def __init__(
        self,
        gates: CellGates,
        operations: Sequence[Decision],
        stems: Sequence[nn.Module],
        hidden: int,
    ) -> None:
        super().__init__()
        self.gates, self.stems = gates, nn.ModuleList(stems)
        self.nodes = nn.ModuleList(_one_of(decision, hidden) for decision in operations)

    def forward(self, one: Given, two: Given, edges: Structure) -> dict[str, Tensor]:
        """Return what the cell gives by how its nodes are combined."""
        states = [stem(x) for stem, x in zip(self.stems, (one, two), strict=True)]
        for number, node in enumerate(self.nodes):
            x = self.gates.input(number).mix(lambda source: states[source])
            states.append(node(x, edges))
        found, choice = {}, self.gates.combine
        for name in (choice.options[i] for i in choice.active):
            joined = combine(name, states[2:])
            found[name] = self._activated(joined)
        return found

    def _activated(self, x: Tensor) -> Tensor:
        return self.gates.activation.mix(lambda name: ACTIVATIONS[name](x))


class MicroSupernetwork(nn.Module):
    """`MicroNetwork` with a choice of everything; all cells share their choices.

    Args:
        decisions: Of the space, by name.
        features, classes, cells, hidden, dropout, pool: As for `MicroNetwork`.
    """

    def __init__(
        self,
        decisions: Mapping[str, Decision],
        features: int,
        classes: int,
        cells: int,
        hidden: int,
        dropout: float,
        pool: str,
    ) -> None:
        super().__init__()
        self.settings = {
            "features": features, "classes": classes, "cells": cells, "hidden": hidden,
            "dropout": dropout, "pool": pool,
        }  # fmt: skip
        self.dropout, self.pool = dropout, pool
        self.gates = CellGates(decisions)
        operations = [d for name, d in decisions.items() if name.endswith("/op")]
        count = len(operations)
        self.cells = nn.ModuleList()
        for number in range(cells):
            stems = [
                FeatureLinear(features, hidden)
                if number + place < 2
                else Reader(self.gates, hidden, count, hidden)
                for place in (0, 1)
            ]
            self.cells.append(MicroSuperCell(self.gates, operations, stems, hidden))
        self.classifier = Reader(self.gates, hidden, count, classes)

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x = dropped(graph.features, self.dropout, self.training)
        edges = Structure.of(graph)
        one: Given = x
        two: Given = x
        for cell in self.cells:
            one, two = two, cell(one, two, edges)
        assert isinstance(two, Mapping)
        rows = {name: read_out(given, graph, self.pool) for name, given in two.items()}
        logits: Tensor = self.classifier(rows)
        return logits

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with the modules that it uses."""
        gates = self.gates
        names = {c.label or "": c.options for c in (gates.activation, gates.combine)}
        activation, combined = (_chosen(path, label, names[label]) for label in names)
        inputs = [
            _chosen(path, choice.label, choice.options)
            for choice in map(gates.input, range(len(gates.inputs)))
        ]
        own = [cell for cell in self.cells if isinstance(cell, MicroSuperCell)]
        nodes = [node for node in own[0].nodes if isinstance(node, OneOf)]
        config: dict[str, Any] = {
            "inputs": inputs,
            "operations": [_chosen(path, node.label, list(node.candidates)) for node in nodes],
            "activation": activation,
            "combined": combined,
        } | self.settings
        network = MicroNetwork(**config).to(next(self.parameters()))
        network.config = config
        for plain, cell in zip(network.cells, own, strict=True):
            plain.stems = nn.ModuleList(_plain(stem, combined) for stem in cell.stems)
            plain.nodes = cell.nodes  # collapsed later
        network.classifier = self.classifier.layer(combined)
        return network.train(self.training)


def _plain(stem: nn.Module, combined: str) -> nn.Module:
    return stem.layer(combined) if isinstance(stem, Reader) else stem


def _chosen(path: Mapping[str, Any], label: str | None, options: Sequence[Any]) -> Any:
    return options[path[label or ""]]


def _one_of(decision: Decision, hidden: int) -> OneOf:
    names = [str(option) for option in decision.options]
    return OneOf({name: make_operation(name, hidden) for name in names}, label=decision.name)

"""Where in a user's module mutables stand: in a row, inside each other, more than once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Place", "graph_of", "places_of"]


@dataclass(frozen=True)
class Place:
    """A mutable.

    Args:
        label: Of its decision.
        summed: Names of the candidates of which several run and are added; empty otherwise.
        parts: The modules inside, each with the options of the decision under which it runs and
            the mutables in it. For a sum they are in the order of `summed`.
    """

    label: str
    summed: tuple[str, ...]
    parts: tuple[tuple[tuple[int, ...], tuple[Place, ...]], ...]


def places_of(module: nn.Module) -> tuple[Place, ...]:
    """Return the mutables of a module, in its order; those inside others are in their parts."""
    from nas.mutables import Mutable, SomeOf

    if not isinstance(module, Mutable):
        return tuple(place for child in module.children() for place in places_of(child))
    parts = tuple((options, places_of(part)) for part, options in module.parts())
    several = isinstance(module, SomeOf) and module.choose > 1
    summed = tuple(module.gate().options) if several else ()
    return (Place(module.label or "", summed, parts),)


def graph_of(
    places: Sequence[Place], chosen: Mapping[str, int], options: Mapping[str, object]
) -> nx.DiGraph[str]:
    """Draw what is chosen of mutables.

    Args:
        places: Of the whole module.
        chosen: Active decisions: label -> index of the option.
        options: The same: label -> option.

    Returns:
        What follows each other in the module is a chain. The candidates of a sum are side by side;
        what is chosen inside an option follows it.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node("=input", op="input", kind="input")  # no decision has "=" in its name
    last = _Drawing(graph, chosen, options).row(places, "=input")
    graph.add_node("=output", op="output", kind="output")
    graph.add_edge(last, "=output")
    return graph


class _Drawing:
    """Adds nodes."""

    def __init__(
        self, graph: nx.DiGraph[str], chosen: Mapping[str, int], options: Mapping[str, object]
    ) -> None:
        self.graph, self.chosen, self.options = graph, chosen, options

    def row(self, places: Sequence[Place], last: str) -> str:
        """Add mutables one after the other; return the last node."""
        for place in places:
            if place.label in self.chosen:
                last = self._sum(place, last) if place.summed else self._choice(place, last)
        return last

    def _choice(self, place: Place, last: str) -> str:
        text = f"{place.label}: {self.options[place.label]}"
        node = self._add(place.label, text, "op", last)
        for options, inner in place.parts:
            if self.chosen[place.label] in options:
                node = self.row(inner, node)
        return node

    def _sum(self, place: Place, last: str) -> str:
        ends = []
        for name, (options, inner) in zip(place.summed, place.parts, strict=True):
            if self.chosen[place.label] in options:
                text = f"{place.label}: {name}"
                ends.append(self.row(inner, self._add(f"{place.label}={name}", text, "op", last)))
        total = self._add(f"{place.label}=", "sum", "node", ends[0])
        self.graph.nodes[total]["label"] = " ".join(total.replace("=", " ").split())
        self.graph.add_edges_from((end, total) for end in ends[1:])
        return total

    def _add(self, name: str, text: str, kind: str, last: str) -> str:
        """Add a node; a label that is there already is followed by a number."""
        node, number = name, 1
        while node in self.graph:
            number += 1
            node = f"{name}={number}"
        self.graph.add_node(node, op=text, kind=kind)
        self.graph.add_edge(last, node)
        return node

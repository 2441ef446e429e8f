"""What an architecture's graph says: its cells, the roles of their nodes, as plain text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Hashable, Iterator
from typing import Any, TypeAlias

import networkx as nx

from nas.errors import NasError

__all__ = [
    "SYMBOL",
    "Graph",
    "cells_of",
    "in_order",
    "is_sum",
    "kinds_of",
    "names_of",
    "op_of",
    "text",
]

Graph: TypeAlias = "nx.DiGraph[Any]"


SYMBOL = re.compile(r"^[A-Za-z]+_\{[A-Za-z0-9+-]+\}$")  # such as c_{k-2}, set as a formula


def cells_of(graph: Graph) -> Iterator[tuple[str, Graph]]:
    """Yield each cell's name ("" where unnamed) and graph, in the order of first appearance.

    What enters a cell from another one becomes an input of it, named after its origin.
    """
    if not len(graph):
        raise NasError("cannot draw the graph: it has no nodes.")
    if not nx.is_directed_acyclic_graph(graph):
        raise NasError("cannot draw the graph: it has a cycle.")
    names = {node: str(data.get("cell") or "") for node, data in graph.nodes(data=True)}
    for name in dict.fromkeys(names.values()):
        inside = [node for node in graph if names[node] == name]
        cell: Graph = nx.DiGraph()
        for node in dict.fromkeys(p for n in inside for p in graph.pred[n] if names[p] != name):
            origin = f"{names[node]} " if names[node] else ""
            cell.add_node(node, op=origin + op_of(graph, node), kind="input")
        cell.add_nodes_from((node, graph.nodes[node]) for node in inside)
        cell.add_edges_from((u, v) for u, v in graph.edges if names[v] == name)
        yield name, cell


def op_of(cell: Graph, node: Hashable) -> str:
    """The node's label; without one, its id."""
    return str(cell.nodes[node].get("op", "")) or _tail(node)


def is_sum(cell: Graph, node: Hashable) -> bool:
    """Whether a state is the sum of what enters it, which need not be said."""
    return op_of(cell, node) in ("add", "sum", "output", _tail(node))


def _tail(node: Hashable) -> str:
    """The last part of a node's id, without the cell's name that makes the id unique."""
    last = node[-1] if isinstance(node, tuple) and node else node
    return re.split(r"[/:]", str(last))[-1]


def kinds_of(cell: Graph) -> dict[Hashable, str]:
    """Every node's kind; "label" for an operation between two states, drawn on their edge.

    A cell without inner states, where operations feed operations, has boxes only.
    """
    states = {node: cell.nodes[node].get("kind") for node in cell}
    states = {node: kind for node, kind in states.items() if kind in ("input", "output", "node")}

    def on_edge(node: Hashable) -> bool:
        single = cell.in_degree(node) == 1 and cell.out_degree(node) == 1
        return single and all(end in states for end in (*cell.pred[node], *cell.succ[node]))

    inner = "node" in states.values()
    return {n: states.get(n) or ("label" if inner and on_edge(n) else "op") for n in cell}


def in_order(cell: Graph) -> list[Hashable]:
    """The nodes so that what is used comes before its user, else in the graph's own order."""
    place = {node: i for i, node in enumerate(cell)}
    return list(nx.lexicographical_topological_sort(cell, key=place.__getitem__))


def names_of(cell: Graph, kinds: dict[Hashable, str]) -> dict[Hashable, str]:
    """Name the states of a cell by their labels, else after their ids, such as `c_{k}`, 0, 1."""
    states = [node for node in in_order(cell) if kinds[node] == "node"]
    digits = {node: re.search(r"\d+$", _tail(node)) for node in states}
    numbers = {node: found.group() for node, found in digits.items() if found}
    if len(set(numbers.values())) < len(states):
        numbers = {node: str(i) for i, node in enumerate(states)}
    names = dict(numbers)
    for node in cell:
        if kinds[node] in ("input", "output"):
            symbol = _tail(node) if SYMBOL.match(_tail(node)) else ""
            fallback = op_of(cell, node) if kinds[node] == "input" else "output"
            names[node] = symbol or fallback
    return {node: str(cell.nodes[node].get("label", name)) for node, name in names.items()}


def text(graph: Graph) -> str:
    """Write an architecture's graph as plain text, a line a node: what it is computed from.

    A state reads `node 0 = sep_conv_3x3(c_{k-2}) + skip_connect(c_{k-1})`, an operation with a
    box of its own `#1 = conv_3x3(input)`, and a plain chain is written with arrows.

    Raises:
        NasError: The graph is empty or has a cycle.
    """
    blocks = []
    for name, cell in cells_of(graph):
        lines = _chain(cell) or _equations(cell)
        blocks.append("\n".join([f"{name}:", *(f"  {line}" for line in lines)] if name else lines))
    return "\n\n".join(blocks)


def _chain(cell: Graph) -> list[str]:
    """Write a chain of operations with arrows; empty if the cell is not one."""
    degrees = [*dict(cell.in_degree).values(), *dict(cell.out_degree).values()]
    if max(degrees) > 1 or not nx.is_weakly_connected(cell):
        return []
    kinds = kinds_of(cell)
    if "node" in kinds.values():
        return []
    names = names_of(cell, kinds)
    steps = [names.get(node, op_of(cell, node)) for node in in_order(cell)]
    return textwrap.wrap(" -> ".join(steps), 96, subsequent_indent="  ", break_long_words=False)


def _equations(cell: Graph) -> list[str]:
    kinds = kinds_of(cell)
    order = in_order(cell)
    names = names_of(cell, kinds)
    names.update({node: f"node {names[node]}" for node in cell if kinds[node] == "node"})
    boxes = [node for node in order if kinds[node] == "op"]
    names.update({node: f"#{i}" for i, node in enumerate(boxes, start=1)})

    def term(node: Hashable) -> str:
        if kinds[node] != "label":
            return names[node]
        return f"{op_of(cell, node)}({', '.join(term(p) for p in cell.pred[node])})"

    lines = []
    for node in order:
        terms = [term(p) for p in cell.pred[node]]
        if kinds[node] == "label" or not (terms or kinds[node] == "op"):
            continue
        summed = kinds[node] != "op" and (is_sum(cell, node) or len(terms) == 1)
        value = " + ".join(terms) if summed else f"{op_of(cell, node)}({', '.join(terms)})"
        lines.append(f"{names[node]} = {value}")
    return lines

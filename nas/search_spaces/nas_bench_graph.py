"""The search space of NAS-Bench-Graph: graph neural networks of four operations in a tree.

Source: Qin et al., NAS-Bench-Graph, NeurIPS 2022, arXiv:2206.09166, sec. 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import permutations, product
from math import prod
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError, unknown
from nas.search_spaces.graph.space import GraphSpace, HiddenSettings
from nas.search_spaces.sliced.groups import fill_group
from nas.space import Architecture, Choices, Decision, Path, Scores

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["OPERATIONS", "NASBenchGraph"]

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = OPERATIONS.index("skip")
NODES = 4

Links = tuple[int, ...]
"""The input of every node: 0 is the network's input, n the n-th node."""

_ALL_LINKS: tuple[Links, ...] = tuple(product(*(range(node) for node in range(1, NODES + 1))))
_OP_COLUMNS = [0, 2, 4, 6]
_INPUT_COLUMNS = [1, 3, 5]
_OP_WEIGHTS = len(OPERATIONS) ** np.arange(NODES)[::-1]
_INPUT_WEIGHTS = np.array([12, 4, 1])  # nodes 2, 3, 4 have 2, 3, 4 inputs to choose from
_SKIP_WEIGHTS = 2 ** np.arange(NODES)[::-1]


@registry.register(
    "search_spaces",
    "nas-bench-graph",
    "graph networks: a tree of 4 nodes with 9 operations",
    "Qin et al., NAS-Bench-Graph, NeurIPS 2022, arXiv:2206.09166",
)
class NASBenchGraph(GraphSpace):
    """Four nodes, each with one earlier node or the input before it, and one of nine operations.

    Nodes that no other node takes are concatenated, but for those that only hand on the input.
    24 * 9^4 less the 24 that only skip are 157,440 architectures, of which 26,206 are different.
    """

    name = "nas-bench-graph"
    description = "a tree of 4 nodes, 9 operations on graphs, leaves concatenated"
    identity_ops = frozenset({"skip"})

    def __init__(self) -> None:
        self.decisions = tuple(d for node in range(1, NODES + 1) for d in self._of(node))

    @staticmethod
    def _of(node: int) -> Iterator[Decision]:
        if node > 1:  # the first can only take the input
            yield Decision(f"{node}/input", tuple(range(node)))
        yield Decision(f"{node}/op", OPERATIONS)

    @property
    def size(self) -> int:
        return prod(self.cardinalities) - len(_ALL_LINKS)

    def constraint(self, architecture: Architecture) -> str | None:
        if all(architecture.choices[column] == SKIP for column in _OP_COLUMNS):
            return "every operation is skip; at least one other is needed"
        return None

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        feasible: NDArray[np.bool_] = (choices[:, _OP_COLUMNS] != SKIP).any(1)
        return feasible

    def links(self, architecture: Architecture) -> Links:
        """Return the input of every node."""
        return (0, *(architecture.choices[column] for column in _INPUT_COLUMNS))

    def operations(self, architecture: Architecture) -> list[str]:
        """Return the operation of every node."""
        return [OPERATIONS[architecture.choices[column]] for column in _OP_COLUMNS]

    def from_links(self, links: Links, operations: tuple[int, ...]) -> Architecture:
        """Return the architecture of inputs and indices of operations, one a node each."""
        rest = zip(links[1:], operations[1:], strict=True)
        return Architecture(self.name, (operations[0], *(c for pair in rest for c in pair)))

    # -- equality -----------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> Architecture:
        """Map to the first, by inputs and then by operations, of all that are the same network.

        A skip that others follow is moved to the front, before all other nodes. So is one that
        adds nothing to the output: because it is alone after its node, or because it hands on the
        input itself. The order of nodes, as far as they are free, does not matter. These are the
        paper's classes (sec. 3.1).
        """
        operations = tuple(architecture.choices[column] for column in _OP_COLUMNS)
        skips = tuple(operation == SKIP for operation in operations)
        links, orders = _forms()[self.links(architecture), skips]
        return self.from_links(links, min(tuple(operations[i] for i in o) for o in orders))

    def canonical_choices(self, choices: Choices) -> Choices:
        """Map a population [n, d] as `canonical` does; returns a new one [n, d]."""
        links, code = self._classes(choices)
        canonical = np.empty_like(choices)
        canonical[:, _OP_COLUMNS] = code[:, None] // _OP_WEIGHTS % len(OPERATIONS)
        canonical[:, _INPUT_COLUMNS] = np.array(_ALL_LINKS)[links, 1:]
        return canonical

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        links, code = self._classes(choices)
        keys: NDArray[np.uint64] = (links * len(OPERATIONS) ** NODES + code).astype(np.uint64)
        return keys

    def _classes(self, choices: Choices) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the canonical inputs (index in `_ALL_LINKS`) and operations (code) of rows."""
        operations = choices[:, _OP_COLUMNS]
        cases = (choices[:, _INPUT_COLUMNS] @ _INPUT_WEIGHTS) * 2**NODES
        cases += (operations == SKIP) @ _SKIP_WEIGHTS
        links, counts, orders = _normal_forms()
        best = np.take_along_axis(operations, orders[cases, 0], 1) @ _OP_WEIGHTS
        for k in range(1, int(counts[cases].max(initial=1))):  # few have many to compare
            rows = np.flatnonzero(counts[cases] > k)
            codes = np.take_along_axis(operations[rows], orders[cases[rows], k], 1) @ _OP_WEIGHTS
            best[rows] = np.minimum(best[rows], codes)
        return links[cases], best

    # -- text and graph -----------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        """Write `0:gcn|1:gat|1:fc|2:skip`: the input and the operation of every node."""
        pairs = zip(self.links(architecture), self.operations(architecture), strict=True)
        return "|".join(f"{source}:{operation}" for source, operation in pairs)

    def parse(self, text: str) -> Architecture:
        nodes = text.strip().split("|")
        if len(nodes) != NODES:
            raise NasError(
                f"'{text.strip()[:80]}' has {len(nodes)} nodes; nas-bench-graph has {NODES}, "
                "such as 0:gcn|1:gat|1:fc|2:skip"
            )
        pairs = [self._node(number, node.strip()) for number, node in enumerate(nodes, start=1)]
        links, operations = zip(*pairs, strict=True)
        return self.require(self.from_links(links, operations))

    @staticmethod
    def _node(number: int, text: str) -> tuple[int, int]:
        source, colon, operation = text.partition(":")
        if not colon:
            raise NasError(f"node {number} is not of the form INPUT:OPERATION: {text[:80]!r}")
        allowed = [str(earlier) for earlier in range(number)]
        if source not in allowed:
            raise NasError(
                f"node {number} cannot take input '{source[:80]}'; allowed is {', '.join(allowed)}"
            )
        if operation not in OPERATIONS:
            raise unknown(f"operation of node {number}", operation, OPERATIONS)
        return int(source), OPERATIONS.index(operation)

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("0", op="input", kind="input")
        links = self.links(architecture)
        pairs = zip(links, self.operations(architecture), strict=True)
        for number, (source, operation) in enumerate(pairs, start=1):
            graph.add_node(str(number), op=operation, kind="op")
            graph.add_edge(str(source), str(number))
        leaves = [str(node) for node in range(1, NODES + 1) if node not in links]
        graph.add_node("output", op="concat", kind="output")
        graph.add_edges_from((leaf, "output") for leaf in leaves)
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.graph.tree import TreeNetwork

        chosen = fill_group(HiddenSettings, settings, "network")
        config: dict[str, Any] = {
            "links": self.links(self.require(architecture)),
            "operations": self.operations(architecture),
            "features": self.features(task),
            "classes": task.outputs,
            **vars(chosen),
        }
        network = TreeNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.graph.tree_supernetwork import TreeSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        chosen = fill_group(HiddenSettings, without_cells(options, self.name), "supernet")
        inputs, operations = (
            [self.decisions[column] for column in columns]
            for columns in (_INPUT_COLUMNS, _OP_COLUMNS)
        )
        features = self.features(task)
        network = TreeSupernetwork(inputs, operations, features, task.outputs, **vars(chosen))
        return Supernet(network, self.path)

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision.

        Where all operations would be skip, one is not: that which loses least.
        """
        choices = [int(scores[decision.name].argmax()) for decision in self.decisions]
        if all(choices[column] == SKIP for column in _OP_COLUMNS):
            losses = {}
            for column in _OP_COLUMNS:
                others = scores[self.decisions[column].name].copy()
                others[SKIP] = -np.inf
                loss = scores[self.decisions[column].name][SKIP] - others.max()
                losses[column] = (float(loss), int(others.argmax()))
            column = min(losses, key=lambda column: losses[column][0])
            choices[column] = losses[column][1]
        return Architecture(self.name, tuple(choices))


# -- normal forms -----------------------------------------------------------------------------


@cache
def _normal_forms() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the normal form of every case: inputs of the nodes, and which of them skip.

    Returns:
        Of each of 24 * 16 cases the first inputs that its nodes, renumbered, can have (index in
        `_ALL_LINKS`) [384]; how many orders of the nodes give them [384]; and these orders, the
        old place of every new node, [384, largest count, 4].
    """
    forms = _forms().values()
    counts = [len(orders) for _, orders in forms]
    filled = [orders + orders[:1] * (max(counts) - len(orders)) for _, orders in forms]
    index = [_ALL_LINKS.index(links) for links, _ in forms]
    return np.array(index), np.array(counts), np.array(filled)


@cache
def _forms() -> dict[tuple[Links, tuple[bool, ...]], tuple[Links, list[tuple[int, ...]]]]:
    """Return the normal form of every case, by the inputs of the nodes and which of them skip."""
    return {
        (links, skips): _normal_form(links, skips)
        for links in _ALL_LINKS
        for skips in product((False, True), repeat=NODES)
    }


def _normal_form(links: Links, skips: tuple[bool, ...]) -> tuple[Links, list[tuple[int, ...]]]:
    """Return the first inputs that a renumbered network can have, and all orders that give them."""
    before = _skips_in_front(links, skips)
    found: dict[Links, list[tuple[int, ...]]] = {}
    for order in permutations(range(NODES)):
        place = {node: new for new, node in enumerate(order, start=1)} | {None: 0}
        renumbered = tuple(place[before[node]] for node in order)
        if all(source < new for new, source in enumerate(renumbered, start=1)):
            found.setdefault(renumbered, []).append(order)
    first = min(found)
    return first, found[first]


def _skips_in_front(links: Links, skips: tuple[bool, ...]) -> dict[int, int | None]:
    """Return what comes before every node (from 0; None: the input) with idle skips in front."""
    before = {node: source - 1 if source else None for node, source in enumerate(links)}
    idle: list[int] = []
    for node in [node for node in before if skips[node]]:
        if node in before.values():
            _take_out(node, before, idle)
    for node in [node for node in before if skips[node]]:  # leaves, for the others are out
        if before[node] is None or list(before.values()).count(before[node]) == 1:
            _take_out(node, before, idle)
    last = idle[-1] if idle else None
    tree = {node: last if source is None else source for node, source in before.items()}
    chain = dict(zip(idle, [None, *idle], strict=False))
    return tree | chain


def _take_out(node: int, before: dict[int, int | None], idle: list[int]) -> None:
    """Let what follows a node follow what is before it."""
    source = before.pop(node)
    before.update({n: source for n, s in before.items() if s == node})
    idle.append(node)

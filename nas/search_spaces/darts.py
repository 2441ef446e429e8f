"""The search space of DARTS: two convolutional cells of four nodes.

Source: Liu et al., DARTS, ICLR 2019, arXiv:1806.09055, sec. 2.1 and 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

from nas import registry
from nas.errors import NasError
from nas.search_spaces.cells.space import CELLS, GenotypeSpace, image_shape
from nas.settings import fill
from nas.space import Architecture, Decision, Path, Scores

if TYPE_CHECKING:
    from nas.mutables import Supernet
    from nas.search_spaces.cells.network import Genotype
    from nas.task import TaskInfo

__all__ = ["DARTS"]

Node = tuple[tuple[int, int], tuple[str, str]]
"""Two input states, ascending, and the operation on each."""


@registry.register(
    "search_spaces",
    "darts",
    "two convolutional cells of 4 nodes with 8 operations an edge",
    "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055",
)
class DARTS(GenotypeSpace):
    """Per node: which two different earlier states it takes, and an operation on each.

    Size: (1 * 3 * 6 * 10 * 7^8)^2 for two cells. A supernet has a gate an edge over eight
    operations, `none` among them; an edge that an architecture does not have is sent to `none`.
    """

    name = "darts"
    description = "normal and reduction cell, 4 nodes, 8 operations an edge"
    nodes = 4
    operations = (
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    )
    candidates = ("none", *operations)

    def __init__(self) -> None:
        self.decisions = tuple(
            decision for cell in CELLS for node in self._states for decision in self._of(cell, node)
        )

    @property
    def _states(self) -> range:
        return range(2, 2 + self.nodes)

    def _of(self, cell: str, node: int) -> Iterator[Decision]:
        yield Decision(f"{cell}/{node}/inputs", tuple(combinations(range(node), 2)))
        yield Decision(f"{cell}/{node}/op0", self.operations)
        yield Decision(f"{cell}/{node}/op1", self.operations)

    # -- between rows, nodes and genotypes ----------------------------------------------------

    def _nodes(self, architecture: Architecture) -> list[list[Node]]:
        """Return the nodes of both cells."""
        options = iter(
            decision.options[choice]
            for decision, choice in zip(self.decisions, architecture.choices, strict=True)
        )
        triples = zip(options, options, options, strict=True)
        nodes: list[Any] = [(inputs, (op0, op1)) for inputs, op0, op1 in triples]
        return [nodes[: self.nodes], nodes[self.nodes :]]

    def _from_nodes(self, cells: Sequence[Sequence[Node]]) -> Architecture:
        options = [o for cell in cells for inputs, ops in cell for o in (inputs, *ops)]
        choices = (d.index(option) for d, option in zip(self.decisions, options, strict=True))
        return Architecture(self.name, tuple(choices))

    def genotype(self, architecture: Architecture) -> Genotype:
        from nas.search_spaces.cells.network import Genotype

        normal, reduce = (
            [pair for inputs, ops in cell for pair in zip(ops, inputs, strict=True)]
            for cell in self._nodes(architecture)
        )
        return Genotype(normal, self.concat(normal), reduce, self.concat(reduce))

    def concat(self, pairs: Sequence[tuple[str, int]]) -> list[int]:
        del pairs
        return list(self._states)

    def from_pairs(self, cells: Sequence[Sequence[tuple[str, int]]]) -> Architecture:
        return self._from_nodes([self._nodes_of(c, n) for c, n in zip(cells, CELLS, strict=True)])

    def _nodes_of(self, pairs: Sequence[tuple[str, int]], cell: str) -> list[Node]:
        nodes: list[Node] = []
        for node in self._states:
            first, second = sorted(pairs[2 * node - 4 : 2 * node - 2], key=lambda pair: pair[1])
            if first[1] == second[1]:
                raise NasError(
                    f"genotype: {cell} node {node} takes state {first[1]} twice; space 'darts' "
                    "needs two different states"
                )
            nodes.append(((first[1], second[1]), (first[0], second[0])))
        return nodes

    def canonical(self, architecture: Architecture) -> Architecture:
        """Order the nodes of every cell; a cell whose nodes are renumbered is the same network.

        Among the orders in which every node comes after its inputs, the one whose nodes (inputs,
        then names of operations) sort first is taken.
        """
        return self._from_nodes([min(_renumbered(cell)) for cell in self._nodes(architecture)])

    # -- the supernet -------------------------------------------------------------------------

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.cells.settings import CellSupernetSettings
        from nas.search_spaces.cells.supercell import SupercellOptions
        from nas.search_spaces.cells.supernetworks import CellSupernetwork

        chosen = fill(CellSupernetSettings, options, "supernet")
        channels, height, _ = image_shape(task, self.name)
        edges = SupercellOptions(
            self.candidates,
            chosen.affine,
            True,
            chosen.partial_channels,
            chosen.edge_gates,
            chosen.execution,
        )
        edges.require(chosen.channels)
        shape = (channels, height, task.outputs, chosen.channels, chosen.layers, chosen.stem)
        same = {
            "channels": chosen.channels,
            "layers": chosen.layers,
            "stem": chosen.stem,
            "affine": chosen.affine,
            "partial_channels": chosen.partial_channels,
        }
        return Supernet(
            CellSupernetwork(self.nodes, edges, *shape, checkpoint=chosen.checkpoint),
            self.path,
            lambda architecture: self.build(architecture, task, pool_norm=True, **same),
        )

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return {"channels": 16, "layers": 8} if scale == "paper" else {"channels": 8, "layers": 5}

    def path(self, architecture: Architecture) -> Path:
        path: Path = {}
        for cell, nodes in zip(CELLS, self._nodes(architecture), strict=True):
            for node, (inputs, ops) in enumerate(nodes, start=2):
                chosen = dict(zip(inputs, ops, strict=True))
                path[f"{cell}/{node}"] = inputs
                for source in range(node):
                    operation = chosen.get(source, "none")
                    path[f"{cell}/{node}<-{source}"] = self.candidates.index(operation)
        return path

    def derive(self, scores: Scores) -> Architecture:
        """Keep the two strongest inputs of every node (DARTS, sec. 2.4).

        An input is as strong as its best operation other than `none`, times its score in the
        node's own gate where the supernet has one (PC-DARTS, sec. 3.3).
        """
        cells = [[self._strongest(scores, cell, node) for node in self._states] for cell in CELLS]
        return self._from_nodes(cells)

    def _strongest(self, scores: Scores, cell: str, node: int) -> Node:
        edges = [scores[f"{cell}/{node}<-{source}"][1:] for source in range(node)]
        weights = scores.get(f"{cell}/{node}", [1.0] * node)
        strength = [float(edge.max()) * float(w) for edge, w in zip(edges, weights, strict=True)]
        kept = sorted(sorted(range(node), key=lambda source: -strength[source])[:2])
        operations = [self.operations[int(edges[source].argmax())] for source in kept]
        return (kept[0], kept[1]), (operations[0], operations[1])

    def catalogue(self) -> dict[str, Architecture]:
        from nas.search_spaces.cells.genotypes import DARTS_GENOTYPES

        return {name: self.from_pairs([g.normal, g.reduce]) for name, g in DARTS_GENOTYPES.items()}


def _renumbered(cell: list[Node]) -> Iterator[list[Node]]:
    """Yield a cell with its nodes in every possible order."""
    for order in permutations(range(len(cell))):
        state = {0: 0, 1: 1} | {2 + old: 2 + new for new, old in enumerate(order)}
        nodes: list[Node] = []
        for new, old in enumerate(order):
            inputs, ops = cell[old]
            moved = sorted((state[i], op) for i, op in zip(inputs, ops, strict=True))
            if moved[-1][0] >= 2 + new:
                break
            nodes.append(((moved[0][0], moved[1][0]), (moved[0][1], moved[1][1])))
        else:
            yield nodes

"""The search space of NASNet and AmoebaNet, with the operations of their published cells.

Sources: Zoph et al., CVPR 2018, arXiv:1707.07012, sec. 3; Real et al., AAAI 2019, arXiv:1802.01548.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from nas import registry
from nas.errors import NasError
from nas.search_spaces.cells.space import CELLS, GenotypeSpace
from nas.space import Architecture, Decision

if TYPE_CHECKING:
    from nas.search_spaces.cells.network import Genotype

__all__ = ["NASNet"]


@registry.register(
    "search_spaces",
    "nasnet",
    "two convolutional cells of 5 nodes with 9 operations; unused states are concatenated",
    "Zoph et al., Learning Transferable Architectures, CVPR 2018, arXiv:1707.07012",
)
class NASNet(GenotypeSpace):
    """Per node: two earlier states, which may be the same, and an operation on each.

    A cell concatenates the nodes that no other node takes. How many these are differs between
    architectures, so there is no supernet: candidates are trained one by one.
    """

    name = "nasnet"
    description = "normal and reduction cell, 5 nodes, 9 operations, loose ends concatenated"
    nodes = 5
    operations = (
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "sep_conv_7x7",
        "dil_conv_3x3",
        "dil_conv_5x5",
        "conv_7x1_1x7",
    )

    def __init__(self) -> None:
        states = range(2, 2 + self.nodes)
        self.decisions = tuple(d for cell in CELLS for node in states for d in self._of(cell, node))

    def _of(self, cell: str, node: int) -> Iterator[Decision]:
        for slot in (0, 1):
            yield Decision(f"{cell}/{node}/input{slot}", tuple(range(node)))
            yield Decision(f"{cell}/{node}/op{slot}", self.operations)

    def genotype(self, architecture: Architecture) -> Genotype:
        from nas.search_spaces.cells.network import Genotype

        options = iter(
            decision.options[choice]
            for decision, choice in zip(self.decisions, architecture.choices, strict=True)
        )
        pairs: list[Any] = [(op, state) for state, op in zip(options, options, strict=True)]
        normal, reduce = pairs[: 2 * self.nodes], pairs[2 * self.nodes :]
        return Genotype(normal, self.concat(normal), reduce, self.concat(reduce))

    def from_pairs(self, cells: Sequence[Sequence[tuple[str, int]]]) -> Architecture:
        options = [option for cell in cells for op, state in cell for option in (state, op)]
        choices = (d.index(option) for d, option in zip(self.decisions, options, strict=True))
        return Architecture(self.name, tuple(choices))

    def concat(self, pairs: Sequence[tuple[str, int]]) -> list[int]:
        used = {state for _, state in pairs}
        return [state for state in range(2, 2 + self.nodes) if state not in used]

    def canonical(self, architecture: Architecture) -> Architecture:
        """Order the two inputs of every node: a sum does not depend on the order."""
        genotype = self.genotype(architecture)
        cells = [self._ordered(pairs) for pairs in (genotype.normal, genotype.reduce)]
        return self.from_pairs(cells)

    @staticmethod
    def _ordered(pairs: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        nodes = (sorted(pairs[i : i + 2], key=lambda p: p[::-1]) for i in range(0, len(pairs), 2))
        return [pair for node in nodes for pair in node]

    def _no_supernet(self) -> NoReturn:
        raise NasError(
            "space 'nasnet' has no supernet: the width of a cell's output differs between its "
            "architectures; use --evaluator train with a black-box strategy, or --space darts"
        )

    def supernet(self, task: Any, **options: Any) -> NoReturn:
        self._no_supernet()

    def path(self, architecture: Architecture) -> NoReturn:
        self._no_supernet()

    def derive(self, scores: Any) -> NoReturn:
        self._no_supernet()

    def catalogue(self) -> dict[str, Architecture]:
        from nas.search_spaces.cells.genotypes import NASNET_GENOTYPES

        return {name: self.from_pairs([g.normal, g.reduce]) for name, g in NASNET_GENOTYPES.items()}

"""The search space of NAS-Bench-201: one cell of four fully connected states.

Source: Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError, unknown
from nas.search_spaces.cells.dense_space import EDGES, DenseCellSpace
from nas.search_spaces.cells.space import image_shape
from nas.settings import fill
from nas.space import Architecture, Choices

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["NASBench201"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


@registry.register(
    "search_spaces",
    "nas-bench-201",
    "one cell of 4 states with 5 operations an edge",
    "Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326",
)
class NASBench201(DenseCellSpace):
    """One of five operations on every edge: 5^6 = 15,625 architectures, 6,466 different ones."""

    name = "nas-bench-201"
    description = "one cell, 4 states, 5 operations an edge"
    candidates = OPERATIONS

    # -- text and equality --------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        """Write `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
        names = iter(self.operations(architecture))
        groups = ("".join(f"|{next(names)}~{s}" for s in range(t)) + "|" for t in range(1, 4))
        return "+".join(groups)

    def parse(self, text: str) -> Architecture:
        groups = text.strip().split("+")
        names: list[str] = []
        for target, group in enumerate(groups, start=1):
            edges = re.findall(r"\|([^|~]+)~(\d)(?=\|)", group)
            if "".join(f"|{name}~{source}" for name, source in edges) + "|" != group:
                raise NasError(f"node {target} is not of the form |op~0|op~1|...|: {group[:80]!r}")
            if [int(source) for _, source in edges] != list(range(target)):
                wanted = ", ".join(map(str, range(target)))
                raise NasError(
                    f"node {target} needs edges from {wanted}, in this order: {group[:80]!r}"
                )
            names += [name for name, _ in edges]
        if len(groups) != 3:
            raise NasError(f"'{text[:80]}' has {len(groups)} nodes; nas-bench-201 has 3")
        for position, name in enumerate(names):
            if name not in OPERATIONS:
                raise unknown(f"operation of edge {position + 1}", name, OPERATIONS)
        return Architecture(self.name, tuple(OPERATIONS.index(name) for name in names))

    def canonical(self, architecture: Architecture) -> Architecture:
        """Map to the first architecture, in the order of rows, that computes the same.

        Two cells are the same where their outputs, written as expressions, are: `none` of
        anything is zero, as is any operation of zero, `skip_connect` is its input, and sums have
        no order. This gives the paper's own 6,466 classes (sec. 2.1). It keeps x and x + 0 apart,
        so that some of its classes still compute the same.
        """
        [code] = self.keys(np.array([architecture.choices])).tolist()
        choices = np.unravel_index(code, self.cardinalities)
        return Architecture(self.name, tuple(map(int, choices)))

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        numbers = np.ravel_multi_index(tuple(choices.T), self.cardinalities)
        keys: NDArray[np.uint64] = _classes()[numbers]
        return keys

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.cells.dense_network import DenseNetwork
        from nas.search_spaces.cells.settings import DenseNetworkSettings

        chosen = fill(DenseNetworkSettings, settings, "network")
        config = {
            "operations": self.operations(self.require(architecture)),
            "input_channels": image_shape(task, self.name)[0],
            "classes": task.outputs,
            **vars(chosen),
        }
        network = DenseNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.cells.settings import DenseSupernetSettings
        from nas.search_spaces.cells.supercell import SupercellOptions
        from nas.search_spaces.cells.supernetworks import DenseSupernetwork

        chosen = fill(DenseSupernetSettings, options, "supernet")
        edges = SupercellOptions(
            OPERATIONS,
            chosen.affine,
            False,
            chosen.partial_channels,
            chosen.edge_gates,
            chosen.execution,
        )
        edges.require(chosen.channels)
        shape = (image_shape(task, self.name)[0], task.outputs, chosen.channels, chosen.cells)
        same = {
            "channels": chosen.channels,
            "cells": chosen.cells,
            "affine": chosen.affine,
            "partial_channels": chosen.partial_channels,
        }
        return Supernet(
            DenseSupernetwork(edges, *shape, checkpoint=chosen.checkpoint),
            self.path,
            lambda architecture: self.build(architecture, task, **same),
        )

    def network_defaults(self, scale: str) -> dict[str, Any]:
        return {"channels": 16, "cells": 5 if scale == "paper" else 1}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return {"channels": 16, "cells": 5} if scale == "paper" else {"channels": 8, "cells": 1}


def _expression(choices: tuple[int, ...]) -> str:
    """Write what the cell computes, in the paper's notation: `#` is zero, `(x)@op` an operation.

    Terms are sorted as texts, and the count of 6,466 depends on these very texts: where an
    identity nests one sum in another, equal sums may come out in another order.
    """
    operation = {edge: OPERATIONS[choice] for edge, choice in zip(EDGES, choices, strict=True)}
    states = ["x"]
    for target in range(1, 4):
        terms = (_term(operation[target, source], states[source]) for source in range(target))
        states.append("+".join(sorted(terms)))
    return states[-1]


def _term(operation: str, state: str) -> str:
    if operation == "none" or state == "#":
        return "#"
    return state if operation == "skip_connect" else f"({state})@{operation}"


@cache
def _classes() -> NDArray[np.uint64]:
    """Return, for the number of every row, the number of the first row that computes the same."""
    first: dict[str, int] = {}
    rows = enumerate(product(range(len(OPERATIONS)), repeat=len(EDGES)))
    numbers = [first.setdefault(_expression(row), number) for number, row in rows]
    return np.array(numbers, dtype=np.uint64)

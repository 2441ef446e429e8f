"""The search space of network skeletons of TransNAS-Bench-101.

Source: Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871, sec. 3.1.
"""

from __future__ import annotations

import re
from math import comb
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError
from nas.search_spaces.cells.space import image_shape
from nas.search_spaces.cells.without_supernet import WithoutSupernet
from nas.settings import fill
from nas.space import Architecture, Choices, Decision

if TYPE_CHECKING:
    from torch import nn

    from nas.task import TaskInfo

__all__ = ["TransNASMacro"]

DEPTHS = (4, 5, 6)
KINDS = ("normal", "wider", "smaller", "both")
"""What a module does: nothing, double the channels, halve the resolution, both; codes 1 to 4."""
WIDER, SMALLER = 1, 2  # the bits of a kind
MOST_WIDER, MOST_SMALLER = 3, 4
_TEXT = re.compile(r"64-([1-4]+)-basic")


@registry.register(
    "search_spaces",
    "transnas-macro",
    "4 to 6 modules of residual blocks: where channels double, where resolution halves",
    "Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871",
)
class TransNASMacro(WithoutSupernet):
    """What each of 4 to 6 modules does: 3,256 architectures.

    The channels double 1 to 3 times, and the resolution halves 1 to 4 times (sec. 3.1).
    """

    name = "transnas-macro"
    description = "4 to 6 modules; where channels double, where resolution halves"
    reason = "what a module gives differs in channels and resolution between its options"

    def __init__(self) -> None:
        modules = [
            Decision(f"module{i}", KINDS, when=self._when(i)) for i in range(1, DEPTHS[-1] + 1)
        ]
        self.decisions = (Decision("depth", DEPTHS, ordered=True), *modules)

    @staticmethod
    def _when(module: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Let a module that not all depths have depend on the depth."""
        depths = tuple(depth for depth in DEPTHS if depth >= module)
        return () if depths == DEPTHS else (("depth", depths),)

    @property
    def size(self) -> int:
        """The product of where channels double and where resolution halves, over the depths."""
        return sum(_subsets(n, MOST_WIDER) * _subsets(n, MOST_SMALLER) for n in DEPTHS)

    def constraint(self, architecture: Architecture) -> str | None:
        modules = architecture.choices[1:]
        for what, bit, most in (
            ("channels double", WIDER, MOST_WIDER),
            ("resolution halves", SMALLER, MOST_SMALLER),
        ):
            count = sum(kind & bit > 0 for kind in modules)
            if not 1 <= count <= most:
                return f"{what} {count} times; allowed is 1 to {most}"
        return None

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        modules = choices[:, 1:]
        wider = (modules & WIDER > 0).sum(1)
        smaller = (modules & SMALLER > 0).sum(1)
        valid: NDArray[np.bool_] = (
            (wider > 0) & (wider <= MOST_WIDER) & (smaller > 0) & (smaller <= MOST_SMALLER)
        )
        return valid

    def modules(self, architecture: Architecture) -> str:
        """Return the code of every module: "1", "2" for wider, "3" for smaller, "4" for both."""
        depth = DEPTHS[architecture.choices[0]]
        return "".join(str(kind + 1) for kind in architecture.choices[1 : depth + 1])

    # -- text and graph -----------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        """Write `64-1234-basic`: channels, modules, blocks."""
        return f"64-{self.modules(architecture)}-basic"

    def parse(self, text: str) -> Architecture:
        match = _TEXT.fullmatch(text.strip())
        if match is None or len(match[1]) not in DEPTHS:
            raise NasError(
                f"not an architecture of '{self.name}': {text[:80]!r}; expected such as "
                f"64-1234-basic, with {DEPTHS[0]} to {DEPTHS[-1]} codes from 1 to {len(KINDS)}"
            )
        kinds = [int(code) - 1 for code in match[1].ljust(DEPTHS[-1], "1")]
        return self.require(Architecture(self.name, (DEPTHS.index(len(match[1])), *kinds)))

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        last = "input"
        for i, code in enumerate(self.modules(architecture), start=1):
            graph.add_node(f"module{i}", op=KINDS[int(code) - 1], kind="op")
            graph.add_edge(last, f"module{i}")
            last = f"module{i}"
        graph.add_node("output", op="output", kind="output")
        graph.add_edge(last, "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.cells.module_network import BasicModuleNetwork
        from nas.search_spaces.cells.module_settings import ModuleSettings

        chosen = fill(ModuleSettings, settings, "network")
        config = {
            "input_channels": image_shape(task, self.name)[0],
            "classes": task.outputs,
            "modules": self.modules(self.require(architecture)),
            **vars(chosen),
        }
        network = BasicModuleNetwork(**config)
        network.config = config
        return network

    def network_defaults(self, scale: str) -> dict[str, Any]:
        if scale == "paper":
            return {"channels": 64, "blocks": 2, "stem": "imagenet"}
        return {"channels": 8, "blocks": 1, "stem": "cifar"}


def _subsets(n: int, most: int) -> int:
    """Count the choices of 1 to `most` of n places."""
    return sum(comb(n, k) for k in range(1, most + 1))

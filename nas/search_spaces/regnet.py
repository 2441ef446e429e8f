"""The RegNet design space: networks whose widths grow linearly, by five numbers.

Source: Radosavovic et al., Designing Network Design Spaces, CVPR 2020, arXiv:2003.13678.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import unknown
from nas.search_spaces.cells.settings import STEMS
from nas.search_spaces.cells.space import image_shape
from nas.search_spaces.cells.without_supernet import WithoutSupernet
from nas.search_spaces.regnets.design import STAGES, Design, Stages, fitted_to_groups
from nas.settings import fill, require_ranges, setting
from nas.space import Architecture, Choices, Decision

if TYPE_CHECKING:
    from torch import nn

    from nas.task import TaskInfo

__all__ = ["PUBLISHED", "RegNetSettings", "RegNetSpace"]

PUBLISHED = {
    "regnet_x_200mf": (13, 24, 36.44, 2.49, 8, "no"),
    "regnet_x_400mf": (22, 24, 24.48, 2.54, 16, "no"),
    "regnet_x_600mf": (16, 48, 36.97, 2.24, 24, "no"),
    "regnet_x_800mf": (16, 56, 35.73, 2.28, 16, "no"),
    "regnet_x_1_6gf": (18, 80, 34.01, 2.25, 24, "no"),
    "regnet_x_3_2gf": (25, 88, 26.31, 2.25, 48, "no"),
    "regnet_x_4gf": (23, 96, 38.65, 2.43, 40, "no"),
    "regnet_x_6_4gf": (17, 184, 60.83, 2.07, 56, "no"),
    "regnet_x_8gf": (23, 80, 49.56, 2.88, 120, "no"),
    "regnet_x_12gf": (19, 168, 73.36, 2.37, 112, "no"),
    "regnet_x_16gf": (22, 216, 55.59, 2.1, 128, "no"),
    "regnet_y_200mf": (13, 24, 36.44, 2.49, 8, "yes"),
    "regnet_y_400mf": (16, 48, 27.89, 2.09, 8, "yes"),
    "regnet_y_600mf": (15, 48, 32.54, 2.32, 16, "yes"),
    "regnet_y_800mf": (14, 56, 38.84, 2.4, 16, "yes"),
    "regnet_y_1_6gf": (27, 48, 20.71, 2.65, 24, "yes"),
    "regnet_y_3_2gf": (21, 80, 42.63, 2.66, 24, "yes"),
    "regnet_y_4gf": (22, 96, 31.41, 2.24, 64, "yes"),
    "regnet_y_6_4gf": (25, 112, 33.22, 2.27, 72, "yes"),
    "regnet_y_8gf": (17, 192, 76.82, 2.19, 56, "yes"),
    "regnet_y_12gf": (19, 168, 73.36, 2.37, 112, "yes"),
    "regnet_y_16gf": (18, 200, 106.23, 2.48, 112, "yes"),
}
"""Depth, w0, wa, wm, group width and squeeze-and-excitation of the paper's models (tables 8 and 9).

The two of 32GF lie outside: their w0 and group width are larger.
"""

DEPTHS = tuple(range(12, 29))
W0 = tuple(range(8, 257, 8))
_STEPS = {round(8 * 2 ** (k / 8), 2) for k in range(41)}  # on a logarithmic scale
WA = tuple(sorted(_STEPS | {published[2] for published in PUBLISHED.values()}))
_FACTORS = {round(2 + 0.05 * k, 2) for k in range(21)}
WM = tuple(sorted(_FACTORS | {published[3] for published in PUBLISHED.values()}))
GROUPS = tuple(range(8, 129, 8))
_SE_RATIO = {"no": 0.0, "yes": 0.25}
_DIVISORS = (1, 2, 4, 8)
_KEY_SIZES = (64, *[2048] * 3, *[32] * 4, len(GROUPS), 2)


@dataclass
class RegNetSettings:
    """Settings of the network."""

    stem: str = setting("imagenet", "imagenet, or cifar (resolution / 8 less before the end)")
    stem_channels: int = setting(32, "channels of the stem")
    divide: int = setting(1, "what all other channels are divided by: 1, 2, 4 or 8")

    def __post_init__(self) -> None:
        if self.stem not in STEMS:
            raise unknown("network.stem", self.stem, STEMS)
        ranges = {
            "stem_channels": (self.stem_channels >= 1, "at least 1"),
            "divide": (self.divide in _DIVISORS, "1, 2, 4 or 8"),
        }
        require_ranges(self, "network", ranges)


@registry.register(
    "search_spaces",
    "regnet",
    "RegNetX and RegNetY: widths of four stages by five numbers",
    "Radosavovic et al., Designing Network Design Spaces, CVPR 2020, arXiv:2003.13678",
)
class RegNetSpace(WithoutSupernet):
    """Depth, first width, slope, factor, group width; squeeze-and-excitation or not.

    Valid is what has exactly four stages: 25.4 % of all combinations. The share belongs to this
    grid (slopes evenly on a logarithmic scale, factors and first widths evenly, and the paper's
    models); drawn continuously, evenly or logarithmically, it is 26 to 37 %. Many combinations give
    the same network: `canonical` is the first of them.
    """

    name = "regnet"
    description = "RegNets of four stages"
    published_shapes = ((3, 224, 224), 1000)
    reason = "its numbers move the borders of stages, so that networks have no parts in common"

    def __init__(self) -> None:
        self.decisions = (
            Decision("depth", DEPTHS, ordered=True),
            Decision("w0", W0, ordered=True),
            Decision("wa", WA, ordered=True),
            Decision("wm", WM, ordered=True),
            Decision("group_width", GROUPS, ordered=True),
            Decision("se", tuple(_SE_RATIO)),
        )
        self._design = Design(DEPTHS, W0, WA, WM)

    # -- what is valid, what is equal ---------------------------------------------------------

    @property
    def size(self) -> int:
        valid = int((self._design.counts == STAGES).sum())
        return valid * len(GROUPS) * len(_SE_RATIO)

    def constraint(self, architecture: Architecture) -> str | None:
        [count] = self._counts(self.to_array([architecture]))
        return None if count == STAGES else f"it has {count} stage(s); {STAGES} are needed"

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        valid: NDArray[np.bool_] = self._counts(choices) == STAGES
        return valid

    def _counts(self, choices: Choices) -> NDArray[np.int8]:
        depth, w0, wa, wm = choices.T[:4]
        counts: NDArray[np.int8] = self._design.counts[w0, wa, wm, depth]
        return counts

    def stages(self, choices: Choices) -> Stages:
        """Return widths, depths and group widths of a population of valid rows [n, d]."""
        return self._design.stages(choices[:, :4], np.array(GROUPS)[choices[:, 4]])

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        """Return the stages of each row of a population [n, d] as one number, [n]."""
        stages = self.stages(choices)
        columns = [
            *(stages.widths // 8).T, *stages.depths.T, stages.groups.max(1) // 8 - 1, choices[:, 5]
        ]  # fmt: skip
        keys = np.zeros(len(choices), dtype=np.uint64)
        for column, size in zip(columns, _KEY_SIZES, strict=True):
            keys = keys * np.uint64(size) + column.astype(np.uint64)
        return keys

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the first architecture, by its choices, with the same stages."""
        row = self.to_array([architecture])
        own = self.stages(row)
        rows, widths, depths = self._design.with_depth(int(row[0, 0]))
        alike = np.flatnonzero((depths == own.depths).all(1))
        found = []
        for group in self._groups_that_give(own):
            fitted, groups = fitted_to_groups(widths[alike], np.array(GROUPS[group]))
            same = (fitted == own.widths).all(1) & (groups == own.groups).all(1)
            found += [(int(place), group) for place in alike[same][:1]]
        place, group = min(found)
        return Architecture(self.name, (*rows[place].tolist(), group, int(row[0, 5])))

    @staticmethod
    def _groups_that_give(own: Stages) -> list[int]:
        """Return the options of the group width that one network may have come from.

        Groups are no wider than their stage, so that only where that of the widest stage is as
        wide may the option have been a larger one.
        """
        group, widest = own.groups.max(), own.widths.max()
        first = GROUPS.index(int(group))
        return list(range(first, len(GROUPS) if group == widest else first + 1))

    # -- text and graph -----------------------------------------------------------------------

    def catalogue(self) -> dict[str, Architecture]:
        """Return the paper's models."""
        columns = [decision.name for decision in self.decisions]
        return {
            name: self.parse(";".join(f"{c}={v}" for c, v in zip(columns, values, strict=True)))
            for name, values in PUBLISHED.items()
        }

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        stages = self.stages(self.to_array([architecture]))
        tail = " se" if self.options(architecture)["se"] == "yes" else ""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        last = "input"
        table = zip(stages.widths[0], stages.depths[0], stages.groups[0], strict=True)
        for number, (width, depth, group) in enumerate(table, 1):
            for place in range(depth):
                name = f"block{number}-{place}"
                graph.add_node(name, op=f"block {width} group {group}{tail}", kind="op")
                graph.add_edge(last, name)
                last = name
        graph.add_node("output", op="output", kind="output")
        graph.add_edge(last, "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.regnets.network import RegNet

        chosen = fill(RegNetSettings, settings, "network")
        stages = self.stages(self.to_array([self.require(architecture)]))
        config: dict[str, Any] = {
            "widths": (stages.widths[0] // chosen.divide).tolist(),
            "depths": stages.depths[0].tolist(),
            "groups": (stages.groups[0] // chosen.divide).tolist(),
            "se_ratio": _SE_RATIO[str(self.options(architecture)["se"])],
            "input_channels": image_shape(task, self.name)[0],
            "classes": task.outputs,
            "stem": chosen.stem,
            "stem_channels": chosen.stem_channels,
        }
        network = RegNet(**config)
        network.config = config
        return network

    def network_defaults(self, scale: str) -> dict[str, Any]:
        return {} if scale == "paper" else {"stem": "cifar", "stem_channels": 8, "divide": 8}

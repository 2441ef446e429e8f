"""The search space of once-for-all: inverted residual blocks of five elastic stages.

Source: Cai et al., Once-for-All, ICLR 2020, arXiv:1908.09791, sec. 3; its code,
mit-han-lab/once-for-all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx
import numpy as np

from nas import registry
from nas.errors import NasError, unknown
from nas.search_spaces.cells.settings import STEMS
from nas.search_spaces.cells.space import image_shape
from nas.search_spaces.sliced.groups import GroupSettings, fill_group
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, Decision, Path, Scores, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["MobileNet", "MobileSettings"]

STAGES = (1, 2, 3, 4, 5)
DEPTHS = (2, 3, 4)
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
WIDTHS = (0.8, 1.0, 1.2)
EXCITED = (2, 4, 5)
"""The stages with squeeze-and-excitation in MobileNetV3, and in once-for-all."""

_SHRINKING: tuple[Mapping[str, tuple[Hashable, ...]], ...] = (
    {"depth": DEPTHS[2:], "kernel": KERNELS[2:], "expansion": EXPANSIONS[2:], "width": WIDTHS[2:]},
    {"depth": DEPTHS[2:], "kernel": KERNELS, "expansion": EXPANSIONS[2:], "width": WIDTHS[2:]},
    {"depth": DEPTHS[1:], "kernel": KERNELS, "expansion": EXPANSIONS[2:], "width": WIDTHS[2:]},
    {"depth": DEPTHS, "kernel": KERNELS, "expansion": EXPANSIONS[2:], "width": WIDTHS[2:]},
    {"depth": DEPTHS, "kernel": KERNELS, "expansion": EXPANSIONS[1:], "width": WIDTHS[2:]},
    {"depth": DEPTHS, "kernel": KERNELS, "expansion": EXPANSIONS, "width": WIDTHS[2:]},
    {},
)
"""Stage of the training -> what is open; what is not named is open in all its options."""
_STAGES = ("full", "kernel", "depth", "depth", "expansion", "expansion", "width")
"""Stage of the training -> what it opens."""


@dataclass
class MobileSettings(GroupSettings):
    """Settings of the network, and of the supernet."""

    stem: str = setting("imagenet", "imagenet, or cifar (resolution / 8 rather than / 32)")
    scale: float = setting(1.0, "what all channels are multiplied by, besides the chosen width")
    dropout: float = setting(0.1, "share of features before the classifier")

    def __post_init__(self) -> None:
        if self.stem not in STEMS:
            raise unknown(f"{self.group}.stem", self.stem, STEMS)
        ranges = {
            "scale": (0 < self.scale < float("inf"), "above 0"),
            "dropout": (0 <= self.dropout < 1, "0 to below 1"),
        }
        require_ranges(self, self.group, ranges)


@registry.register(
    "search_spaces",
    "mobilenet",
    "inverted residual blocks: kernels, expansions, depths, squeeze-and-excitation, width",
    "Cai et al., Once-for-All, ICLR 2020, arXiv:1908.09791",
)
class MobileNet(SearchSpace):
    """Five stages of 2 to 4 blocks, each with its kernel and expansion: 7,371^5 = 2 * 10^19.

    Beyond the paper, every stage chooses whether it has squeeze-and-excitation, and the whole
    network its width.
    """

    name = "mobilenet"
    supernet_paths: ClassVar[str] = "progressive"
    description = "MobileNetV3 blocks with elastic kernel, expansion, depth, attention and width"
    published_shapes = ((3, 224, 224), 1000)

    def __init__(self) -> None:
        decisions = [Decision("width", WIDTHS, ordered=True)]
        for stage in STAGES:
            decisions.append(Decision(f"depth{stage}", DEPTHS, ordered=True))
            decisions.append(Decision(f"se{stage}", ("no", "yes")))
            for place in range(1, DEPTHS[-1] + 1):
                deep = tuple(depth for depth in DEPTHS if depth >= place)
                when = ((f"depth{stage}", deep),) if len(deep) < len(DEPTHS) else ()
                for name, options in (("kernel", KERNELS), ("expansion", EXPANSIONS)):
                    own = f"{name}{stage}.{place}"
                    decisions.append(Decision(own, options, ordered=True, when=when))
        self.decisions = tuple(decisions)

    # -- progressive shrinking ----------------------------------------------------------------

    @property
    def shrinking_stages(self) -> int:
        """The number of stages of `shrinking`."""
        return len(_SHRINKING)

    def shrinking(self, stage: int) -> dict[str, tuple[Hashable, ...]]:
        """Return decision -> the options that are open at a stage of progressive shrinking.

        First only the largest network is trained, then kernels open, then depths one after the
        other, then expansions, as in the paper's code (sec. 3.3), and at last the widths. Squeeze-
        and-excitation, which the paper does not choose, is as in MobileNetV3 until kernels open.

        Args:
            stage: From 0 to `shrinking_stages - 1`; in the last one all is open.
        """
        if not 0 <= stage < len(_SHRINKING):
            raise NasError(f"stage {stage} of shrinking: allowed is 0 to {len(_SHRINKING) - 1}")
        return {decision.name: self._open(decision, stage) for decision in self.decisions}

    def shrinking_name(self, stage: int) -> str:
        """Return what a stage of `shrinking` opens: first nothing but the full network."""
        return _STAGES[stage]

    @staticmethod
    def _open(decision: Decision, stage: int) -> tuple[Hashable, ...]:
        kind = decision.name.rstrip("0123456789.")
        if kind == "se" and stage == 0:
            return ("yes" if int(decision.name[2:]) in EXCITED else "no",)
        return _SHRINKING[stage].get(kind, decision.options)

    def sample_shrunk(self, rng: np.random.Generator, n: int, stage: int) -> Choices:
        """Draw a population [n, d] uniformly from what is open at a stage of `shrinking`."""
        rows = np.zeros((n, len(self.decisions)), dtype=np.int64)
        for column, options in enumerate(self.shrinking(stage).values()):
            indices = [self.decisions[column].index(option) for option in options]
            rows[:, column] = rng.choice(indices, n)
        self._reset_inactive(rows)
        return rows

    # -- published networks, graph ------------------------------------------------------------

    def catalogue(self) -> dict[str, Architecture]:
        """Return the largest and the smallest networks of the two published supernets."""
        found = {}
        for width in (1.0, 1.2):
            for size, at in (("largest", -1), ("smallest", 0)):
                found[f"ofa-mbv3-w{width}-{size}"] = self._uniform_network(width, at)
        return found

    def _uniform_network(self, width: float, at: int) -> Architecture:
        row = []
        for decision in self.decisions:
            option = decision.options[at]
            if decision.name == "width":
                option = width
            elif decision.name.startswith("se"):
                option = "yes" if int(decision.name[2:]) in EXCITED else "no"
            row.append(decision.index(option))
        rows = np.array([row], dtype=np.int64)
        self._reset_inactive(rows)
        return self.from_array(rows)[0]

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        options: dict[str, Any] = self.options(architecture)
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        graph.add_node("stem", op=f"stem width {options['width']}", kind="op")
        graph.add_edge("input", "stem")
        last = "stem"
        for stage in STAGES:
            tail = " se" if options[f"se{stage}"] == "yes" else ""
            for place in range(1, options[f"depth{stage}"] + 1):
                own = f"{stage}.{place}"
                kernel, expansion = options[f"kernel{own}"], options[f"expansion{own}"]
                graph.add_node(f"block{own}", op=f"mb{expansion}_k{kernel}{tail}", kind="op")
                graph.add_edge(last, f"block{own}")
                last = f"block{own}"
        graph.add_node("output", op="output", kind="output")
        graph.add_edge(last, "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.mobile.network import MobileNetwork
        from nas.search_spaces.mobile.supernetwork import plain_settings

        scale, rest = self._settings(task, settings, "network")
        options = self.options(self.require(architecture))
        config = plain_settings(options, scale) | rest
        network = MobileNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.mobile.supernetwork import MobileSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        scale, rest = self._settings(task, without_cells(options, self.name), "supernet")
        return Supernet(MobileSupernetwork(self.decisions, rest, scale), self.path)

    def _settings(
        self, task: TaskInfo, settings: Mapping[str, Any], group: str
    ) -> tuple[float, dict[str, Any]]:
        """Return the scale and all else that shapes a network besides an architecture."""
        chosen = fill_group(MobileSettings, settings, group)
        return chosen.scale, {
            "input_channels": image_shape(task, self.name)[0],
            "classes": task.outputs,
            "stem": chosen.stem,
            "dropout": chosen.dropout,
        }

    def network_defaults(self, scale: str) -> dict[str, Any]:
        return {} if scale == "paper" else {"stem": "cifar", "scale": 0.5, "dropout": 0.0}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return self.network_defaults(scale)

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision."""
        row = [int(scores[decision.name].argmax()) for decision in self.decisions]
        rows = np.array([row], dtype=np.int64)
        self._reset_inactive(rows)
        return self.from_array(rows)[0]

"""The search space of NAS-Bench-Macro: which block every layer of a network has.

Source: Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021,
arXiv:2103.11922; its code, xiusu/NAS-Bench-Macro.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError
from nas.search_spaces.cells.space import image_shape
from nas.search_spaces.sliced.groups import GroupSettings, fill_group
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, Decision, Path, Scores, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["OPERATIONS", "MacroSettings", "NASBenchMacro"]

OPERATIONS = ("identity", "mb3_k3", "mb6_k5")
"""By their digits in the benchmark's own notation."""
_STAGES = (2, 3, 3)
_STARTS = tuple(accumulate((0, *_STAGES)))[:-1]
LAYERS = sum(_STAGES)


@dataclass
class MacroSettings(GroupSettings):
    """Settings of the network, and of the supernet."""

    channels: int = setting(32, "channels of the stem; every stage doubles them")
    head: int = setting(1280, "channels of the last convolution")

    def __post_init__(self) -> None:
        positive = {name: (getattr(self, name) >= 1, "at least 1") for name in vars(self)}
        require_ranges(self, self.group, positive)


@registry.register(
    "search_spaces",
    "nas-bench-macro",
    "8 layers in 3 stages, each an identity or one of two MobileNetV2 blocks",
    "Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021, "
    "arXiv:2103.11922",
)
class NASBenchMacro(SearchSpace):
    """One of three blocks in each of eight layers: 3^8 = 6,561 architectures, 3,969 different ones.

    The first layer of a stage doubles the channels and halves the resolution; there `identity` is
    a 1x1 convolution.
    """

    name = "nas-bench-macro"
    description = "8 layers in 3 stages, 3 blocks a layer"
    identity_ops = frozenset({"identity"})

    def __init__(self) -> None:
        self.decisions = tuple(Decision(f"layer{i}", OPERATIONS) for i in range(1, LAYERS + 1))

    def operations(self, architecture: Architecture) -> list[str]:
        """Return the operation of every layer."""
        return [OPERATIONS[choice] for choice in architecture.choices]

    # -- equality -----------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> Architecture:
        """Move identities to the end of their stage: where they stand makes no difference.

        The first layer of a stage stays where it is, for its identity changes the shape.
        """
        return self.from_array(self.canonical_choices(self.to_array([architecture])))[0]

    def canonical_choices(self, choices: Choices) -> Choices:
        """Map a population [n, d] as `canonical` does; returns a new one [n, d]."""
        canonical: Choices = choices.copy()
        for start, layers in zip(_STARTS, _STAGES, strict=True):
            part = choices[:, start + 1 : start + layers]
            order = np.argsort(part == 0, axis=1, kind="stable")
            canonical[:, start + 1 : start + layers] = np.take_along_axis(part, order, 1)
        return canonical

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        weights = len(OPERATIONS) ** np.arange(LAYERS)[::-1]
        return (self.canonical_choices(choices) @ weights).astype(np.uint64)

    # -- text and graph -----------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        """Write a digit a layer, such as `22212220`: 0 identity, 1 mb3_k3, 2 mb6_k5."""
        return "".join(map(str, architecture.choices))

    def parse(self, text: str) -> Architecture:
        digits = text.strip()
        allowed = ", ".join(f"{digit} ({name})" for digit, name in enumerate(OPERATIONS))
        if len(digits) != LAYERS:
            raise NasError(
                f"'{digits[:80]}' has {len(digits)} characters; nas-bench-macro has {LAYERS}, one "
                f"a layer: {allowed}"
            )
        for layer, digit in enumerate(digits, start=1):
            if digit not in "012":
                raise NasError(f"layer {layer} of '{digits}' is '{digit}'; allowed is {allowed}")
        return Architecture(self.name, tuple(map(int, digits)))

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        last = "input"
        for layer, operation in enumerate(self.operations(architecture)):
            name = self.decisions[layer].name
            projects = operation == "identity" and layer in _STARTS
            graph.add_node(name, op="projection" if projects else operation, kind="op")
            graph.add_edge(last, name)
            last = name
        graph.add_node("output", op="output", kind="output")
        graph.add_edge(last, "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.macro.network import MacroNetwork

        config = {
            "operations": self.operations(self.require(architecture)),
            **self._shapes(task, settings, "network"),
        }
        network = MacroNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.macro.supernetwork import MacroSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        labels = [decision.name for decision in self.decisions]
        rest = without_cells(options, self.name, "its layers follow one another")
        shapes = self._shapes(task, rest, "supernet")
        same = {name: shapes[name] for name in ("channels", "head")}
        return Supernet(
            MacroSupernetwork(labels, OPERATIONS, **shapes),
            self.path,
            lambda architecture: self.build(architecture, task, **same),
        )

    def _shapes(self, task: TaskInfo, settings: dict[str, Any], group: str) -> dict[str, Any]:
        chosen = fill_group(MacroSettings, settings, group)
        channels = image_shape(task, self.name)[0]
        shapes = {"stages": list(_STAGES), "input_channels": channels, "classes": task.outputs}
        return {**shapes, **vars(chosen)}

    def network_defaults(self, scale: str) -> dict[str, Any]:
        return {"channels": 32, "head": 1280} if scale == "paper" else {"channels": 8, "head": 128}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return self.network_defaults(scale)

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest operation of every layer."""
        choices = (int(scores[decision.name].argmax()) for decision in self.decisions)
        return Architecture(self.name, tuple(choices))

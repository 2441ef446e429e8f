"""The size search space of NATS-Bench: how many channels each of five layers has.

Source: Dong et al., NATS-Bench, TPAMI 2021, arXiv:2009.00437, sec. 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx

from nas import registry
from nas.errors import NasError, unknown
from nas.search_spaces.cells.space import image_shape
from nas.space import Architecture, Decision, Path, Scores, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["NATSSize"]

WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)
LAYERS = ("cell1", "reduction1", "cell2", "reduction2", "cell3")


@registry.register(
    "search_spaces",
    "nats-size",
    "channels of five layers, 8 options each, with a fixed cell",
    "Dong et al., NATS-Bench, TPAMI 2021, arXiv:2009.00437",
)
class NATSSize(SearchSpace):
    """One of eight widths for each of five layers: 8^5 = 32,768 architectures.

    In the supernet a narrower layer is the first channels of a wider one.
    """

    name = "nats-size"
    description = "channels of 5 layers, 8 options each"
    decisions = tuple(Decision(layer, WIDTHS, ordered=True) for layer in LAYERS)

    def widths(self, architecture: Architecture) -> list[int]:
        """Return the channels of every layer."""
        return [WIDTHS[choice] for choice in architecture.choices]

    # -- text and graph -----------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        """Write `8:16:24:32:40`."""
        return ":".join(map(str, self.widths(architecture)))

    def parse(self, text: str) -> Architecture:
        parts = [part.strip() for part in text.split(":")]
        if len(parts) != len(LAYERS):
            raise NasError(
                f"not an architecture of '{self.name}': {text[:80]!r}; expected {len(LAYERS)} "
                "widths such as 8:16:24:32:40"
            )
        allowed = [str(width) for width in WIDTHS]
        for layer, part in zip(LAYERS, parts, strict=True):
            if part not in allowed:
                raise unknown(f"width of '{layer}'", part, allowed)
        return Architecture(self.name, tuple(allowed.index(part) for part in parts))

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        last = "input"
        for layer, width in zip(LAYERS, self.widths(architecture), strict=True):
            graph.add_node(layer, op=f"{layer[:-1]} {width}", kind="op")
            graph.add_edge(last, layer)
            last = layer
        graph.add_node("output", op="output", kind="output")
        graph.add_edge(last, "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.cells.sized_network import SizedNetwork

        self._no_settings("network", settings)
        config = {
            "widths": self.widths(self.require(architecture)),
            "input_channels": image_shape(task, self.name)[0],
            "classes": task.outputs,
        }
        network = SizedNetwork(**config)  # type: ignore[arg-type]
        network.config = dict(config)
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.cells.sized_supernetwork import SizedSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        rest = without_cells(options, self.name, "it searches for widths")
        self._no_settings("supernet", rest)
        channels, _, _ = image_shape(task, self.name)
        return Supernet(SizedSupernetwork(LAYERS, WIDTHS, channels, task.outputs), self.path)

    def _no_settings(self, group: str, settings: dict[str, Any]) -> None:
        for name in settings:
            raise NasError(f"{group}.{name}: space '{self.name}' has no such setting")

    def path(self, architecture: Architecture) -> Path:
        return dict(zip(LAYERS, architecture.choices, strict=True))

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest width of every layer."""
        return Architecture(self.name, tuple(int(scores[layer].argmax()) for layer in LAYERS))

"""The network of GNAS-MP with every edge and the depth a choice: what `Supernet` wraps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from nas.mutables import OneOf
from nas.search_spaces.graph.mp import MPNetwork, MPStack
from nas.search_spaces.sliced.choice import Size
from nas.space import Decision

__all__ = ["MPSupernetwork"]


class MPSupernetwork(MPStack):
    """`MPNetwork` with choices: a shallower network is the first cells of a deeper one.

    All depths share stem and classifier; a mixture of depths classifies the mixture of states.

    Args:
        decisions: Of every edge, by name.
        depth: The decision of the number of cells.
        **settings: As for `MPNetwork`.
    """

    def __init__(self, decisions: Mapping[str, Decision], depth: Decision, **settings: Any) -> None:
        self.decisions, self.settings = decisions, settings
        super().__init__(max(depth.options), **settings)  # type: ignore[type-var, arg-type]
        self.depth = Size(depth)

    def make_edge(self, name: str, stage: str, channels: int) -> nn.Module:
        decision = self.decisions[name]
        names = [str(option) for option in decision.options]
        candidates = {option: self.make_operation(option, stage, channels) for option in names}
        return OneOf(candidates, label=decision.name)

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        states = self.states(graph, self.depth.largest)
        return self.classified(self.depth.mix(lambda cells: states[cells - 1]), graph)

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with the modules that it uses."""
        picked = path[self.depth.label or ""]
        assert isinstance(picked, int)
        names = {name: path[decision.name] for name, decision in self.decisions.items()}
        config: dict[str, Any] = {
            "operations": {n: self.decisions[n].options[i] for n, i in names.items()},  # type: ignore[index]
            "depth": self.depth.options[picked],
            **self.settings,
        }
        network = MPNetwork(**config).to(self.classifier.weight)
        network.config = config
        network.stem, network.classifier = self.stem, self.classifier
        network.cells = self.cells[: len(network.cells)]  # its choices are collapsed later
        return network.train(self.training)

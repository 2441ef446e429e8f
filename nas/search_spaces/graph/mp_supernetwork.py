"""The network of GNAS-MP with every edge and the depth a choice: what `Supernet` wraps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        decisions: Of every cell, that of every edge, by name; cells may share theirs.
        depth: The decision of the number of cells.
        **settings: As for `MPNetwork`.
    """

    def __init__(
        self, decisions: Sequence[Mapping[str, Decision]], depth: Decision, **settings: Any
    ) -> None:
        self.decisions, self.settings = decisions, settings
        super().__init__(len(decisions), **settings)
        self.depth = Size(depth)

    def make_edge(self, cell: int, name: str, stage: str, channels: int) -> nn.Module:
        decision = self.decisions[cell][name]
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
        depth = self.depth.options[picked]
        config: dict[str, Any] = {
            "operations": [
                {name: decision.options[path[decision.name]] for name, decision in cell.items()}  # type: ignore[index]
                for cell in self.decisions[:depth]
            ],
            **self.settings,
        }
        network = MPNetwork(**config).to(self.classifier.weight)
        network.config = config
        network.stem, network.classifier = self.stem, self.classifier
        network.cells = self.cells[:depth]  # its choices are collapsed later
        return network.train(self.training)

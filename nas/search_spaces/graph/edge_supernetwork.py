"""The network of nodes and edges with every update a choice: what `Supernet` wraps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nas.mutables import OneOf
from nas.search_spaces.graph.edge_network import EdgeNetwork, EdgeStack
from nas.search_spaces.graph.edge_updates import make_update
from nas.space import Decision

__all__ = ["EdgeSupernetwork"]


class EdgeSupernetwork(EdgeStack):
    """`EdgeNetwork` with choices, which all cells share.

    Args:
        decisions: Of every update, by its name.
        **settings: As for `EdgeNetwork`.
    """

    def __init__(self, decisions: Mapping[str, Decision], **settings: Any) -> None:
        self.decisions, self.settings = decisions, settings
        super().__init__(**settings)

    def make_update(self, name: str, kind: str, channels: int, edge_channels: int) -> nn.Module:
        decision = self.decisions[name]
        names = [str(option) for option in decision.options]
        candidates = {
            option: make_update(kind, option, channels, edge_channels) for option in names
        }
        return OneOf(candidates, label=decision.name)

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with the modules that it uses."""
        picked = {name: path[decision.name] for name, decision in self.decisions.items()}
        config: dict[str, Any] = {
            "updates": {n: self.decisions[n].options[i] for n, i in picked.items()},  # type: ignore[index]
            **self.settings,
        }
        network = EdgeNetwork(**config).to(self.classifier.weight)
        network.config = config
        network.stem, network.edge_stem = self.stem, self.edge_stem
        network.cells, network.classifier = self.cells, self.classifier  # choices collapse later
        return network.train(self.training)

"""The network of NAS-Bench-Graph with every link and operation a choice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.mutables import Mutable, OneOf
from nas.search_spaces.graph.readout import read_out
from nas.search_spaces.graph.sparse_features import FeatureLinear, dropped
from nas.search_spaces.graph.structure import Structure
from nas.search_spaces.graph.tree import TreeNetwork, TreeOperation
from nas.search_spaces.sliced.choice import Choice
from nas.space import Decision

__all__ = ["TreeSupernetwork"]


class TreeSupernetwork(nn.Module):
    """`TreeNetwork` with choices; the classifier has columns for every node.

    In a mixture a node is read out as far as it is a leaf: by the product, over the later nodes, of
    the weights with which they take another one, and of how far it is another than the input.

    Args:
        inputs: The decisions of what nodes take, of all but the first.
        operations: The decisions of what they do.
        features, classes, hidden, dropout, pool: As for `TreeNetwork`.
    """

    def __init__(
        self,
        inputs: Sequence[Decision],
        operations: Sequence[Decision],
        features: int,
        classes: int,
        hidden: int,
        dropout: float,
        pool: str,
    ) -> None:
        super().__init__()
        self.settings = {"classes": classes, "hidden": hidden, "dropout": dropout, "pool": pool}
        self.dropout, self.pool = dropout, pool
        self.stem = FeatureLinear(features, hidden)
        self.inputs = nn.ModuleList(Choice[int](decision) for decision in inputs)
        self.nodes = nn.ModuleList(_one_of(decision, hidden) for decision in operations)
        self.classifier = nn.Linear(len(operations) * hidden, classes)

    def _inputs(self) -> list[Choice[int]]:
        return [choice for choice in self.inputs if isinstance(choice, Choice)]

    def _nodes(self) -> list[OneOf]:
        return [node for node in self.nodes if isinstance(node, OneOf)]

    def forward(self, graph: Any) -> Tensor:
        """Return logits [n, classes] of the nodes, or the graphs, that are asked for."""
        x = dropped(graph.features, self.dropout, self.training)
        edges = Structure.of(graph)
        states = [F.relu(self.stem(x))]
        for number, node in enumerate(self._nodes()):
            x = self._inputs()[number - 1].mix(states.__getitem__) if number else states[0]
            states.append(node(x, edges))
        read = self._read()
        rows = torch.cat([states[node] for node in read], 1)
        rows = F.dropout(read_out(rows, graph, self.pool), self.dropout, self.training)
        parts = zip(rows.chunk(len(read), 1), read.values(), strict=True)
        rows = torch.cat([part * share for part, share in parts], 1)
        return F.linear(rows, self._columns(read), self.classifier.bias)

    def _columns(self, nodes: Iterable[int]) -> Tensor:
        """Return the classifier's columns for some nodes, counted from 1."""
        parts = self.classifier.weight.chunk(len(self.nodes), 1)
        return torch.cat([parts[node - 1] for node in nodes], 1)

    def _read(self) -> dict[int, Share]:
        """Return the nodes that are read out, from 1, and how far."""
        taken: list[list[Share]] = [[1.0], *map(_shares, self._inputs())]
        differs: list[Share] = [0.0]  # how far a state is another than the input
        for links, node in zip(taken, self._nodes(), strict=True):
            shares = _shares(node)
            skips = shares.pop(list(node.candidates).index("skip"))
            passed = _total(_product(*pair) for pair in zip(links, differs, strict=True))
            differs.append(_total([*shares, _product(skips, passed)]))
        found = {}
        for number, share in enumerate(differs):
            later = [links for links in taken if len(links) > number]
            others = [_total(links[:number] + links[number + 1 :]) for links in later]
            found[number] = _product(share, *others)
        return {number: share for number, share in found.items() if not _is_zero(share)}

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with copies of the weights that it uses."""
        links = (0, *(_chosen(path, choice) for choice in self._inputs()))
        picked = [_chosen(path, node) for node in self._nodes()]
        names = [list(node.candidates)[i] for node, i in zip(self._nodes(), picked, strict=True)]
        config: dict[str, Any] = {
            "links": links, "operations": names, "features": self.stem.in_features
        } | self.settings  # fmt: skip
        network = TreeNetwork(**config).to(self.classifier.weight)
        network.config = config
        network.stem = self.stem
        network.nodes = nn.ModuleList(
            node.chosen(i) for node, i in zip(self._nodes(), picked, strict=True)
        )
        classifier = {"weight": self._columns(network.leaves), "bias": self.classifier.bias}
        network.classifier.load_state_dict(classifier)
        return network.train(self.training)


Share = float | Tensor
"""A number between 0 and 1; exactly 0.0, no tensor, where it follows from what is not active."""


def _shares(mutable: Mutable) -> list[Share]:
    """Return the weight of every option, 1.0 for that of a path."""
    mutable.current()
    weights: Sequence[Share] | None = mutable.weights
    count = len(mutable.gate().options)
    given = [1.0] * count if weights is None else weights
    return [given[i] if i in mutable.active else 0.0 for i in range(count)]


def _is_zero(share: Share) -> bool:
    return isinstance(share, float) and share == 0.0


def _product(*factors: Share) -> Share:
    return 0.0 if any(map(_is_zero, factors)) else math.prod(factors)


def _total(terms: Iterable[Share]) -> Share:
    return sum((term for term in terms if not _is_zero(term)), 0.0)


def _chosen(path: Mapping[str, int | tuple[int, ...]], mutable: Mutable) -> int:
    index = path[mutable.label or ""]
    assert isinstance(index, int)
    return index


def _one_of(decision: Decision, hidden: int) -> OneOf:
    names = [str(option) for option in decision.options]
    return OneOf({name: TreeOperation(name, hidden) for name in names}, label=decision.name)

"""The macro search space of GraphNAS: five decisions in every layer of a graph network.

Source: Gao et al., Graph Neural Architecture Search, IJCAI 2020, arXiv:1904.09981, sec. 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx

from nas import registry
from nas.errors import NasError, unknown
from nas.search_spaces.graph.space import GraphNetworkSettings, GraphSpace
from nas.settings import fill, require_ranges, setting
from nas.space import Architecture, Decision, Path, Scores

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["GNN", "GNNSupernetSettings"]

ATTENTIONS = ("gat", "gcn", "cos", "const", "gat_sym", "linear", "generalized_linear")
AGGREGATIONS = ("sum", "mean", "max", "mlp")
ACTIVATIONS = ("sigmoid", "tanh", "relu", "linear", "softplus", "leaky_relu", "relu6", "elu")
HEADS = (1, 2, 4, 6, 8, 16)
HIDDEN = (4, 8, 16, 32, 64, 128, 256)
FIELDS = ("attention", "aggregation", "activation", "heads", "hidden")
_SEPARABLE = ("attention", "activation")


@dataclass
class GNNNetworkSettings(GraphNetworkSettings):
    """Settings of networks."""

    classifier: bool = setting(
        True, "a linear layer after the last one; false: the last one gives the classes (GraphNAS)"
    )


@dataclass
class GNNSupernetSettings(GNNNetworkSettings):
    """Settings of the supernet."""

    separate: tuple[str, ...] = setting(
        (), "what has weights of its own for every option: attention, activation or both"
    )

    shrink: int = setting(1, "hidden sizes of the supernet are divided by this: 1, 2 or 4")

    group: ClassVar[str] = "supernet"

    def __post_init__(self) -> None:
        super().__post_init__()
        valid = self.shrink > 0 and HIDDEN[0] % self.shrink == 0
        require_ranges(self, self.group, {"shrink": (valid, f"a divisor of {HIDDEN[0]}")})
        for name in self.separate:
            if name not in _SEPARABLE:
                raise unknown("supernet.separate", name, _SEPARABLE)


def _up_to(name: str, most: int, options: tuple[int, ...]) -> tuple[int, ...]:
    """Return the options up to a size."""
    if most < options[0]:
        raise NasError(f"space 'gnn': {name}={most}; at least {options[0]} is needed")
    return tuple(option for option in options if option <= most)


@registry.register(
    "search_spaces",
    "gnn",
    "graph networks: attention, aggregation, activation, heads and hidden size of every layer",
    "Gao et al., Graph Neural Architecture Search (GraphNAS), IJCAI 2020, arXiv:1904.09981",
)
class GNN(GraphSpace):
    """9,408 combinations in each of so many layers, or fewer.

    Args:
        layers: How many layers there are.
        most_heads: Of a layer; more are no options then.
        most_hidden: The largest hidden size of a head.
    """

    name = "gnn"
    description = "graph networks: five decisions a layer"

    def __init__(
        self, layers: int = 2, most_heads: int = HEADS[-1], most_hidden: int = HIDDEN[-1]
    ) -> None:
        if layers < 1:
            raise NasError(f"space 'gnn': layers={layers}; at least 1 is needed")
        heads = _up_to("most_heads", most_heads, HEADS)
        hidden = _up_to("most_hidden", most_hidden, HIDDEN)
        self._take_options(layers=layers, most_heads=most_heads, most_hidden=most_hidden)
        self.layers = layers
        fields = (
            ("attention", ATTENTIONS),
            ("aggregation", AGGREGATIONS),
            ("activation", ACTIVATIONS),
            ("heads", heads),
            ("hidden", hidden),
        )
        self.decisions = tuple(
            Decision(f"layer{layer}/{field}", options, ordered=field in ("heads", "hidden"))
            for layer in range(1, layers + 1)
            for field, options in fields
        )

    def catalogue(self) -> dict[str, Architecture]:
        """Return GCN and GAT with their papers' sizes on Cora; a last layer of 64 classifies."""
        published = {
            "gcn": (("gcn", "sum", "relu", 1, 16), ("gcn", "sum", "linear", 1, 64)),
            "gat": (("gat", "sum", "elu", 8, 8), ("gat", "sum", "linear", 1, 64)),
        }
        if self.layers != 2:
            return {}
        found = {name: self._from_layers(layers) for name, layers in published.items()}
        return {name: architecture for name, architecture in found.items() if architecture}

    def _from_layers(self, layers: Any) -> Architecture | None:
        """Return an architecture by its options; None where one is not in this space."""
        options = [option for layer in layers for option in layer]
        pairs = list(zip(self.decisions, options, strict=True))
        if any(option not in decision.options for decision, option in pairs):
            return None
        return Architecture(self.name, tuple(decision.index(option) for decision, option in pairs))

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return the layers as a chain of attention, aggregation and activation."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        options, last = self.options(architecture), "input"
        for layer in range(1, self.layers + 1):
            own = {field: options[f"layer{layer}/{field}"] for field in FIELDS}
            labels = {
                "attention": f"{own['attention']} {own['heads']}x{own['hidden']}",
                "aggregation": str(own["aggregation"]),
                "activation": str(own["activation"]),
            }
            for field, label in labels.items():
                graph.add_node(f"layer{layer}/{field}", op=label, kind="op")
                graph.add_edge(last, f"layer{layer}/{field}")
                last = f"layer{layer}/{field}"
        graph.add_node("output", op="output", kind="output")
        graph.add_edge(last, "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.graph.macro import MacroNetwork

        chosen = fill(GNNNetworkSettings, settings, "network")
        options = list(self.options(self.require(architecture)).values())
        width = len(FIELDS)
        config: dict[str, Any] = {
            "layers": [tuple(options[i : i + width]) for i in range(0, len(options), width)],
            "features": self.features(task),
            "classes": task.outputs,
            **vars(chosen),
        }
        network = MacroNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.graph.macro_supernetwork import MacroSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        chosen = fill(GNNSupernetSettings, without_cells(options, self.name), "supernet")
        layers = [
            {field: self.decisions[len(FIELDS) * layer + i] for i, field in enumerate(FIELDS)}
            for layer in range(self.layers)
        ]
        network = MacroSupernetwork(layers, self.features(task), task.outputs, **vars(chosen))
        return Supernet(network, self.path)

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return {} if scale == "paper" else {"shrink": 4}

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision."""
        choices = (int(scores[decision.name].argmax()) for decision in self.decisions)
        return Architecture(self.name, tuple(choices))

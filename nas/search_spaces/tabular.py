"""Fully connected networks on tables of numbers and categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx
import numpy as np

from nas import registry
from nas.errors import NasError
from nas.space import Architecture, Decision, Path, Scores, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["Tabular"]

DEPTHS = (1, 2, 3, 4)
WIDTHS = (8, 16, 24, 32, 48, 64, 96, 144, 192, 256, 384, 512)
EMBEDDINGS = (2, 4, 8, 16, 32)
_SMALLEST = f"embedding={EMBEDDINGS[0]}"
_NORM_TEXT = {"batch": "batch norm", "layer": "layer norm"}


@registry.register(
    "search_spaces",
    "tabular",
    "fully connected networks on columns of numbers and categories",
    "Yang et al., TabNAS, NeurIPS 2022, arXiv:2204.07615 (widths of layers)",
)
class Tabular(SearchSpace):
    """Depth, width of every layer, skips, embedding, normalisation, activation and dropout.

    A residual layer adds the first features of its input, filled up with zeros: it has no weights.

    Args:
        categorical: Whether tables have columns of categories. Otherwise the decision about their
            embedding has one option, so that architectures are the same in both spaces.
    """

    name = "tabular"
    description = "fully connected networks on tables"
    kind: ClassVar[str] = "table"
    default_data: ClassVar[str] = "table:breast-cancer"
    published_shapes = ((1027,), 1)  # Criteo, as TabNAS has it

    def __init__(self, *, categorical: bool = True) -> None:
        widths = [
            Decision(
                f"width{layer}", WIDTHS, ordered=True,
                when=(("depth", DEPTHS[layer - 1 :]),) if layer > 1 else (),
            )
            for layer in DEPTHS
        ]  # fmt: skip
        self.decisions = (
            Decision("depth", DEPTHS, ordered=True),
            *widths,
            Decision("residual", ("no", "yes"), when=(("depth", DEPTHS[1:]),)),
            Decision("embedding", EMBEDDINGS if categorical else EMBEDDINGS[:1], ordered=True),
            Decision("normalisation", ("none", "batch", "layer")),
            Decision("activation", ("relu", "gelu", "silu", "tanh")),
            Decision("dropout", (0.0, 0.1, 0.2, 0.3, 0.5), ordered=True),
        )
        self.categorical = categorical

    def for_task(self, task: TaskInfo) -> SearchSpace:
        """Choose no embedding where a table has only numbers."""
        categorical = any(task.categories)
        return self if categorical == self.categorical else Tabular(categorical=categorical)

    def catalogue(self) -> dict[str, Architecture]:
        """Return the network that TabNAS starts from on Criteo: 32, 144 and 24 features."""
        plain = "residual=no;normalisation=none;activation=relu;dropout=0.0"
        return {"tabnas-criteo": self.parse(f"depth=3;width1=32;width2=144;width3=24;{plain}")}

    # -- text and graph -----------------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        """Write `depth=2;width1=64;...`, without the embedding where there is nothing to embed."""
        options = self.options(architecture)
        if not self.categorical:
            del options["embedding"]
        return ";".join(f"{name}={option}" for name, option in options.items())

    def parse(self, text: str) -> Architecture:
        """Read what `format` wrote; an embedding that is left out is the smallest."""
        return super().parse(text if "embedding=" in text else f"{text};{_SMALLEST}")

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        options: dict[str, Any] = self.options(architecture)
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        last = "input"
        if self.categorical:
            last = _follow(graph, last, "embedding", f"embedding {options['embedding']}")
        for layer in range(1, options["depth"] + 1):
            start = last
            for name, op in _steps(options, layer):
                last = _follow(graph, last, f"{name}{layer}", op)
            if layer > 1 and options["residual"] == "yes":
                last = _follow(graph, last, f"add{layer}", "add", "node")
                graph.nodes[last]["label"] = f"sum {layer}"
                graph.add_edge(start, last)
        _follow(graph, last, "output", "output", "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.tables.network import TableNetwork
        from nas.search_spaces.tables.supernetwork import plain_settings

        self._no_settings("network", settings)
        own = plain_settings(self.options(self.require(architecture)))
        network = TableNetwork(**self._shapes(task), **own)
        network.config = self._shapes(task) | own
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.sliced.options import without_cells
        from nas.search_spaces.tables.supernetwork import TableSupernetwork

        self._no_settings("supernet", without_cells(options, self.name))
        shapes = self._shapes(task)
        idle = () if any(shapes["categories"]) else ("embedding",)
        decisions = [decision for decision in self.decisions if decision.name not in idle]
        return Supernet(TableSupernetwork(decisions, **shapes), self.path)

    def _shapes(self, task: TaskInfo) -> dict[str, Any]:
        """Return what of the task shapes a network; refuses what is no table."""
        if task.kind not in ("table", "examples") or len(task.input_shape) != 1:
            raise NasError(
                f"space '{self.name}' needs a table or vectors (data: table:breast-cancer, "
                f"csv:FILE ...); the task is of kind '{task.kind}' with inputs of shape "
                f"{list(task.input_shape)}"
            )
        [columns] = task.input_shape
        categories = list(task.categories)
        if any(categories) and not self.categorical:
            raise NasError(
                f"space '{self.name}' was made for numbers only; the task has categories: "
                "Tabular(categorical=True) embeds them"
            )
        return {"columns": columns, "categories": categories, "classes": task.outputs}

    def _no_settings(self, group: str, settings: dict[str, Any]) -> None:
        for name in settings:
            raise NasError(f"{group}.{name}: space '{self.name}' has no such setting")

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision; the first one where there is no gate."""
        row = [int(scores[d.name].argmax()) if d.name in scores else 0 for d in self.decisions]
        rows = np.array([row], dtype=np.int64)
        self._reset_inactive(rows)
        return self.from_array(rows)[0]


def _steps(options: dict[str, Any], layer: int) -> list[tuple[str, str]]:
    """Return name and label of what a layer does, one after the other."""
    steps = [("linear", f"linear {options[f'width{layer}']}")]
    if options["normalisation"] != "none":
        steps.append(("norm", _NORM_TEXT[options["normalisation"]]))
    steps.append(("activation", options["activation"]))
    if options["dropout"]:
        steps.append(("dropout", f"dropout {options['dropout']}"))
    return steps


def _follow(graph: nx.DiGraph[str], last: str, name: str, op: str, kind: str = "op") -> str:
    graph.add_node(name, op=op, kind=kind)
    graph.add_edge(last, name)
    return name

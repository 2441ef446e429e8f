"""What the builder of a network needs to know of a task."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nas.errors import NasError, unknown
from nas.task.graph import Graph, random_graph

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["KINDS", "TaskInfo"]

KINDS = {
    "examples": "images or vectors",
    "table": "a table",
    "tokens": "text",
    "sequence": "sequences of vectors",
    "nodes": "a graph whose nodes are classified",
    "graphs": "graphs",
}
"""Kind of a task -> what it has, for messages."""

_DIMENSIONS = {"table": (1,), "tokens": (1,), "sequence": (2,), "nodes": (1,), "graphs": (1,)}
_GRAPH = 6  # nodes of each of several random graphs


@dataclass(frozen=True)
class TaskInfo:
    """Shapes and kind of a task.

    Inputs, targets and what a network returns, by kind:

    - "examples": images or vectors, float32 [B, *input_shape]; targets int64 [B]; logits
      [B, outputs].
    - "table": rows, float32 [B, D]: normalised numbers and, in columns with categories, codes 0 to
      categories - 1 as floats (0: missing or never seen); as for examples else.
    - "tokens": text, int64 [B, T]; targets are the tokens that follow each, int64 [B, T]; logits
      [B, T, vocabulary].
    - "sequence": sequences of vectors, float32 [B, T, D]; as for examples else.
    - "nodes": a `Graph` with `index`, the nodes that are asked for; targets int64 [n] and logits
      [n, outputs] in this order.
    - "graphs": a `Graph` of several with `batch`; targets int64 [graphs]; logits [graphs, outputs].

    Args:
        input_shape: Of one example: (C, H, W) for images, (D,) for vectors and rows, (T,) for
            tokens, (T, D) for sequences, (F,), the features of a node, for graphs.
        outputs: Number of classes, or of tokens.
        kind: One of `KINDS`.
        categories: Of a table, for each column: the number of its categories; 0: a number.
        vocabulary: Number of different tokens; 0 for other kinds.
        edge_features: Features of an edge of graphs; 0 is none.
    """

    input_shape: tuple[int, ...]
    outputs: int
    kind: str = "examples"
    categories: tuple[int, ...] = ()
    vocabulary: int = 0
    edge_features: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind of task", self.kind, KINDS)
        dimensions = _DIMENSIONS.get(self.kind)
        if dimensions and len(self.input_shape) not in dimensions:
            raise NasError(
                f"a task of kind {self.kind!r} has inputs of {dimensions[0]} dimension(s), "
                f"not {tuple(self.input_shape)}"
            )
        if self.categories and len(self.categories) != self.input_shape[0]:
            raise NasError(
                f"categories of {len(self.categories)} columns for a table of {self.input_shape[0]}"
            )

    # -- facts --------------------------------------------------------------------------------

    @property
    def tokens(self) -> int:
        """Tokens of an example; 0 where it does not consist of tokens."""
        return self.input_shape[0] if self.kind in ("tokens", "sequence") else 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what is measured of a network's outputs; see `Task.metrics`."""
        return ("accuracy", "loss", "bits_per_byte")[: 3 if self.kind == "tokens" else 2]

    # -- examples -----------------------------------------------------------------------------

    def example(self, batch: int, generator: torch.Generator | None = None) -> Tensor | Graph:
        """Make a random input of the kind, on the CPU.

        Args:
            batch: Examples; a graph has so many nodes, all of which are asked for.
            generator: Of random numbers; None is one with seed 0. The global ones are left alone.
        """
        import torch

        generator = generator or torch.Generator().manual_seed(0)
        shape = (batch, *self.input_shape)
        if self.kind == "tokens":
            return torch.randint(self.vocabulary, shape, generator=generator)
        if self.kind == "nodes":
            return random_graph(batch, self.input_shape[0], generator, self.edge_features)
        if self.kind == "graphs":
            own = self.input_shape[0]
            return random_graph(_GRAPH, own, generator, self.edge_features, graphs=batch)
        x = torch.rand(shape, generator=generator)
        for column, count in enumerate(self.categories):
            if count:
                x[:, column] = (x[:, column] * count).floor()
        return x

    def target(self, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """Make random targets for `example`: int64 [B], or [B, T] of tokens."""
        import torch

        generator = generator or torch.Generator().manual_seed(0)
        shape = (batch, *self.input_shape) if self.kind == "tokens" else (batch,)
        return torch.randint(self.outputs, shape, generator=generator)

    # -- JSON ---------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; those that only some kinds have are left out where they are not."""
        values = {**asdict(self), "input_shape": list(self.input_shape)}
        values["categories"] = list(self.categories)
        if self.kind == "examples":
            del values["kind"]
        for name in ("categories", "vocabulary", "edge_features"):
            if not values[name]:
                del values[name]
        return values

    def to_json(self) -> str:
        """Return the shapes as JSON text."""
        return json.dumps(self.as_dict())

    @classmethod
    def from_json(cls, text: str) -> TaskInfo:
        """Read what `to_json` wrote; raises `NasError` on anything else."""
        try:
            data = json.loads(text)
            shape, outputs = tuple(data["input_shape"]), data["outputs"]
            if not shape or any(type(n) is not int or n < 1 for n in (*shape, outputs)):
                raise ValueError
            categories = tuple(data.get("categories", ()))
            numbers = {name: data.get(name, 0) for name in ("vocabulary", "edge_features")}
            if any(type(n) is not int or n < 0 for n in (*categories, *numbers.values())):
                raise ValueError
            return cls(shape, outputs, data.get("kind", "examples"), categories, **numbers)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NasError(
                f"not the shapes of a task: {text[:80]!r}; expected "
                '{"input_shape": [C, H, W], "outputs": classes}'
            ) from error

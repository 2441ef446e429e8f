"""The network on a table with everything a choice: what `Supernet` wraps.

A narrower layer is the first features of a wider one, a smaller embedding the first features of a
larger one, a shallower network the first layers of a deeper one. Classifier and linear layers are
shared; batch norm and layer norm have scale and shift of their own. Dropout draws once an option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.sliced.choice import Choice, Size, chosen
from nas.search_spaces.sliced.layers import batch_norm, copy_parts, layer_norm, linear
from nas.search_spaces.tables.network import ACTIVATIONS, Columns, TableNetwork, resized
from nas.space import Decision

__all__ = ["TableSupernetwork"]

_NORMS = ("batch", "layer")


class _Layer(nn.Module):
    """A linear layer at its largest, and every normalisation."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(c_in, c_out)
        self.batch = nn.BatchNorm1d(c_out)
        self.layer = nn.LayerNorm(c_out)

    def normalised(self, y: Tensor, name: str) -> Tensor:
        if name == "batch":
            return batch_norm(self.batch, y)
        return layer_norm(self.layer, y) if name == "layer" else y


class TableSupernetwork(nn.Module):
    """`TableNetwork` with a choice of every decision.

    Args:
        decisions: "depth", "width1" ..., "residual", "normalisation", "activation", "dropout", and
            "embedding" where there are categories.
        columns, categories, classes: As for `TableNetwork`.
    """

    def __init__(
        self, decisions: Sequence[Decision], columns: int, categories: Sequence[int], classes: int
    ) -> None:
        super().__init__()
        self.shape: dict[str, Any] = {
            "columns": columns, "categories": list(categories), "classes": classes
        }  # fmt: skip
        self.choices = nn.ModuleDict({d.name: _choice(d) for d in decisions})
        self.columns: nn.Module = nn.Identity()
        features = columns
        if any(categories):
            self.columns = Columns(categories, max(self._size("embedding").options))
            features = self.columns.features
        widths = [max(self._size(f"width{i + 1}").options) for i in range(self._deepest)]
        ends = zip((features, *widths), widths, strict=False)
        self.layers = nn.ModuleList(_Layer(c_in, c_out) for c_in, c_out in ends)
        self.classifier = nn.Linear(max(widths), classes)

    @property
    def _deepest(self) -> int:
        return max(self._size("depth").options)

    def _size(self, name: str) -> Size:
        size = self.choices[name]
        assert isinstance(size, Size)
        return size

    def _mix(self, name: str, run: Any) -> Tensor:
        choice = self.choices[name]
        assert isinstance(choice, Choice)
        return choice.mix(run)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes]; of several depths, the weighted sum of their logits."""
        x, depth = self._embedded(x), self._size("depth")
        logits: dict[int, Tensor] = {}
        for number in range(depth.largest):
            x = self._layer(number, x)
            if depth.options.index(number + 1) in depth.active:
                logits[number + 1] = linear(self.classifier, x)
        return depth.mix(lambda layers: logits[layers])

    def _embedded(self, x: Tensor) -> Tensor:
        columns = self.columns
        if not isinstance(columns, Columns):
            return x
        size = self._size("embedding")
        embedded = F.embedding(columns.codes(x), columns.embedding.weight[:, : size.largest])
        masked = size.masked(embedded.transpose(1, 2)).transpose(1, 2)
        return columns.joined(x, masked)

    def _layer(self, number: int, x: Tensor) -> Tensor:
        layer, width = self.layers[number], self._size(f"width{number + 1}")
        assert isinstance(layer, _Layer)
        y = linear(layer.linear, x, width.largest)
        y = self._mix("normalisation", partial(layer.normalised, y))
        y = self._mix("activation", partial(_activated, y))
        y = self._mix("dropout", partial(F.dropout, y, training=self.training))
        y = width.masked(y)
        if not number:
            return y
        return self._mix("residual", partial(_joined, y, x))

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain network of a path, with copies of the features that it runs."""
        options: dict[str, Any] = chosen(dict(self.choices.items()), path)  # type: ignore[arg-type]
        config = self.shape | plain_settings(options)
        network = TableNetwork(**config).to(self.classifier.weight)
        network.config = config
        kept = options["normalisation"]
        wide = {
            name.replace(f".{kept}.", ".norm.") if kept in _NORMS else name: tensor
            for name, tensor in self.state_dict().items()
        }
        copy_parts(wide, network)
        return network.train(self.training)


def _choice(decision: Decision) -> Choice[Any]:
    """Make a choice of sizes for numbers of features and layers, a plain one for all else."""
    sizes = decision.name.startswith(("depth", "width", "embedding"))
    return Size(decision) if sizes else Choice(decision)


def _activated(y: Tensor, name: str) -> Tensor:
    activated: Tensor = ACTIVATIONS[name]()(y)
    return activated


def _joined(y: Tensor, x: Tensor, residual: str) -> Tensor:
    return y + resized(x, y.shape[1]) if residual == "yes" else y


def plain_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn decisions and their options into arguments of `TableNetwork`."""
    names = ("embedding", "normalisation", "activation", "dropout")
    settings: dict[str, Any] = {name: options[name] for name in names if name in options}
    settings["widths"] = [options[f"width{i + 1}"] for i in range(options["depth"])]
    settings["residual"] = options.get("residual") == "yes"
    return settings

"""Fully connected networks on the columns of a table, in plain PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
NORMS = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Columns(nn.Module):
    """Numbers as they are, categories by their embedding.

    The first embedded feature of all columns comes before the second of any, so that a smaller
    embedding is the first part of a larger one.

    Args:
        categories: Of every column, the number of categories; 0 is a column of numbers.
        size: Features an embedding.
    """

    numeric: Tensor
    categorical: Tensor
    offsets: Tensor

    def __init__(self, categories: Sequence[int], size: int) -> None:
        super().__init__()
        categorical = [column for column, count in enumerate(categories) if count]
        numeric = [column for column, count in enumerate(categories) if not count]
        counts = [categories[column] for column in categorical]
        offsets = [sum(counts[:place]) for place in range(len(counts))]
        self.register_buffer("numeric", torch.tensor(numeric, dtype=torch.long), False)
        self.register_buffer("categorical", torch.tensor(categorical, dtype=torch.long), False)
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.long), False)
        self.embedding = nn.Embedding(sum(counts), size)
        self.features = len(numeric) + len(categorical) * size

    def codes(self, x: Tensor) -> Tensor:
        """Return the row of the embedding of every category, int64 [B, categorical columns]."""
        return x.index_select(1, self.categorical).long() + self.offsets

    def joined(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Put numbers of x [B, D] before what was embedded, [B, categorical columns, size]."""
        numbers = x.index_select(1, self.numeric)
        return torch.cat([numbers, embedded.transpose(1, 2).flatten(1)], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.joined(x, self.embedding(self.codes(x)))


def resized(x: Tensor, width: int) -> Tensor:
    """Return the first `width` features of x [B, n], with zeros where it has fewer."""
    return F.pad(x, (0, width - x.shape[1])) if x.shape[1] < width else x[:, :width]


class TableLayer(nn.Module):
    """Linear, normalisation, activation, dropout."""

    def __init__(
        self, c_in: int, c_out: int, normalisation: str, activation: str, dropout: float
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(c_in, c_out)
        self.norm = NORMS[normalisation](c_out)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(self.activation(self.norm(self.linear(x))))
        return y


class TableNetwork(nn.Module):
    """Embeddings, layers, classifier.

    Args:
        columns: Of the table.
        categories: Of every column, the number of categories, 0 for a number; empty: all numbers.
        classes: Number of logits.
        widths: Features of every layer.
        embedding: Features of an embedded category.
        residual: Whether layers after the first add their input: its first features, or with
            zeros where it has fewer.
        normalisation: Of every layer, one of `NORMS`.
        activation: Of every layer, one of `ACTIVATIONS`.
        dropout: Share of features, after every activation.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self,
        columns: int,
        categories: Sequence[int],
        classes: int,
        widths: Sequence[int],
        embedding: int = 8,
        residual: bool = False,
        normalisation: str = "batch",
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.columns: nn.Module = nn.Identity()
        features = columns
        if any(categories):
            self.columns = Columns(categories, embedding)
            features = self.columns.features
        self.layers = nn.ModuleList()
        for c_in, c_out in zip((features, *widths), widths, strict=False):
            self.layers.append(TableLayer(c_in, c_out, normalisation, activation, dropout))
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, classes] of rows [B, columns]."""
        x = self.columns(x)
        for number, layer in enumerate(self.layers):
            y = layer(x)
            x = y + resized(x, y.shape[1]) if self.residual and number else y
        logits: Tensor = self.classifier(x)
        return logits

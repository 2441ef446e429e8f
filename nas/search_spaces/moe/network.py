"""A small transformer with feed-forward blocks of choice, in plain PyTorch.

Pre-norm blocks with learned positions (Radford et al., GPT-2, 2019). It predicts the next token
after each, or the class of a sequence of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.moe.experts import FeedForward
from nas.search_spaces.moe.layer import MoELayer
from nas.search_spaces.moe.loads import watch_loads

__all__ = ["Attention", "DenseLayer", "TokenNetwork"]


class Attention(nn.Module):
    """Multi-head self-attention; `causal`: a token sees only itself and those before it."""

    def __init__(self, dimension: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.inputs = nn.Linear(dimension, 3 * dimension)
        self.output = nn.Linear(dimension, dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, d] to [B, T, d]."""
        batch, tokens, dimension = x.shape
        split = self.inputs(x).view(batch, tokens, 3, self.heads, dimension // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind()
        y = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        result: Tensor = self.output(y.transpose(1, 2).reshape(batch, tokens, dimension))
        return result


class DenseLayer(FeedForward):
    """The dense feed-forward block; it takes names of tokens, as `MoELayer` does, for nothing."""

    def forward(self, x: Tensor, ids: Any = None) -> Tensor:
        del ids
        return super().forward(x)


class TokenNetwork(nn.Module):
    """The network of one architecture.

    Args:
        blocks: Of every block, the arguments of its `MoELayer`; without `router` it is dense.
        tokens: Length of sequences.
        outputs: Number of classes, or of different tokens.
        features: Of a token that is a vector; 0: tokens are numbers below `outputs`, and the
            network is causal and predicts the next one.
        width: Dimension of tokens inside.
        heads: Of the attention.
        hidden: Units of dense feed-forward blocks.
    """

    config: dict[str, object]  # the arguments that it was built with

    def __init__(
        self, blocks: Sequence[Mapping[str, Any]], tokens: int, outputs: int, features: int = 0,
        width: int = 64, heads: int = 4, hidden: int = 256,
    ) -> None:  # fmt: skip
        super().__init__()
        self.blocks, self.tokens, self.causal = list(blocks), tokens, not features
        self.names = 0 if features else outputs
        self.width, self.hidden = width, hidden
        self.embedding: nn.Module
        self.embedding = nn.Linear(features, width) if features else nn.Embedding(outputs, width)
        self.positions = nn.Parameter(torch.randn(tokens, width) * 0.02)
        count = range(len(blocks))
        self.attention_norms = nn.ModuleList(nn.LayerNorm(width) for _ in count)
        self.attentions = nn.ModuleList(Attention(width, heads, self.causal) for _ in count)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in count)
        self.layers = nn.ModuleList(self.make_layer(number) for number in count)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def make_layer(self, number: int) -> nn.Module:
        """Make the feed-forward block of one block, counted from 0."""
        arguments = dict(self.blocks[number])
        if "router" not in arguments:
            return DenseLayer(self.width, self.hidden)
        return MoELayer(self.width, tokens=self.tokens, names=self.names, **arguments)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits: of [B, T] tokens, [B, T, outputs]; of vectors [B, T, D], [B, outputs]."""
        places = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
        ids = x if self.names else places
        x = self.embedding(x) + self.positions[: x.shape[1]]
        parts = (self.attention_norms, self.attentions, self.norms, self.layers)
        for attention_norm, attention, norm, layer in zip(*parts, strict=True):
            x = x + attention(attention_norm(x))
            x = x + layer(norm(x), ids)
        x = self.norm(x)
        logits: Tensor = self.head(x if self.causal else x.mean(1))
        return logits

    def watching(self) -> AbstractContextManager[Callable[[], dict[str, float]]]:
        """Watch how evenly experts are used; see `nas.costs.watching`."""
        return watch_loads(self)

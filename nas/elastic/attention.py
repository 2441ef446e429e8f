"""Multi-head attention of which heads may be left out: plain PyTorch, with any number of heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["HeadAttention"]


class HeadAttention(nn.Module):
    """Attention as `nn.MultiheadAttention`, whose heads need not fill the embedding.

    Called as that module is: query [B, T, E], key and value [B, S, ...] (or with the batch in the
    second place, or without one); gives the output and, where asked for, attention weights.

    Args:
        embed_dim: E.
        num_heads: Number of heads.
        head_dim: Features of a head.
        kdim: Features of keys.
        vdim: Features of values.
        dropout: Of attention weights, in training.
        bias: Whether projections have one.
        batch_first: Whether the batch is the first dimension.
    """

    in_proj_bias = None  # says to transformer layers of torch that their fused path is not for it

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        head_dim: int,
        kdim: int,
        vdim: int,
        dropout: float = 0.0,
        bias: bool = True,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, head_dim
        self.kdim, self.vdim = kdim, vdim
        self.dropout, self.bias, self.batch_first = dropout, bias, batch_first
        width = num_heads * head_dim
        self.query = nn.Linear(embed_dim, width, bias)
        self.key = nn.Linear(kdim, width, bias)
        self.value = nn.Linear(vdim, width, bias)
        self.out = nn.Linear(width, embed_dim, bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Do as `nn.MultiheadAttention` does."""
        heads = self.num_heads
        return self.attend(
            heads, query, key, value, key_padding_mask, need_weights, attn_mask,
            average_attn_weights, is_causal,
        )  # fmt: skip

    def attend(
        self,
        heads: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Do as `forward`, with the first heads only.

        `is_causal` is a hint about `attn_mask`, which must be given with it, as in torch.
        """
        del is_causal
        swap = query.ndim == 3 and not self.batch_first
        if swap:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        q, k, v = (
            self._split(layer, x, heads)
            for layer, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        mask = self._mask(attn_mask, key_padding_mask, q, heads)
        p = self.dropout if self.training else 0.0
        weights: Tensor | None = None
        if need_weights:
            scores = q @ k.transpose(-2, -1) * self.head_dim**-0.5
            weights = F.dropout((scores if mask is None else scores + mask).softmax(-1), p)
            y = weights @ v
            weights = weights.mean(-3) if average_attn_weights else weights
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, p)
        y = y.transpose(-3, -2).flatten(-2)
        y = F.linear(y, self.out.weight[:, : y.shape[-1]], self.out.bias)
        return (y.transpose(0, 1) if swap else y), weights

    def _split(self, layer: nn.Linear, x: Tensor, heads: int) -> Tensor:
        """Project [..., T, n] for the first heads: [..., heads, T, d]."""
        width = heads * self.head_dim
        bias = None if layer.bias is None else layer.bias[:width]
        y = F.linear(x, layer.weight[:width], bias)
        return torch.unflatten(y, -1, (heads, self.head_dim)).transpose(-3, -2)

    def _mask(
        self, attention: Tensor | None, padding: Tensor | None, q: Tensor, heads: int
    ) -> Tensor | None:
        """Return what is added to scores [..., heads, T, S]; None for nothing."""
        total: Tensor | None = None
        if attention is not None:
            total = self._added(attention, q)
            if total.ndim == 3:  # one for every head of every example, [B * H, T, S]
                total = torch.unflatten(total, 0, (-1, self.num_heads))[:, :heads]
                total = total if q.ndim == 4 else total[0]
        if padding is not None:
            hidden = self._added(padding, q).unsqueeze(-2).unsqueeze(-2)
            total = hidden if total is None else total + hidden
        return total

    @staticmethod
    def _added(mask: Tensor, like: Tensor) -> Tensor:
        """Turn a mask that is true where attention is not allowed into what is added."""
        if mask.dtype != torch.bool:
            return mask.to(like.dtype)
        return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -torch.inf)

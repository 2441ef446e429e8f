"""How many heads an attention has."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.elastic.attention import HeadAttention
from nas.elastic.kind import ElasticKind, Part, require_sizes
from nas.errors import NasError

__all__ = ["ElasticHeads"]

_NEEDED = "Elastic heads needs an nn.MultiheadAttention, or a block that holds exactly one"
_Attention = (nn.MultiheadAttention, HeadAttention)


class ElasticHeads(ElasticKind):
    """The first heads of a `MultiheadAttention`, alone or somewhere in a block.

    A head keeps its features and the embedding its size: of the projections to queries, keys and
    values the rows of the first heads run, of the one back the columns.
    """

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        attention = _attention_of(module)
        require_sizes("heads", sizes, attention.num_heads)
        if getattr(attention, "bias_k", None) is not None:
            raise NasError("Elastic heads: add_bias_kv=True; such keys cannot be cut")
        if getattr(attention, "add_zero_attn", False):
            raise NasError("Elastic heads: add_zero_attn=True; such keys cannot be cut")

    def prepared(self, module: nn.Module) -> nn.Module:
        attention = _attention_of(module)
        if isinstance(attention, nn.MultiheadAttention):
            return _replaced(module, attention, _Running.of(attention))
        return module

    def run(self, module: nn.Module, size: int, *inputs: Any, **named: Any) -> Any:
        attention = _attention_of(module)
        attention.running = size
        try:
            return module(*inputs, **named)
        finally:
            attention.running = None

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        attention = _attention_of(module)
        return _replaced(module, attention, attention.cut(size))

    def parts(self, module: nn.Module, sizes: Sequence[int]) -> list[Part]:
        always = tuple(range(len(sizes)))
        return [(child, always) for child in module.children() if not isinstance(child, _Attention)]


class _Running(HeadAttention):
    """Attention that runs with some of its heads."""

    running: int | None = None

    @classmethod
    def of(cls, module: nn.MultiheadAttention) -> _Running:
        """Return attention with the weights of torch's module."""
        one = cls(
            module.embed_dim, module.num_heads, module.head_dim, module.kdim, module.vdim,
            module.dropout, module.in_proj_bias is not None, module.batch_first,
        ).to(module.out_proj.weight)  # fmt: skip
        with torch.no_grad():
            for layer, weight, bias in zip(
                (one.query, one.key, one.value), _weights(module), _biases(module), strict=True
            ):
                layer.weight.copy_(weight)
                if bias is not None:
                    layer.bias.copy_(bias)
        one.out.load_state_dict(module.out_proj.state_dict())
        return one.train(module.training)

    def forward(self, *inputs: Any, **named: Any) -> tuple[Tensor, Tensor | None]:
        return self.attend(self.running or self.num_heads, *inputs, **named)

    def cut(self, heads: int) -> HeadAttention:
        """Return plain attention with copies of the weights of the first heads."""
        small = HeadAttention(
            self.embed_dim, heads, self.head_dim, self.kdim, self.vdim, self.dropout, self.bias,
            self.batch_first,
        ).to(self.out.weight)  # fmt: skip
        wide = self.state_dict()
        small.load_state_dict(
            {
                name: wide[name][tuple(slice(0, n) for n in tensor.shape)]
                for name, tensor in small.state_dict().items()
            }
        )
        return small.train(self.training)


def _weights(module: nn.MultiheadAttention) -> Sequence[Tensor]:
    if module.in_proj_weight is None:  # keys or values of other sizes
        separate = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
        return [weight for weight in separate if weight is not None]
    return module.in_proj_weight.chunk(3)


def _biases(module: nn.MultiheadAttention) -> Sequence[Tensor | None]:
    bias = module.in_proj_bias
    return (None, None, None) if bias is None else bias.chunk(3)


def _attention_of(module: nn.Module) -> Any:
    found = [part for part in module.modules() if isinstance(part, _Attention)]
    if len(found) != 1:
        there = f"{len(found)} in" if len(found) else "none in"
        raise NasError(f"{_NEEDED}; there are {there} {type(module).__name__}")
    return found[0]


def _replaced(module: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """Return the module with another one in the place of a part; what is around is copied."""
    if module is old:
        return new
    if not any(part is old for part in module.modules()):
        return module
    other = copy.copy(module)
    children = module._modules.items()
    other._modules = {n: c and _replaced(c, old, new) for n, c in children}
    return other

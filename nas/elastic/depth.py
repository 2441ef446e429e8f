"""How many modules of a chain run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from nas.elastic.kind import ElasticKind, Part, layers_of, require_sizes
from nas.errors import NasError

__all__ = ["ElasticDepth"]


class ElasticDepth(ElasticKind):
    """The first modules of a `Sequential`."""

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        if not isinstance(module, nn.Sequential):
            raise NasError(f"Elastic depth needs a Sequential, not {type(module).__name__}")
        require_sizes("depth", sizes, len(module))
        idle = len(module) - max(sizes)
        if idle:
            raise NasError(
                f"Elastic depth={tuple(sizes)}: the last {idle} of {len(module)} modules never run"
            )

    def run(self, module: nn.Module, size: int, *inputs: Any, **named: Any) -> Any:
        first, *others = layers_of(module)[:size]
        x = first(*inputs, **named)
        for child in others:
            x = child(x)
        return x

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        return nn.Sequential(*layers_of(module)[:size])

    def parts(self, module: nn.Module, sizes: Sequence[int]) -> list[Part]:
        return [
            (child, tuple(i for i, size in enumerate(sizes) if size > position))
            for position, child in enumerate(layers_of(module))
        ]

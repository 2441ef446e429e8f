"""What every kind of elastic block has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import nn

from nas.errors import NasError

__all__ = ["ElasticKind", "Part", "layers_of", "require_sizes", "require_zero_padding"]

Part = tuple[nn.Module, tuple[int, ...]]
"""A module inside a block, and the places of the sizes with which it runs."""


class ElasticKind(ABC):
    """One size of a block that may vary."""

    @abstractmethod
    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        """Raise `NasError` unless the block can run at all these sizes."""

    def prepared(self, module: nn.Module) -> nn.Module:
        """Return the block in the form in which it runs at every size; mostly the block itself."""
        return module

    @abstractmethod
    def run(self, module: nn.Module, size: int, *inputs: Any, **named: Any) -> Any:
        """Run the block at one size with a part of its weights."""

    @abstractmethod
    def extract(self, module: nn.Module, size: int) -> nn.Module:
        """Return a plain block of one size with copies of that part of the weights."""

    def parts(self, module: nn.Module, sizes: Sequence[int]) -> list[Part]:
        """Return the modules inside that may hold choices of their own."""
        del module, sizes
        return []


def require_sizes(what: str, sizes: Sequence[int], largest: int) -> None:
    """Refuse sizes that are not different, or not from 1 to the largest."""
    if len(set(sizes)) != len(sizes) or not sizes or min(sizes) < 1 or max(sizes) > largest:
        raise NasError(f"Elastic {what}={tuple(sizes)}: distinct sizes from 1 to {largest} needed")


def layers_of(module: nn.Module) -> list[nn.Module]:
    """Return the modules of a `Sequential`; one that stands in it twice is there twice."""
    assert isinstance(module, nn.Sequential)
    return list(module)


def require_zero_padding(what: str, module: nn.Module) -> None:
    """Refuse convolutions that are padded with anything but zeros."""
    mode = getattr(module, "padding_mode", "zeros")
    if mode != "zeros":
        raise NasError(f"Elastic {what}: padding_mode '{mode}'; only 'zeros' can be cut")

"""What stands in exported source for a function that is fast rather than plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["written_as"]

F = TypeVar("F", bound=Callable[..., object])


def written_as(plain: Callable[..., object]) -> Callable[[F], F]:
    """Mark a function: where its source is written down, that of another one is.

    Args:
        plain: A function that takes the same and returns the same.
    """

    def mark(function: F) -> F:
        function.__written_as__ = plain  # type: ignore[attr-defined]
        return function

    return mark

"""Strategies by name, as a comparison on tables takes them: black-box ones, with settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas import registry
from nas.errors import NasError
from nas.objective import Objective
from nas.settings import fill_if_any
from nas.space import SearchSpace
from nas.strategies import Strategy, choose_strategy

__all__ = ["Contestant", "contestant"]


@dataclass(frozen=True)
class Contestant:
    """A strategy that takes part.

    Args:
        name: Today's, such as `evolution` or `optuna:tpe`.
        factory: Its class.
        settings: An instance of the class's `Settings`, or None.
    """

    name: str
    factory: type[Strategy]
    settings: Any

    def start(self, space: SearchSpace, objective: Objective, seed: int) -> Strategy:
        """Return a fresh strategy."""
        return self.factory(space, objective, seed, self.settings)


def contestant(name: str, settings: Mapping[str, Any] | None = None) -> Contestant:
    """Find a strategy and fill its settings.

    Args:
        name: `NAME`, or `NAME:VALUE` such as `optuna:tpe`.
        settings: Setting -> value; the others have their defaults.

    Raises:
        NasError: For an unknown strategy or setting, and for one that trains a supernet.
    """
    chosen = choose_strategy(name, settings or {})
    if not chosen.is_black_box:
        raise NasError(
            f"strategy '{chosen.name}' trains gates in a supernet, which a table cannot stand for; "
            f"strategies that can be compared on tables: {', '.join(_black_box())}"
        )
    filled = fill_if_any(chosen.factory.Settings, chosen.given, chosen.name)
    return Contestant(chosen.name, chosen.factory, filled)


def _black_box() -> list[str]:
    entries = registry.names("strategies").items()
    return [name for name, entry in entries if isinstance(entry.factory, type)]

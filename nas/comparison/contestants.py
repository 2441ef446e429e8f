"""Strategies by name, as a comparison on tables takes them: black-box ones, with settings.

One strategy can take part several times, with other settings each time, which stand behind its
name: `evolution`, `evolution?population=50`, `evolution?population=50&tournament=10`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas import registry
from nas.comparison.renamed import by_current_names
from nas.errors import NasError, unknown
from nas.objective import Objective
from nas.settings import fill_if_any, parse_value
from nas.space import SearchSpace
from nas.strategies import Strategy, StrategyChoice, choose_strategy

__all__ = ["Contestant", "contestant", "contestants", "split_names", "strategy_of"]

MARK = "?"
"""What stands between a strategy's name and its settings."""
_EXAMPLE = "such as evolution?population=50&tournament=10"


@dataclass(frozen=True)
class Contestant:
    """A strategy that takes part.

    Args:
        name: Today's, such as `evolution`, `optuna:tpe`, `evolution?population=50`.
        choice: The strategy with all settings that are not its class's defaults.
        settings: An instance of the class's `Settings`, or None.
    """

    name: str
    choice: StrategyChoice
    settings: Any

    def start(self, space: SearchSpace, objective: Objective, seed: int) -> Strategy:
        """Return a fresh strategy."""
        started: Strategy = self.choice.factory(space, objective, seed, self.settings)
        return started


def contestant(
    text: str, settings: Mapping[str, Any] | None = None, evaluations: int | None = None
) -> Contestant:
    """Find a strategy and fill its settings.

    Args:
        text: `NAME`, or `NAME:VALUE` such as `optuna:tpe`; then maybe `?SETTING=VALUE&...`, which
            goes before `settings`.
        settings: Setting -> value; the others have their defaults.
        evaluations: The budget, from which some strategies derive defaults; None: from nothing.

    Raises:
        NasError: For an unknown strategy or setting, and for one that trains a supernet.
    """
    base, own = _read(text)
    values = {key: parse_value(value) for key, value in own.items()}
    chosen = choose_strategy(base, {**(settings or {}), **values})
    if not chosen.is_black_box:
        raise NasError(
            f"strategy '{chosen.name}' trains gates in a supernet, which a table cannot stand for; "
            f"strategies that can be compared on tables: {', '.join(_black_box())}"
        )
    if ":" in base and chosen.factory.argument in own:
        raise NasError(f"strategy '{text}': '{chosen.factory.argument}' stands there twice")
    derived = {} if evaluations is None else chosen.factory.defaults(evaluations)
    choice = StrategyChoice(chosen.name, chosen.factory, {**derived, **chosen.given})
    filled = fill_if_any(chosen.factory.Settings, choice.given, chosen.name)
    return Contestant(_written(chosen.name, own), choice, filled)


def contestants(
    texts: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]],
    evaluations: int | None = None,
) -> list[Contestant]:
    """Find all strategies of a comparison.

    Args:
        texts: As `contestant` takes them, each.
        settings: Strategy, without what stands behind its `?` -> setting -> value.
        evaluations: As `contestant` takes it.

    Raises:
        NasError: Also if two are the same, or settings belong to none.
    """
    bases, groups = by_current_names("strategies", [_read(t)[0] for t in texts], settings)
    for name in groups:
        if name not in bases:
            raise unknown("strategy in the settings of this comparison", name, bases)
    found = [
        contestant(_written(base, _read(text)[1]), groups.get(base), evaluations)
        for text, base in zip(texts, bases, strict=True)
    ]
    _require_different([one.name for one in found])
    return found


def _require_different(names: Sequence[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice or not names:
        raise NasError(f"strategy '{twice[0]}' is named twice" if twice else "no strategy is named")


def strategy_of(name: str) -> str:
    """Return a contestant's strategy: its name without settings."""
    return name.partition(MARK)[0]


def split_names(text: str, sign: str = ",") -> list[str]:
    """Split a text at a sign that is not within brackets, as those of JSON; nothing is empty."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == sign and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _read(text: str) -> tuple[str, dict[str, str]]:
    """Return the name, and setting -> value as it is written."""
    base, mark, rest = text.strip().partition(MARK)
    own: dict[str, str] = {}
    for part in split_names(rest, "&"):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key:
            raise NasError(f"strategy '{text}': '{part}' is no SETTING=VALUE, {_EXAMPLE}")
        if key in own:
            raise NasError(f"strategy '{text}': '{key}' stands there twice")
        own[key] = value
    if mark and not own:
        raise NasError(f"strategy '{text}': expected settings behind the '{MARK}', {_EXAMPLE}")
    return base.strip(), own


def _written(name: str, own: Mapping[str, str]) -> str:
    settings = "&".join(f"{key}={value}" for key, value in own.items())
    return name + MARK + settings if settings else name


def _black_box() -> list[str]:
    entries = registry.names("strategies").items()
    return [name for name, entry in entries if isinstance(entry.factory, type)]

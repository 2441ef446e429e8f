"""Names of before: what was called otherwise once goes on working under its old name.

`nas.registry` finds things by either name and lists today's; what records names (a run's config, a
comparison) brings old ones to today's when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ALIASES", "current", "first_name", "recorded", "renamed"]

ALIASES = {
    "strategies": {
        "evolution-pareto": "nsga-ii",
        "bandit": "cmab",
        "bandit:cmab": "cmab",
        "bandit:manas": "manas",
    },
    "evaluators": {"inherit": "weight-inheritance"},
    "strategies.differentiable.relaxations": {"unit": "unit-norm"},
    "strategies.differentiable.solvers": {
        "one-level": "single-level",
        "gates-only": "frozen-weights",
    },
}
"""Kind -> name of before -> today's: old commands, scripts and runs go on working."""

_NAMING = {
    "solver": "strategies.differentiable.solvers",
    "relaxation": "strategies.differentiable.relaxations",
    "measured_by": "evaluators",
}
"""Settings whose value is a name, and of what kind."""

_SPLIT = {
    ("strategies", "bandit"): (
        "algorithm",
        {
            "cmab": ("level", "explore", "local", "epsilon", "ucb"),
            "manas": ("credit", "eta", "mixing"),
        },
    )
}
"""A name that has become several: the setting that told these apart, and the settings of each."""
_ADDED = {("strategies", "linas"): {"predictor": "ridge-or-svr"}}
"""Settings that came later, with what was done before there was a choice."""


def current(kind: str, text: str) -> str:
    """Return today's name for `NAME` or `NAME:VALUE`, which may be a name of before."""
    known = ALIASES.get(kind, {})
    name, colon, value = text.partition(":")
    return known.get(text) or known.get(name, name) + colon + value


def first_name(kind: str, text: str) -> str:
    """Return what something was called first, from which seeds were derived ever since."""
    return next((old for old, new in ALIASES.get(kind, {}).items() if new == text), text)


def renamed(kind: str, text: str, settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Bring a name and the settings that belong to it to today's names.

    Args:
        kind: One of `registry.KINDS`.
        text: `NAME` or `NAME:VALUE`.
        settings: Setting -> value.

    Returns:
        The name, and the settings; without those of another part of what was one once.
    """
    values = dict(settings)
    before = text.partition(":")[0]
    argument, parts = _SPLIT.get((kind, before), ("", {}))
    if argument in values:
        text = f"{before}:{values.pop(argument)}"
    name = current(kind, text)
    others = {key for part, keys in parts.items() if part != name for key in keys}
    return name, {
        key: current(_NAMING[key], value) if key in _NAMING and isinstance(value, str) else value
        for key, value in values.items()
        if key not in others
    }


def recorded(kind: str, text: str, settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Bring what a record of before says to today's names, and to the settings of today.

    Args:
        kind: One of `registry.KINDS`.
        text: `NAME` or `NAME:VALUE`.
        settings: Setting -> value, all there were.

    Returns:
        The name, and the settings; those that have been added since are what was meant then.
    """
    name, values = renamed(kind, text, settings)
    return name, values | {k: v for k, v in _ADDED.get((kind, name), {}).items() if k not in values}

"""What a file in the plain format says about itself: keys with values, in words a person writes.

    space: nas-bench-201
    benchmark: my-table
    source: trained by us, 2024
    architectures: 15625
    column: cifar10/test_accuracy@200 unit=share note="half of the images"
    problem: cifar10 search=cifar10/valid_accuracy@200 report=cifar10/test_accuracy@200 costs=params

A column is named `DATASET/SPLIT_METRIC@EPOCHS`, without what it does not have: `params`,
`cifar10/latency`. `column` may add `unit`, `note` and `maximise=true|false`; without it accuracies
are shares, seconds are s, and losses and costs are minimised.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nas.benchmarks.columns import Column, Problem
from nas.errors import NasError, unknown

__all__ = ["KEYS", "Header"]

_COLUMN = re.compile(
    r"(?:(?P<dataset>[^/@\s]+)/)?(?:(?P<split>train|valid|test)_)?(?P<metric>[^/@\s]+)"
    r"(?:@(?P<epochs>\d{1,9}))?"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MINIMISED = ("loss", "error", "perplexity", "seconds", "params", "flops", "latency", "energy")
_UNITS = {"accuracy": "share", "seconds": "s"}
_ONCE = ("space", "benchmark", "source", "architectures")
_MANY = ("column", "problem")
KEYS = (*_ONCE, *_MANY)
"""All keys that there are."""


@dataclass
class Header:
    """The keys of a file.

    Args:
        once: Key -> value.
        many: Key -> values, in their order.
    """

    once: dict[str, str] = field(default_factory=dict)
    many: dict[str, list[str]] = field(default_factory=lambda: {key: [] for key in _MANY})

    def add(self, key: str, value: str) -> None:
        """Take up a key; raises `NasError` for one that is unknown, empty or there twice."""
        if key not in KEYS:
            raise unknown("key", key, KEYS)
        if not value:
            raise NasError(f"'{key}' has no value")
        if key in self.once:
            raise NasError(f"'{key}' is there twice")
        if key in _MANY:
            self.many[key].append(value)
        else:
            self.once[key] = value

    @property
    def space(self) -> str:
        """Name of the search space."""
        return self._needed("space")

    @property
    def benchmark(self) -> str:
        """What the table will be called."""
        return _name("benchmark", self._needed("benchmark"))

    def _needed(self, key: str) -> str:
        if key not in self.once:
            raise NasError(f"does not say its '{key}'")
        return self.once[key]

    def require_count(self, n: int) -> None:
        """Raise `NasError` where the file has another number of architectures than it says."""
        said = self.once.get("architectures", str(n))
        if said != str(n):
            raise NasError(f"has {n} architectures, but says {said:.20}; it may be truncated")

    def columns(self, seeds: Mapping[str, int]) -> list[Column]:
        """Describe the columns that the file has, given as name -> number of trainings."""
        options: dict[str, dict[str, str]] = {}
        for text in self.many["column"]:
            name, values = _assignments("column", text, ("unit", "note", "maximise"))
            if name not in seeds:
                raise unknown("column", name, seeds)
            options[name] = values
        return [_column(name, n, options.get(name, {})) for name, n in seeds.items()]

    def problems(self, columns: Iterable[Column]) -> list[Problem]:
        """Return the problems; raises `NasError` where there is none, or one names no column."""
        if not self.many["problem"]:
            raise NasError(
                "has no 'problem', which says what a search sees: NAME search=COLUMN report=COLUMN"
            )
        names = [column.name for column in columns]
        return [_problem(text, names) for text in self.many["problem"]]


def _name(what: str, text: str) -> str:
    if not _NAME.fullmatch(text):
        raise NasError(f"{what} '{text:.40}': a name has letters, digits, '.', '_' and '-' only")
    return text


def _assignments(key: str, text: str, allowed: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Read `NAME key=value key="some words"`."""
    try:
        name, *rest = shlex.split(text)
    except ValueError as error:
        raise NasError(f"{key}: {text[:80]!r}: {error}") from error
    values: dict[str, str] = {}
    for part in rest:
        option, equals, value = part.partition("=")
        if not equals or not value or option in values:
            raise NasError(f"{key} '{name:.40}': expected KEY=VALUE once each, not {part[:40]!r}")
        if option not in allowed:
            raise unknown(f"key of {key} '{name:.40}'", option, allowed)
        values[option] = value
    return name, values


def _column(name: str, seeds: int, options: Mapping[str, str]) -> Column:
    match = _COLUMN.fullmatch(name)
    if not match:
        raise NasError(f"column '{name:.40}' is not named DATASET/SPLIT_METRIC@EPOCHS")
    metric, epochs = match["metric"], match["epochs"]
    maximise = options.get("maximise", str(not metric.startswith(_MINIMISED)).lower())
    if maximise not in ("true", "false"):
        raise NasError(f"column '{name}': maximise={maximise:.20}; expected true or false")
    column = Column(
        metric,
        match["dataset"] or "",
        match["split"] or "",
        int(epochs) if epochs else None,
        seeds,
        options.get("unit", _UNITS.get(metric, "")),
        maximise == "true",
        options.get("note", ""),
    )
    if column.name != name:
        raise NasError(f"column '{name:.40}' would be written '{column.name}'")
    if metric.startswith("latency") and not column.unit:
        raise NasError(f"column '{name}' needs a unit: column: {name} unit=ms")
    return column


def _problem(text: str, columns: list[str]) -> Problem:
    name, values = _assignments("problem", text, ("search", "report", "seconds", "costs"))
    if "search" not in values:
        raise NasError(f"problem '{name:.40}' does not say what it searches: search=COLUMN")
    lists = {key: tuple(values.get(key, "").split(",")) for key in ("report", "costs")}
    problem = Problem(
        _name("problem", name),
        values["search"],
        tuple(filter(None, lists["report"])),
        values.get("seconds", ""),
        tuple(filter(None, lists["costs"])),
    )
    problem.require(columns, f"problem '{name}'")
    return problem

"""Small spaces without networks: conditional ones and ones of which only some rows are valid."""

from __future__ import annotations

import itertools
from typing import Any, NoReturn

import numpy as np

from nas.objective import Measurement
from nas.space import Architecture, Choices, Decision, SearchSpace


class Small(SearchSpace):
    """Decisions only."""

    name = "small"
    description = "for tests"

    def __init__(self, *decisions: Decision) -> None:
        self.decisions = decisions

    def _none(self, *arguments: Any, **settings: Any) -> NoReturn:
        raise NotImplementedError

    graph = build = supernet = path = derive = _none


class Allowed(Small):
    """Two decisions of three options each, of which only some pairs are valid."""

    pairs = ((0, 0), (0, 1), (1, 0), (2, 2))

    def __init__(self, *pairs: tuple[int, int]) -> None:
        super().__init__(*grid(2, 3).decisions)
        self.pairs = pairs or self.pairs

    def constraint(self, architecture: Architecture) -> str | None:
        return None if architecture.choices in self.pairs else "not allowed"


class Sorted(Small):
    """Decisions whose order does not matter."""

    def canonical(self, architecture: Architecture) -> Architecture:
        return Architecture(self.name, tuple(sorted(architecture.choices)))


def grid(decisions: int, options: int) -> Small:
    """All combinations are valid."""
    names = tuple(map(str, range(options)))
    return Small(*(Decision(f"d{i}", names) for i in range(decisions)))


def router() -> Small:
    """A router's k exists where there is a router, its noise where k is above 1, a loss always."""
    return Small(
        Decision("router", ("no", "yes")),
        Decision("k", (1, 2, 4), when=(("router", ("yes",)),)),
        Decision("noise", ("off", "on", "learned"), when=(("k", (2, 4)),)),
        Decision("loss", ("l1", "l2")),
    )


def everything(space: SearchSpace) -> Choices:
    """Return all valid rows."""
    combinations = itertools.product(*map(range, space.cardinalities))
    rows = np.array(list(combinations), dtype=np.int64)
    return rows[space.valid(rows)]


def scored(score: float) -> Measurement:
    return Measurement({"accuracy": score})


FAILED = Measurement(error="RuntimeError: failed")

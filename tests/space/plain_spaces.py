"""Spaces that are nothing but their decisions, and small helpers for their tests."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product
from typing import Any

import networkx as nx
import numpy as np

from nas.space import Architecture, Decision, SearchSpace

__all__ = [
    "Even",
    "Impossible",
    "Plain",
    "Unordered",
    "arch",
    "decision",
    "every_valid",
    "rng",
    "router",
    "rows_of",
]


class Plain(SearchSpace):
    """A space of decisions only."""

    def __init__(self, *decisions: Decision, name: str = "plain") -> None:
        self.name = name
        self.description = ""
        self.decisions = decisions

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        raise NotImplementedError

    def build(self, architecture: Architecture, task: Any, **settings: Any) -> Any:
        raise NotImplementedError

    def supernet(self, task: Any, **options: Any) -> Any:
        raise NotImplementedError

    def path(self, architecture: Architecture) -> Any:
        raise NotImplementedError

    def derive(self, scores: Any) -> Architecture:
        raise NotImplementedError


class Even(Plain):
    """Only rows with an even sum."""

    def constraint(self, architecture: Architecture) -> str | None:
        return "odd" if sum(architecture.choices) % 2 else None


class Unordered(Plain):
    """The order of choices makes no difference."""

    def canonical(self, architecture: Architecture) -> Architecture:
        return Architecture(self.name, tuple(sorted(architecture.choices)))


class Impossible(Plain):
    def constraint(self, architecture: Architecture) -> str | None:
        return "never"


def decision(name: str, n: int, *when: tuple[str, tuple[Hashable, ...]]) -> Decision:
    return Decision(name, tuple("abcdef"[:n]), when=when)


def router() -> Plain:
    """A router's k exists where there is a router, its noise where k is above 1, a loss always."""
    return Plain(
        Decision("router", ("no", "yes")),
        Decision("k", (1, 2, 4), ordered=True, when=(("router", ("yes",)),)),
        Decision("noise", ("off", "on", "learned"), when=(("k", (2, 4)),)),
        Decision("loss", ("l1", "l2")),
    )


def arch(*choices: int, space: str = "plain") -> Architecture:
    return Architecture(space, choices)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def every_valid(space: SearchSpace) -> list[Architecture]:
    rows = product(*(range(n) for n in space.cardinalities))
    return [a for a in (Architecture(space.name, row) for row in rows) if not space.check(a)]


def rows_of(space: SearchSpace, n: int, seed: int = 0) -> np.ndarray:
    """Return any rows, valid or not."""
    return rng(seed).integers(0, space.cardinalities, (n, len(space.decisions)))

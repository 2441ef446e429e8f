"""Architectures that are not known yet, where a strategy proposes only what is."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import product

import numpy as np

from nas.errors import NasError
from nas.space import Architecture, SearchSpace

__all__ = ["all_keys", "unseen"]

_SMALL = 1000  # rows of options, of all of which it is cheap to say which networks they are
_SMALL_LIMITED = 100  # the same where a network may have to be built for each, to know its costs
_LISTED = 30  # times as many, where nothing else is left to try
_WALKS, _STEPS = 20, 12
_DRAWS = 100


def all_keys(space: SearchSpace, within: SearchSpace) -> frozenset[Architecture]:
    """Return the canonical forms of all architectures of a small space; none of a large one.

    Args:
        space: Whose `canonical` says which are equal.
        within: What may be proposed: the same space, or that under limits.
    """
    most = _SMALL if within is space else _SMALL_LIMITED
    return frozenset(space.canonical(a) for a in _everything(within, most))


def _everything(space: SearchSpace, most: int) -> Iterator[Architecture]:
    """Yield all valid architectures of a space that has few rows of options."""
    if np.prod(np.array(space.cardinalities, dtype=np.float64)) > most:
        return
    rows = np.array(list(product(*map(range, space.cardinalities))), dtype=np.int64)
    rows = rows.reshape(-1, len(space.decisions))
    yield from space.from_array(rows[space.valid(rows)])


def unseen(
    space: SearchSpace,
    within: SearchSpace,
    near: Architecture,
    known: Container[Architecture],
    rng: np.random.Generator,
) -> Architecture | None:
    """Return an architecture that is not known; None where there seems to be none.

    Mutations of mutations are tried first, then random ones, then, if the space is not too large,
    all there are.

    Args:
        space: Whose `canonical` says which are equal.
        within: What may be proposed: the same space, or that under limits.
        near: Where to begin.
        known: Canonical forms.
        rng: Of the walks and draws.
    """
    most = _LISTED * (_SMALL if within is space else _SMALL_LIMITED)
    for architecture in _candidates(within, near, rng, most):
        if space.canonical(architecture) not in known:
            return architecture
    return None


def _candidates(
    space: SearchSpace, near: Architecture, rng: np.random.Generator, most: int
) -> Iterator[Architecture]:
    for _ in range(_WALKS):
        yield from _walk(space, near, rng)
    for _ in range(_DRAWS):
        yield from space.sample(rng, 1)
    everything = list(_everything(space, most))
    yield from (everything[i] for i in rng.permutation(len(everything)).tolist())


def _walk(
    space: SearchSpace, near: Architecture, rng: np.random.Generator
) -> Iterator[Architecture]:
    """Yield what is one mutation away, two, and so on; nothing where nothing valid is."""
    at = near
    for _ in range(_STEPS):
        try:
            at = space.mutate(at, rng)
        except NasError:
            return
        yield at

"""Which architectures a new table is to have: all of a space, or some at random."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from nas.errors import NasError
from nas.space import Architecture, Choices, SearchSpace

__all__ = ["all_architectures", "different_architectures"]

_MOST_COMBINATIONS = 1 << 24
_CHUNK = 1 << 16
_MOST_DRAWS = 100  # in a row without anything new


def all_architectures(space: SearchSpace) -> list[Architecture]:
    """Return one architecture of every class of equal networks, in the order of rows.

    Raises:
        NasError: If there are too many combinations of options to look at.
    """
    combinations = prod(space.cardinalities)
    if combinations > _MOST_COMBINATIONS:
        raise NasError(
            f"space '{space.name}' has {combinations:,} combinations of options, too many to train "
            "all; say how many architectures to draw (--evaluations)"
        )
    seen: set[int] = set()
    found: list[Architecture] = []
    for rows in _chunks(space, combinations):
        valid = rows[space.valid(rows)]
        if not len(valid):
            continue
        for architecture, key in zip(
            space.from_array(valid), space.keys(valid).tolist(), strict=True
        ):
            if key not in seen:
                seen.add(key)
                found.append(architecture)
    return found


def _chunks(space: SearchSpace, combinations: int) -> Iterator[Choices]:
    for start in range(0, combinations, _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, combinations))
        columns = np.unravel_index(numbers, space.cardinalities)
        yield np.stack(columns, axis=1).astype(np.int64)


def different_architectures(space: SearchSpace, n: int, seed: int) -> list[Architecture]:
    """Draw n architectures of which no two are equal networks.

    Args:
        space: Where from.
        n: How many; fewer come out where the space has no more.
        seed: Of the draws; with a larger n, the first are the same.
    """
    rng = np.random.default_rng(seed)
    seen: set[int] = set()
    found: list[Architecture] = []
    misses = 0
    while len(found) < n and misses < _MOST_DRAWS:
        rows = space.sample_choices(rng, 64)
        before = len(found)
        for architecture, key in zip(
            space.from_array(rows), space.keys(rows).tolist(), strict=True
        ):
            if key not in seen:
                seen.add(key)
                found.append(architecture)
        misses = misses + 1 if len(found) == before else 0
    return found[:n]

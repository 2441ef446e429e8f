"""Mutation and crossover of whole populations, which give up sooner than those of a space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, SearchSpace

__all__ = ["crossed", "mutated"]

_TRIES = 20


def mutated(space: SearchSpace, choices: Choices, rng: np.random.Generator) -> Choices:
    """Change one active decision of every row of a population [n, d]; the results are valid.

    Unlike `space.mutate_choices`, a row for which nothing valid is found stays as it is.
    """

    def columns(rows: Choices, rng: np.random.Generator) -> NDArray[np.int64]:
        can_change = space.active(rows) & (np.array(space.cardinalities) > 1)
        column: NDArray[np.int64] = np.where(can_change, rng.random(rows.shape), -1.0).argmax(1)
        return column

    return space.try_to_mutate(choices, rng, columns, _TRIES)[0]


def crossed(
    space: SearchSpace, mothers: Choices, fathers: Choices, rng: np.random.Generator
) -> Choices:
    """Take every decision from one of two parents; the mother where nothing valid comes of it.

    Args:
        space: Whose architectures.
        mothers: [n, d].
        fathers: [n, d].
        rng: Of the choice.
    """

    def mixed(left: NDArray[np.int64]) -> Choices:
        pick = rng.random((len(left), mothers.shape[1])) < 0.5
        return np.where(pick, mothers[left], fathers[left])

    return space.try_to_change(mothers, mixed, _TRIES)[0]

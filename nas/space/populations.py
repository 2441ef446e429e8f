"""Drawing, changing and encoding architectures, one or a population at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.space.architecture import Architecture
from nas.space.decisions import Choices, Decisions

__all__ = ["Populations"]

_MAX_TRIES = 1000
_MOST_DRAWS = 20_000
_REPAIRS = 100  # tries of a single change

PickColumns = Callable[[Choices, np.random.Generator], NDArray[np.int64]]
"""Rows [n, d] -> a decision of each, [n]."""


class Populations(Decisions):
    """Architectures of a space: drawn, mutated, crossed, encoded."""

    def sample(self, rng: np.random.Generator, n: int) -> list[Architecture]:
        """Draw n valid architectures, each active decision uniformly over its options."""
        return self.from_array(self.sample_choices(rng, n))

    def sample_choices(self, rng: np.random.Generator, n: int) -> Choices:
        """Draw a population [n, d] as `sample` does."""
        found: list[Choices] = []
        missing = n
        for _ in range(_MAX_TRIES):
            rows = self._uniform(rng, missing)
            self._reset_inactive(rows)
            found.append(rows[self.feasible(rows)])
            missing -= len(found[-1])
            if missing <= 0:
                return np.concatenate(found)
        raise NasError(f"space '{self.name}': no valid architecture in {_MAX_TRIES} draws")

    def _uniform(self, rng: np.random.Generator, n: int) -> Choices:
        """Draw every decision uniformly, as [n, d]; several times faster than `rng.integers`."""
        return (rng.random((n, len(self.decisions))) * self.cardinalities).astype(np.int64)

    def _reset_inactive(self, rows: Choices) -> None:
        if self._conditional:
            rows[~self.active(rows)] = 0

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """Return all valid architectures that differ in exactly one decision."""
        row = self.to_array([architecture])
        rows = []
        for column in np.flatnonzero(self.active(row)[0]):
            for option in range(self.cardinalities[column]):
                if option != row[0, column]:
                    rows.append(row[0].copy())
                    rows[-1][column] = option
        return self._valid_unique(rows, but=architecture)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one active decision to another option, uniformly; the result is valid."""
        if self._unrestricted:
            return self._mutate_unrestricted(architecture, rng)
        return self.from_array(self.mutate_choices(self.to_array([architecture]), rng))[0]

    @cached_property
    def _unrestricted(self) -> bool:
        """Whether every combination of options is valid."""
        return not self._conditional and type(self).constraint is Decisions.constraint

    @cached_property
    def _open_columns(self) -> tuple[int, ...]:
        return tuple(column for column, n in enumerate(self.cardinalities) if n > 1)

    def _mutate_unrestricted(
        self, architecture: Architecture, rng: np.random.Generator
    ) -> Architecture:
        """Do as `mutate` in plain Python, which is faster for one architecture."""
        columns, choices = self._open_columns, list(architecture.choices)
        if not columns:
            raise NasError(f"space '{self.name}': no valid mutation of {architecture.choices}")
        column = columns[int(rng.random() * len(columns))]
        n = self.cardinalities[column]
        choices[column] = (choices[column] + 1 + int(rng.random() * (n - 1))) % n
        return Architecture(self.name, tuple(choices))

    def mutate_choices(self, choices: Choices, rng: np.random.Generator) -> Choices:
        """Mutate every row of a population [n, d] as `mutate` does; returns a new one [n, d]."""
        children, failed = self.try_to_mutate(choices, rng, self._columns_to_change, _MAX_TRIES)
        for row in choices[failed[:1]]:
            raise NasError(f"space '{self.name}': no valid mutation of {tuple(row.tolist())}")
        return children

    def try_to_mutate(
        self, choices: Choices, rng: np.random.Generator, columns: PickColumns, tries: int
    ) -> tuple[Choices, NDArray[np.int64]]:
        """Change one decision of every row of a population [n, d] to another option, uniformly.

        Args:
            choices: The population.
            rng: Of the options.
            columns: Which decision to change, for rows [m, d]; returns [m].
            tries: As in `try_to_change`, whose results are returned.
        """

        def changed(left: NDArray[np.int64]) -> Choices:
            rows: Choices = choices[left]
            at, column = np.arange(len(rows)), columns(rows, rng)
            counts = np.array(self.cardinalities)[column]
            shifts = 1 + (rng.random(len(rows)) * (counts - 1)).astype(np.int64)
            rows[at, column] = (rows[at, column] + shifts) % counts
            return rows

        return self.try_to_change(choices, changed, tries)

    def try_to_change(
        self,
        choices: Choices,
        changed: Callable[[NDArray[np.int64]], Choices],
        tries: int,
    ) -> tuple[Choices, NDArray[np.int64]]:
        """Change every row of a population [n, d] at random until it is valid.

        Args:
            choices: The population.
            changed: Numbers of rows [m] -> these rows, changed [m, d].
            tries: How often a row is changed before it stays as it is.

        Returns:
            The new population [n, d], and the numbers of the rows that stayed.
        """
        children: Choices = choices.copy()
        left = np.arange(len(choices))
        for _ in range(tries):
            if not len(left):
                break
            rows = changed(left)
            self._reset_inactive(rows)
            valid = self.feasible(rows)
            children[left[valid]] = rows[valid]
            left = left[~valid]
        return children, left

    @property
    def rejection_draws(self) -> int:
        """Draws from a distribution after which what is not valid is repaired instead."""
        return _MOST_DRAWS

    def repaired(self, choices: Choices, rng: np.random.Generator) -> Choices:
        """Return a valid architecture near every row of a population [n, d], itself if it is one.

        Where no single change makes a row valid, a random architecture takes its place.
        """
        rows: Choices = choices.copy()
        self._reset_inactive(rows)
        wrong = np.flatnonzero(~self.feasible(rows))
        if len(wrong):
            rows[wrong], left = self.try_to_mutate(
                rows[wrong], rng, self._columns_to_change, _REPAIRS
            )
            rows[wrong[left]] = self.sample_choices(rng, len(left))
        return rows

    def _columns_to_change(self, rows: Choices, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw an active decision with several options for every row; returns [n]."""
        several = np.array(self.cardinalities) > 1
        draws = rng.random(len(rows))
        if not self._conditional and several.any():
            at_once: NDArray[np.int64] = np.flatnonzero(several)
            return at_once[(draws * len(at_once)).astype(np.int64)]
        open_to_change = self.active(rows) & several
        for row in rows[~open_to_change.any(1)][:1]:
            raise NasError(f"space '{self.name}': no valid mutation of {tuple(row.tolist())}")
        ranks = (draws * open_to_change.sum(1)).astype(np.int64)
        columns: NDArray[np.int64] = (np.cumsum(open_to_change, 1) > ranks[:, None]).argmax(1)
        return columns

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Take every decision from one of two parents, uniformly; the result is valid."""
        mother, father = self.to_array([a]), self.to_array([b])

        def crossed(_: NDArray[np.int64]) -> Choices:
            return np.where(rng.integers(0, 2, len(self.decisions)) == 0, mother, father)

        return self.from_array(self.try_to_change(mother, crossed, _MAX_TRIES)[0])[0]

    def _valid_unique(
        self, rows: Iterable[NDArray[np.int64]], but: Architecture | None = None
    ) -> list[Architecture]:
        """Reset inactive decisions, then keep each valid row once."""
        population = np.array(list(rows), dtype=np.int64).reshape(-1, len(self.decisions))
        self._reset_inactive(population)
        found = dict.fromkeys(self.from_array(population[self.feasible(population)]))
        return [architecture for architecture in found if architecture != but]

    def encode(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Return the one-hot encoding [n, sum of cardinalities]; inactive decisions are zero."""
        return self.encode_choices(self.to_array(architectures))

    def encode_choices(self, choices: Choices) -> NDArray[np.float64]:
        """Return the encoding of a population [n, d], as `encode` does."""
        active = self.active(choices)
        width = sum(self.cardinalities)
        offsets = np.cumsum((0, *self.cardinalities[:-1]))
        places = choices + (offsets + np.arange(len(choices))[:, None] * width)
        encoding = np.zeros(len(choices) * width)
        encoding[places[active] if self._conditional else places.ravel()] = 1.0
        return encoding.reshape(len(choices), width)

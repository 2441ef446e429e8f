"""What a space has to decide, and which combinations of options are valid."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import product
from math import prod

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.space.architecture import Architecture, Decision

__all__ = ["Choices", "Decisions"]

Choices = NDArray[np.int64]
"""A population: one row of option indices an architecture, shape [n, number of decisions]."""


@dataclass(frozen=True)
class _Condition:
    """A decision's `when` as column indices: any parent column with one of these options."""

    parents: tuple[tuple[int, tuple[int, ...]], ...] = field(default=())

    def holds(self, row: list[int], active: list[bool]) -> bool:
        """Tell whether it does in one row, of which the earlier decisions are known."""
        return any(active[parent] and row[parent] in options for parent, options in self.parents)


class Decisions(ABC):
    """The decisions of a space; which are active, which combinations are valid, which are equal."""

    name: str
    decisions: tuple[Decision, ...]

    # -- which there are ----------------------------------------------------------------------

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of options of every decision."""
        return tuple(len(decision.options) for decision in self.decisions)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {decision.name: column for column, decision in enumerate(self.decisions)}

    @cached_property
    def _conditions(self) -> tuple[_Condition, ...]:
        return tuple(self._condition(column) for column in range(len(self.decisions)))

    @cached_property
    def _conditional(self) -> bool:
        return any(decision.when for decision in self.decisions)

    def _condition(self, column: int) -> _Condition:
        parents = []
        for name, options in self.decisions[column].when:
            parent = self._columns.get(name, column)
            if parent >= column:
                raise NasError(
                    f"space '{self.name}': decision '{self.decisions[column].name}' depends on "
                    f"'{name}', which is not an earlier decision"
                )
            indices = tuple(self.decisions[parent].index(option) for option in options)
            parents.append((parent, indices))
        return _Condition(tuple(parents))

    @property
    def size(self) -> int:
        """The exact number of architectures (conditions counted; override where constrained)."""
        return prod(self._count_group(group) for group in self._groups())

    def _groups(self) -> list[list[int]]:
        """Split the columns into groups that no condition connects."""
        graph: nx.Graph[int] = nx.Graph()
        graph.add_nodes_from(range(len(self.decisions)))
        for column, condition in enumerate(self._conditions):
            graph.add_edges_from((parent, column) for parent, _ in condition.parents)
        return [sorted(group) for group in nx.connected_components(graph)]

    def _count_group(self, group: Sequence[int]) -> int:
        """Count one group: enumerate the decisions that others hang on, multiply the rest."""
        parents = {p for column in group for p, _ in self._conditions[column].parents}
        row = np.zeros((1, len(self.decisions)), dtype=np.int64)
        total = 0
        controlling = sorted(parents)
        for choices in product(*(range(self.cardinalities[c]) for c in controlling)):
            row[0, controlling] = choices
            active = self.active(row)[0]
            if any(row[0, c] and not active[c] for c in controlling):
                continue
            total += prod(self.cardinalities[c] for c in group if c not in parents and active[c])
        return total

    def active(self, choices: Choices) -> NDArray[np.bool_]:
        """Tell which decisions matter, for a population [n, d]; returns a mask [n, d]."""
        if len(choices) == 1 and not self._has_functions:
            return np.array([self._active_row(choices[0].tolist())], dtype=np.bool_)
        mask = np.ones(choices.shape, dtype=np.bool_)
        for column, condition in enumerate(self._conditions):
            if condition.parents:
                mask[:, column] = False
            for parent, options in condition.parents:
                chosen = choices[:, parent, None] == np.array(options)
                mask[:, column] |= mask[:, parent] & chosen.any(1)
            if self._has_functions:
                mask[:, column] &= self._condition_holds(column, choices, mask)
        return mask

    @cached_property
    def _has_functions(self) -> bool:
        return type(self)._condition_holds is not Decisions._condition_holds

    def _active_row(self, row: list[int]) -> list[bool]:
        """Do as `active` in plain Python, which is faster for one architecture."""
        active = [True] * len(row)
        if self._conditional:
            for column, condition in enumerate(self._conditions):
                if condition.parents:
                    active[column] = condition.holds(row, active)
        return active

    def _condition_holds(
        self, column: int, choices: Choices, mask: NDArray[np.bool_]
    ) -> NDArray[np.bool_] | bool:
        """Tell where a decision is active as far as `when` cannot say: everywhere, or a mask [n].

        The columns of `mask`, what is active [n, d], before this one are final.
        """
        del column, choices, mask
        return True

    # -- what is valid ------------------------------------------------------------------------

    def constraint(self, architecture: Architecture) -> str | None:
        """Say why a combination of options is not valid; None where it is. Override to restrict."""
        del architecture
        return None

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        """Tell which rows of a population [n, d] meet `constraint`; returns a mask [n]."""
        if type(self).constraint is Decisions.constraint:
            return np.ones(len(choices), dtype=np.bool_)
        return np.array([self.constraint(a) is None for a in self.from_array(choices)], np.bool_)

    def check(self, architecture: Architecture) -> str | None:
        """Return None for a valid architecture of this space, otherwise the reason, in words."""
        if architecture.space != self.name:
            return f"it belongs to space '{architecture.space}', not to '{self.name}'"
        if len(architecture.choices) != len(self.decisions):
            return f"it has {len(architecture.choices)} choices; {len(self.decisions)} are needed"
        for decision, choice in zip(self.decisions, architecture.choices, strict=True):
            if not 0 <= choice < len(decision.options):
                last = len(decision.options) - 1
                return f"choice {choice} of '{decision.name}' is not in the range 0 to {last}"
        row = self.to_array([architecture])
        for column in np.flatnonzero((~self.active(row) & (row != 0))[0]):
            return f"'{self.decisions[column].name}' is inactive here and must be its first option"
        return self.constraint(architecture)

    def require(self, architecture: Architecture) -> Architecture:
        """Return the architecture if it is valid; raises `NasError` with the reason if not."""
        reason = self.check(architecture)
        if reason:
            raise NasError(f"not an architecture of space '{self.name}': {reason}")
        return architecture

    def canonical(self, architecture: Architecture) -> Architecture:
        """Map equal networks to one representative; the identity unless a space knows better."""
        return architecture

    def valid(self, choices: Choices) -> NDArray[np.bool_]:
        """Tell which rows of a population [n, d] are valid architectures; returns a mask [n]."""
        valid = self.feasible(choices)
        if self._conditional:
            valid = valid & ~((choices != 0) & ~self.active(choices)).any(1)
        return valid

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        """Return a number a row of a population [n, d], as [n]; equal networks have the same.

        Rows that `canonical` keeps apart have different ones (by chance alike: one pair in 2^64).
        """
        if type(self).canonical is not Decisions.canonical:
            choices = self.to_array([self.canonical(a) for a in self.from_array(choices)])
        if self._place_values is not None:
            return (choices @ self._place_values).astype(np.uint64)
        rows = np.ascontiguousarray(choices, dtype="<i8")
        digests = (blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
        return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)

    @cached_property
    def _place_values(self) -> NDArray[np.int64] | None:
        """What an option counts in a number of all rows, a decision each; None if they are many."""
        counts = self.cardinalities
        if prod(counts) >= 2**63:
            return None
        return np.array([prod(counts[i + 1 :]) for i in range(len(counts))], dtype=np.int64)

    # -- as arrays ----------------------------------------------------------------------------

    def to_array(self, architectures: Sequence[Architecture]) -> Choices:
        """Stack the choices of architectures: [n, d]."""
        rows = [architecture.choices for architecture in architectures]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self.decisions))

    def from_array(self, choices: Choices) -> list[Architecture]:
        """Turn a population [n, d] into architectures."""
        return [Architecture(self.name, tuple(row)) for row in choices.tolist()]

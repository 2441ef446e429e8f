"""From architectures to the rows of a table.

Where a space has few combinations of options, the row of every combination is stored (4 bytes
each): a look-up is one array access, and `canonical` was called when the table was made. Larger
spaces store sorted keys of the architectures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.space import Architecture, Choices, SearchSpace

__all__ = ["ABSENT", "Index", "build_index"]

ABSENT = -1
"""The row of an architecture that a table does not have."""
_MOST_COMBINATIONS = 1 << 22


@dataclass
class Index:
    """Finds rows.

    Args:
        space: Of the architectures.
        dense: Row of every combination of options, int32 [product of cardinalities], or None.
        keys: `space.keys` of the architectures, sorted, uint64 [n]; None with `dense`.
        order: Row of every key, int32 [n].
        choices: The architectures themselves, [n, d]; needed where several have one key.
    """

    space: SearchSpace
    dense: NDArray[np.int32] | None = None
    keys: NDArray[np.uint64] | None = None
    order: NDArray[np.int32] | None = None
    choices: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        cardinalities = self.space.cardinalities
        self._weights = [prod(cardinalities[i + 1 :]) for i in range(len(cardinalities))]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is to be stored."""
        if self.dense is not None:
            return {"index": self.dense}
        assert self.keys is not None and self.order is not None
        return {"keys": self.keys, "order": self.order}

    @classmethod
    def from_arrays(cls, space: SearchSpace, arrays: dict[str, NDArray[Any]]) -> Index:
        """Take up what `arrays` gave."""
        names = ("index", "keys", "order", "choices")
        return cls(space, *(arrays.get(name) for name in names))

    def rows(self, choices: Choices) -> NDArray[np.int64]:
        """Return rows [m] of a population [m, d]; `ABSENT` where there is none."""
        if self.dense is not None:
            found: NDArray[np.int64] = self.dense[choices @ np.array(self._weights)].astype(
                np.int64
            )
            return found
        assert self.keys is not None and self.order is not None
        wanted = self.space.keys(choices)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        rows = np.where(self.keys[at] == wanted, self.order[at], ABSENT).astype(np.int64)
        return self._own(choices, wanted, at, rows) if self._several else rows

    @cached_property
    def _several(self) -> bool:
        """Whether the table has several architectures of one key, which are equal networks."""
        assert self.keys is not None
        return bool((self.keys[1:] == self.keys[:-1]).any())

    def _own(
        self,
        choices: Choices,
        wanted: NDArray[np.uint64],
        at: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Prefer the row of the architecture itself to that of an equal one."""
        assert self.keys is not None and self.order is not None and self.choices is not None
        left = np.flatnonzero(rows != ABSENT)
        while len(left):
            candidates = self.order[at[left]]
            same = (self.choices[candidates] == choices[left]).all(1)
            rows[left[same]] = candidates[same]
            at[left] += 1
            left = left[~same & (at[left] < len(self.keys))]
            left = left[self.keys[at[left]] == wanted[left]]
        return rows

    def row(self, architecture: Architecture) -> int:
        """Return the row of one architecture, or `ABSENT`."""
        if self.dense is None:
            return int(self.rows(self.space.to_array([architecture]))[0])
        pairs = zip(architecture.choices, self._weights, strict=True)
        return int(self.dense[sum(choice * weight for choice, weight in pairs)])


def build_index(space: SearchSpace, choices: Choices) -> Index:
    """Return an index of the architectures of a table, [n, d]."""
    if prod(space.cardinalities) > _MOST_COMBINATIONS:
        keys = space.keys(choices)
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return Index(space, keys=keys[order], order=order, choices=choices)
    return Index(space, _dense(space, choices))


def _dense(space: SearchSpace, choices: Choices) -> NDArray[np.int32]:
    """Give every combination the row of its own, or else of its canonical form."""
    combinations = np.indices(space.cardinalities).reshape(len(space.cardinalities), -1).T
    weights = np.array([prod(space.cardinalities[i + 1 :]) for i in range(choices.shape[1])])
    dense = np.full(len(combinations), ABSENT, dtype=np.int32)
    dense[(choices @ weights)[::-1]] = np.arange(len(choices), dtype=np.int32)[::-1]
    missing = np.flatnonzero(dense == ABSENT)
    valid = missing[space.valid(combinations[missing])]
    if len(valid):
        keys = space.keys(choices)
        order = np.argsort(keys, kind="stable")
        wanted = space.keys(combinations[valid])
        at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
        found = keys[order][at] == wanted
        dense[valid[found]] = order[at[found]]
    return dense

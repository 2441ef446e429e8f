"""A search space under limits: what costs too much is not valid, so no strategy proposes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.objective import Limit
from nas.space import Architecture, Choices, Path, Scores, SearchSpace
from nas.storage import seed_of

if TYPE_CHECKING:
    from torch import nn

    from nas.task import TaskInfo

__all__ = ["Costs", "LimitedSpace"]

Costs = Callable[[Sequence[Architecture]], Sequence[Mapping[str, float]]]
"""Architectures -> what is known of each without evaluating it, such as {"params": 3.3e6}."""

_STARTS = 10  # random architectures in a row that no repair makes keep the limits
_BRANCHES = 8  # changes that a step of a repair chooses among
_MOST_STALLS = 8  # steps of it in a row that make nothing better
_TRIES, _TIGHT_TRIES = 20, 4  # of a change, before it is repaired
_MOST_REPAIRS = 50  # of a change, before a row stays as it is
_REPAIRED = 8  # of a population, of which the others are mutations
_STEPS = 3  # mutations to the next ones
_DRAWS = 64  # random architectures, before what breaks the limits is repaired


class LimitedSpace(SearchSpace):
    """The architectures of a space that keep limits on costs which are known beforehand.

    An architecture whose costs cannot be told is refused, too; the first one is told with its
    reason. `canonical` names what is equal: the form itself need not keep the limits.

    Args:
        space: Which space.
        limits: On metrics that `costs` gives.
        costs: Asked once an architecture, of valid ones only.
        warn: Where to say, once, that there are costs which cannot be told.
    """

    def __init__(
        self,
        space: SearchSpace,
        limits: Sequence[Limit],
        costs: Costs,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.space, self.limits, self.costs = space, tuple(limits), costs
        self.untold = 0
        """How many architectures were refused because their costs cannot be told."""
        self._warn = warn
        self.name, self.description = space.name, space.description
        self.decisions, self.identity_ops = space.decisions, space.identity_ops
        self._refusals: dict[Architecture, str | None] = {}
        self._violations: dict[Architecture, float] = {}

    @property
    def size(self) -> int:
        raise NasError(f"space '{self.name}' has limits: its size is not known")

    # -- what is allowed ----------------------------------------------------------------------

    def constraint(self, architecture: Architecture) -> str | None:
        return self.space.constraint(architecture) or self._refused([architecture])[0]

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        valid: NDArray[np.bool_] = self.space.valid(choices).copy()
        refused = self._refused(self.from_array(choices[valid]))
        valid[valid] = [refusal is None for refusal in refused]
        return valid

    def _refused(self, architectures: Sequence[Architecture]) -> list[str | None]:
        """Return why architectures, valid without the limits, are refused; None for the others."""
        self._judge(architectures)
        return [self._refusals[a] for a in architectures]

    def _judge(self, architectures: Sequence[Architecture]) -> None:
        """Find out what of the limits architectures break, and by how much, once each."""
        new = [a for a in dict.fromkeys(architectures) if a not in self._refusals]
        for architecture, costs in zip(new, self._costs(new), strict=True):
            if isinstance(costs, str):
                self._count_untold(architecture, costs)
                self._refusals[architecture], self._violations[architecture] = costs, math.inf
                continue
            self._refusals[architecture] = self._broken(costs)
            excesses = (limit.excess(costs[limit.metric]) for limit in self.limits)
            self._violations[architecture] = sum(e for e in excesses if e > 0)

    def _count_untold(self, architecture: Architecture, reason: str) -> None:
        self.untold += 1
        if self.untold == 1 and self._warn is not None:
            self._warn(f"{self.format(architecture)}: {reason}; such architectures are left out")

    def _broken(self, costs: Mapping[str, float]) -> str | None:
        """Say which limit costs break."""
        return next(filter(None, (limit.refusal(costs) for limit in self.limits)), None)

    def _costs(self, architectures: Sequence[Architecture]) -> list[Mapping[str, float] | str]:
        """Return the costs of each, or why they cannot be told."""
        try:
            return [*self.costs(architectures)] if architectures else []
        except Exception as error:  # one candidate's fault, perhaps
            if len(architectures) == 1:
                return [f"its costs cannot be told: {type(error).__name__}: {error}"]
        return [cost for a in architectures for cost in self._costs([a])]

    @cached_property
    def is_tight(self) -> bool:
        """Whether none of 64 random architectures keeps the limits.

        Then nothing is drawn until it does, as a network may have to be built for each draw. That
        is found out once, always from the same draws, so that a resumed search goes on the same.
        """
        rows = self.space.sample_choices(np.random.default_rng(0), _DRAWS)
        return not self.feasible(rows).any()

    @property
    def rejection_draws(self) -> int:
        return 1 if self.is_tight else _DRAWS

    # -- what keeps the limits ----------------------------------------------------------------

    def sample_choices(self, rng: np.random.Generator, n: int) -> Choices:
        """Draw a population as the space without limits does, and keep what keeps the limits.

        Where few do, what breaks them is repaired instead of being drawn again for ever.
        """
        found = [np.zeros((0, len(self.decisions)), dtype=np.int64)]
        missing, draws, rows = n, 0, found[0]
        while missing > 0:
            rows = self.space.sample_choices(rng, missing)
            draws += len(rows)
            found.append(rows[self.feasible(rows)])
            missing -= len(found[-1])
            if missing and draws >= self.rejection_draws * n:
                found.append(self._made(rng, missing))
                missing = 0
        return np.concatenate(found)

    def _made(self, rng: np.random.Generator, n: int) -> Choices:
        """Return n architectures [n, d] that keep the limits.

        Some are repaired from random ones; further ones are mutations of mutations of these, for
        which fewer costs have to be told.
        """
        found: list[Choices] = []
        missed = 0
        while len(found) < min(n, _REPAIRED):
            row = self._descended(self.space.sample_choices(rng, 1), rng)
            missed = missed + 1 if row is None else 0
            found += [] if row is None else [row]
            if missed == _STARTS:
                raise self._nothing_keeps_them()
        made = np.resize(np.concatenate(found), (n, len(self.decisions)))
        for at in range(_REPAIRED, n, _REPAIRED):
            some = made[at - _REPAIRED : at][: n - at]
            for _ in range(_STEPS):
                some = self.try_to_mutate(some, rng, self._columns_to_change, _TRIES)[0]
            made[at : at + _REPAIRED] = some
        return made

    def _nothing_keeps_them(self) -> NasError:
        nearest = min(self._violations, key=self._violations.__getitem__)
        reason = self._refusals[nearest]
        untold = f", the costs of {self.untold} cannot be told" if self.untold else ""
        kept = sum(refusal is None for refusal in self._refusals.values())
        return NasError(
            f"space '{self.name}': {kept} of {len(self._refusals)} architectures keep the limits "
            f"({', '.join(map(str, self.limits))}){untold}; of the nearest, {reason}"
        )

    def repaired(self, choices: Choices, rng: np.random.Generator) -> Choices:
        """Return an architecture that keeps the limits near every row [n, d].

        Decisions are changed one after the other so that less is broken each time.
        """
        rows = self.space.repaired(choices, rng)
        for at in np.flatnonzero(~self.feasible(rows)).tolist():
            row = self._descended(rows[at : at + 1], rng)
            rows[at : at + 1] = self._made(rng, 1) if row is None else row
        return rows

    def _descended(self, row: Choices, rng: np.random.Generator) -> Choices | None:
        """Walk from a row [1, d] to one that keeps the limits, by what breaks them less.

        Of some changes of one decision the best is taken, if it is no worse; of two where none
        is. None where that leads nowhere.
        """
        [violation] = self._violation(row)
        stalled = 0
        while violation > 0 and stalled < _MOST_STALLS:
            some = np.repeat(row, _BRANCHES, axis=0)
            for _ in range(1 + (stalled > 0)):
                some = self.space.try_to_mutate(some, rng, self._columns_to_change, _TRIES)[0]
            violations = self._violation(some)
            best = int(violations.argmin())
            stalled = 0 if violations[best] < violation else stalled + 1
            if violations[best] <= violation:
                row, violation = some[best : best + 1], violations[best]
        return None if violation > 0 else row

    def _violation(self, choices: Choices) -> NDArray[np.float64]:
        """Return by how much the limits are broken, [n], of rows that are valid without them."""
        architectures = self.from_array(choices)
        self._judge(architectures)
        return np.array([self._violations[a] for a in architectures])

    def try_to_change(
        self,
        choices: Choices,
        changed: Callable[[NDArray[np.int64]], Choices],
        tries: int,
    ) -> tuple[Choices, NDArray[np.int64]]:
        """Do as without limits, but repair what breaks them where few changes keep them."""
        first = min(tries, _TIGHT_TRIES if self.is_tight else _TRIES)
        children, left = super().try_to_change(choices, changed, first)
        for _ in range(min(tries - first, _MOST_REPAIRS)):
            if not len(left):
                break
            rows: Choices = changed(left)
            rng = np.random.default_rng(seed_of(0, "repair", rows.tolist()))
            self._reset_inactive(rows)
            valid = np.flatnonzero(self.space.feasible(rows))
            made = [self._descended(rows[at : at + 1], rng) for at in valid.tolist()]
            for at, row in zip(left[valid].tolist(), made, strict=True):
                if row is not None and (row[0] != choices[at]).any():
                    children[at], left = row[0], left[left != at]
        return children, left

    def catalogue(self) -> dict[str, Architecture]:
        """Return the published architectures that keep the limits."""
        published = self.space.catalogue()
        return {name: a for name, a in published.items() if self.check(a) is None}

    # -- the same as without limits -----------------------------------------------------------

    def active(self, choices: Choices) -> NDArray[np.bool_]:
        return self.space.active(choices)

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        return self.space.keys(choices)

    def canonical(self, architecture: Architecture) -> Architecture:
        return self.space.canonical(architecture)

    def format(self, architecture: Architecture) -> str:
        return self.space.format(architecture)

    def parse(self, text: str) -> Architecture:
        return self.require(self.space.parse(text))

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        return self.space.graph(architecture)

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        return self.space.build(architecture, task, **settings)

    def supernet(self, task: TaskInfo, **options: Any) -> nn.Module:
        return self.space.supernet(task, **options)

    def network_defaults(self, scale: str) -> dict[str, Any]:
        return self.space.network_defaults(scale)

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return self.space.supernet_defaults(scale)

    def path(self, architecture: Architecture) -> Path:
        return self.space.path(architecture)

    def derive(self, scores: Scores) -> Architecture:
        return self.require(self.space.derive(scores))

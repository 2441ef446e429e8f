"""A search space under limits: what costs too much is not valid, so no strategy proposes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.objective import Limit
from nas.space import Architecture, Choices, Path, Scores, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.task import TaskInfo

__all__ = ["Costs", "LimitedSpace"]

Costs = Callable[[Sequence[Architecture]], Sequence[Mapping[str, float]]]
"""Architectures -> what is known of each without evaluating it, such as {"params": 3.3e6}."""

_MAX_DRAWS = 1000


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
        new = [a for a in dict.fromkeys(architectures) if a not in self._refusals]
        for architecture, costs in zip(new, self._costs(new), strict=True):
            if isinstance(costs, str):
                self._count_untold(architecture, costs)
            self._refusals[architecture] = costs if isinstance(costs, str) else self._broken(costs)
        return [self._refusals[a] for a in architectures]

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

    def sample_choices(self, rng: np.random.Generator, n: int) -> Choices:
        """Draw a population as the space without limits does, and keep what keeps the limits."""
        found = [np.zeros((0, len(self.decisions)), dtype=np.int64)]
        missing, draws, rows = n, 0, found[0]
        while missing > 0:
            if draws >= _MAX_DRAWS * n:
                [reason] = self._refused(self.from_array(rows[-1:]))
                untold = f", the costs of {self.untold} cannot be told" if self.untold else ""
                raise NasError(
                    f"space '{self.name}': {n - missing} of {draws} architectures keep the limits "
                    f"({', '.join(map(str, self.limits))}){untold}; of the last, {reason}"
                )
            rows = self.space.sample_choices(rng, missing)
            draws += len(rows)
            found.append(rows[self.feasible(rows)])
            missing -= len(found[-1])
        return np.concatenate(found)

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

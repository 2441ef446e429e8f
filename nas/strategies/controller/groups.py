"""Controllers that re-sample one group of the decisions of a given architecture.

Source: Zhou et al., Auto-GNN: Neural Architecture Search of Graph Neural Networks (AGNN),
arXiv:1909.03184, sec. 4.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from nas.space import Choices, SearchSpace
from nas.strategies.controller.network import Controller, Drawing, Walk

__all__ = ["GroupController", "groups_of"]


def groups_of(space: SearchSpace) -> dict[str, list[int]]:
    """Return the groups of a space's decisions, as columns.

    A space may name them itself: `decision_groups`, {group: names of decisions}. Otherwise
    decisions are of one group whose names differ in numbers only, such as `layer1/attention` and
    `layer2/attention`. Decisions with a single option are left out.
    """
    columns = {
        decision.name: column
        for column, decision in enumerate(space.decisions)
        if len(decision.options) > 1
    }
    named: Mapping[str, Sequence[str]] = getattr(space, "decision_groups", {})
    given = {name: group for group, names in named.items() for name in names}
    found: dict[str, list[int]] = {}
    for name, column in columns.items():
        found.setdefault(given.get(name, re.sub(r"\d+", "#", name)), []).append(column)
    return found


class GroupController(Controller):
    """A controller that follows an architecture but for some decisions, which it makes.

    Args:
        space: What to choose from.
        columns: The decisions that it makes.
        hidden, temperature, tanh_constant, seed: As for `Controller`.
    """

    def __init__(
        self,
        space: SearchSpace,
        columns: Sequence[int],
        hidden: int,
        temperature: float,
        tanh_constant: float,
        seed: int,
    ) -> None:
        super().__init__(space, hidden, temperature, tanh_constant, seed)
        self.columns = list(columns)

    @torch.no_grad()
    def resample(self, rng: np.random.Generator, base: Choices, n: int) -> Choices:
        """Return an architecture [d] with other choices in the group, n times: [n, d].

        What is inactive is at its first option; what is not feasible is not left out.
        """
        draws = torch.from_numpy(rng.random((n, len(base))))
        guide = _Resampling(self.space, base, set(self.columns), draws)
        rows: Choices = self._walk(guide).choices.numpy()
        rows[~self.space.active(rows)] = 0
        return rows

    def judge(self, choices: Choices) -> tuple[Tensor, Tensor]:
        """Return log-probability and entropy of the group in architectures [n, d], [n] each."""
        walk: Walk = self.score(choices)
        return walk.log_probs[:, self.columns].sum(1), walk.entropies[:, self.columns].sum(1)


class _Resampling(Drawing):
    """Draws some columns and takes given choices in the others."""

    def __init__(self, space: SearchSpace, base: Choices, columns: set[int], draws: Tensor) -> None:
        super().__init__(space, draws)
        self.choices = torch.from_numpy(base).expand(len(draws), -1).clone()
        self.columns = columns

    def choose(self, column: int, log_probs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return choices [n], and which are active [n]; None where all are."""
        if column in self.columns:
            return super().choose(column, log_probs)
        active = None
        if self.space.decisions[column].when:
            active = torch.from_numpy(self.space.active(self.choices.numpy())[:, column].copy())
            self.choices[:, column].masked_fill_(~active, 0)
            self.active[:, column] = active
        return self.choices[:, column], active

"""From the parameters of a RegNet to widths and depths of its stages, for whole populations.

Block j of d has the width u_j = w0 + wa * j, brought to w0 * wm^s with
s = round(log(u_j / w0) / log wm) and then to a multiple of 8. Blocks of one width are a stage.

Source: Radosavovic et al., Designing Network Design Spaces, CVPR 2020, arXiv:2003.13678, eqs. 2 to
4. Widths follow groups as in torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["STAGES", "Design", "Stages", "fitted_to_groups"]

Integers = NDArray[np.int64]

QUANTUM = 8
STAGES = 4


@dataclass(frozen=True)
class Stages:
    """The stages of a population of n networks.

    Args:
        widths: Channels, [n, 4].
        depths: Blocks, [n, 4].
        groups: Channels a group, [n, 4].
    """

    widths: Integers
    depths: Integers
    groups: Integers


class Design:
    """All combinations of some options.

    Args:
        depths: Options of the number of blocks, ascending.
        w0: Options of the first width, multiples of 8.
        wa: Options of the slope.
        wm: Options of the factor between widths.
    """

    def __init__(
        self,
        depths: Sequence[int],
        w0: Sequence[int],
        wa: Sequence[float],
        wm: Sequence[float],
    ) -> None:
        self.depths, self.w0 = np.array(depths), np.array(w0)
        self.wa, self.wm = np.array(wa), np.array(wm)
        self._same: dict[int, tuple[Integers, Integers, Integers]] = {}

    @cached_property
    def exponents(self) -> NDArray[np.int8]:
        """Return s of every block, [w0, wa, wm, largest depth]."""
        blocks = np.arange(self.depths[-1])
        growth = np.log1p(self.wa[:, None] * blocks / self.w0[:, None, None])
        steps = np.rint(growth[:, :, None] / np.log(self.wm)[:, None])
        exponents: NDArray[np.int8] = steps.astype(np.int8)
        return exponents

    @cached_property
    def counts(self) -> NDArray[np.int8]:
        """Return the number of stages, [w0, wa, wm, depths]."""
        changes = np.diff(self.exponents, axis=-1) != 0
        counts: NDArray[np.int8] = 1 + changes.cumsum(-1, dtype=np.int8)[..., self.depths - 2]
        return counts

    def unadjusted(self, rows: Integers) -> tuple[Integers, Integers]:
        """Return widths and depths of stages, [n, 4] each, before groups are heeded.

        Args:
            rows: Indices of options of depths, w0, wa and wm, [n, 4]; all have 4 stages.
        """
        depth, first, slope, factor = rows.T
        exponents = self.exponents[first, slope, factor]
        steps = np.diff(exponents, axis=1, prepend=exponents[:, :1]) != 0
        stage = np.where(
            np.arange(exponents.shape[1]) < self.depths[depth][:, None], steps.cumsum(1), STAGES
        )
        of_stage = stage[:, None, :] == np.arange(STAGES)[:, None]
        power = np.where(of_stage, exponents[:, None, :], 0).max(2)
        widths = self.w0[first][:, None] * self.wm[factor][:, None] ** power
        quantised = (np.rint(widths / QUANTUM) * QUANTUM).astype(np.int64)
        return quantised, of_stage.sum(2)

    def stages(self, rows: Integers, groups: Integers) -> Stages:
        """Return the stages of a population.

        Args:
            rows: As for `unadjusted`.
            groups: Channels a group, [n].
        """
        widths, depths = self.unadjusted(rows)
        widths, per_stage = fitted_to_groups(widths, groups[:, None])
        return Stages(widths, depths, per_stage)

    def with_depth(self, depth: int) -> tuple[Integers, Integers, Integers]:
        """Return rows, widths and depths, as of `unadjusted`, of all with an option of depths."""
        if depth not in self._same:
            found = np.argwhere(self.counts[..., depth] == STAGES)
            rows = np.insert(found, 0, depth, axis=1)
            self._same[depth] = (rows, *self.unadjusted(rows))
        return self._same[depth]


def fitted_to_groups(widths: Integers, groups: Integers) -> tuple[Integers, Integers]:
    """Bring widths to multiples of their groups, not more than a tenth below.

    Args:
        widths: Of every stage, [n, 4].
        groups: Channels a group, [n, 1] or one for all; a group is at most as wide as its stage.

    Returns:
        Widths and channels a group of every stage, [n, 4] each.
    """
    groups = np.minimum(groups, widths)
    near = np.maximum(groups, (2 * widths + groups) // (2 * groups) * groups)
    return near + np.where(10 * near < 9 * widths, groups, 0), groups

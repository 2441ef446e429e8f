"""Stages of RegNets against the paper's equations, one network and one block at a time."""

from __future__ import annotations

import math
from itertools import groupby, product

import numpy as np
import pytest

from nas.search_spaces.regnets.design import STAGES, Design, fitted_to_groups

DESIGN = Design(depths=(12, 13, 20, 28), w0=(24, 48, 200), wa=(8.0, 36.44, 90.0), wm=(2.0, 2.49))
ALL = list(product(range(4), range(3), range(3), range(2)))


def blocks(depth: int, w0: int, wa: float, wm: float) -> list[tuple[int, int]]:
    """Return exponent and width of every block: eqs. 2 to 4, widths to multiples of 8."""
    found = []
    for j in range(depth):
        u = w0 + wa * j
        s = round(math.log(u / w0) / math.log(wm))
        found.append((s, 8 * round(w0 * wm**s / 8)))
    return found


def of(row: tuple[int, ...]) -> list[tuple[int, int]]:
    depth, w0, wa, wm = row
    d = DESIGN
    return blocks(int(d.depths[depth]), int(d.w0[w0]), float(d.wa[wa]), float(d.wm[wm]))


def test_stages_are_runs_of_blocks_with_one_width() -> None:
    for row in ALL:
        depth, w0, wa, wm = row
        assert DESIGN.counts[w0, wa, wm, depth] == len({s for s, _ in of(row)})


def test_widths_and_depths_before_groups() -> None:
    rows = [row for row in ALL if len({s for s, _ in of(row)}) == STAGES]
    assert 5 < len(rows) < len(ALL)
    widths, depths = DESIGN.unadjusted(np.array(rows))
    for row, width, depth in zip(rows, widths.tolist(), depths.tolist(), strict=True):
        runs = [(key[1], len(list(some))) for key, some in groupby(of(row))]
        assert [*zip(width, depth, strict=True)] == runs


def test_all_rows_of_a_depth() -> None:
    rows, widths, depths = DESIGN.with_depth(1)
    expected = [row for row in ALL if row[0] == 1 and len({s for s, _ in of(row)}) == STAGES]
    assert sorted(map(tuple, rows.tolist())) == expected
    own = DESIGN.unadjusted(rows)
    assert np.array_equal(own[0], widths) and np.array_equal(own[1], depths)
    assert (depths.sum(1) == 13).all()


@pytest.mark.parametrize(
    ("widths", "group", "fitted", "groups"),
    [
        ([24, 56, 152, 368], 8, [24, 56, 152, 368], [8] * 4),
        ([48, 104, 208, 440], 16, [48, 112, 208, 448], [16] * 4),
        ([40, 88, 184, 376], 64, [40, 128, 192, 384], [40, 64, 64, 64]),
        ([24, 56, 152, 368], 128, [24, 56, 256, 384], [24, 56, 128, 128]),
    ],
)
def test_widths_become_multiples_of_groups(
    widths: list[int], group: int, fitted: list[int], groups: list[int]
) -> None:
    """To the nearest, the upper of two, unless that loses more than a tenth."""
    found = fitted_to_groups(np.array([widths]), np.array([[group]]))
    assert [part.tolist() for part in found] == [[fitted], [groups]]

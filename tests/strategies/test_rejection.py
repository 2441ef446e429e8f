"""Drawing until enough is feasible."""

from __future__ import annotations

import numpy as np
from small_spaces import Allowed

from nas.space import Choices
from nas.strategies.rejection import draw_feasible


def test_feasible_draws_are_taken_in_their_order() -> None:
    sequence = iter([[0, 0], [0, 2], [1, 0], [2, 2], [1, 1], [0, 1], [0, 0]] * 100)

    def draw(n: int) -> Choices:
        return np.array([next(sequence) for _ in range(n)], dtype=np.int64)

    found = draw_feasible(Allowed(), np.random.default_rng(0), 4, draw)
    assert found.tolist() == [[0, 0], [1, 0], [2, 2], [0, 1]]


def test_what_is_never_feasible_is_repaired() -> None:
    def draw(n: int) -> Choices:
        return np.ones((n, 2), dtype=np.int64)

    found = draw_feasible(Allowed(), np.random.default_rng(0), 50, draw)
    assert {tuple(row) for row in found.tolist()} == {(0, 1), (1, 0)}  # the nearest to 1, 1


def test_none_are_none() -> None:
    found = draw_feasible(
        Allowed(), np.random.default_rng(0), 0, lambda n: np.ones((n, 2), np.int64)
    )
    assert found.shape == (0, 2)

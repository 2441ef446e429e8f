"""What was met already."""

from __future__ import annotations

import numpy as np
from grids import Grid, Mirrored, architecture

from nas.strategies.seen import Seen


def test_equal_networks_are_one() -> None:
    seen = Seen(Mirrored(3, 4))
    seen.add(np.array([[0, 1, 2]]))
    rows = np.array([[2, 1, 0], [3, 3, 0], [1, 1, 1], [0, 3, 3]])
    assert seen.known(rows).tolist() == [True, False, False, True]
    assert seen.new(rows).tolist() == [[3, 3, 0], [1, 1, 1]]
    assert len(seen.keys) == 1  # looking is not meeting


def test_a_sample_is_new_as_long_as_there_is_anything_new() -> None:
    seen = Seen(Grid(3, 2))
    rng = np.random.default_rng(0)
    for _ in range(4):
        rows = seen.sample(rng, 2)
        assert not seen.known(rows).any()
        seen.add(rows)
    assert seen.sample(rng, 5).shape == (5, 3)  # all eight were met


def test_state() -> None:
    first, second = Seen(Grid(40, 4)), Seen(Grid(40, 4))
    rows = first.sample(np.random.default_rng(0), 5)
    first.add(rows)
    second.load_state_dict(first.state_dict())
    assert second.known(rows).all()
    assert not second.known(first.sample(np.random.default_rng(1), 5)).any()


def test_one_at_a_time() -> None:
    seen = Seen(Mirrored(3, 4))
    one, same, other = (architecture(*row) for row in ((0, 1, 2), (2, 1, 0), (3, 3, 0)))
    assert one not in seen and seen.meet(one)
    assert same in seen and not seen.meet(same)
    assert seen.key(one) == seen.key(same) != seen.key(other)
    assert other not in seen
    assert seen.draw(np.random.default_rng(0)) not in seen


def test_a_state_of_before_held_rows() -> None:
    seen = Seen(Mirrored(3, 4))
    seen.load_state_dict([[0, 1, 2], [3, 3, 0]])
    assert seen.known(np.array([[2, 1, 0], [0, 3, 3], [1, 1, 1]])).tolist() == [True, True, False]

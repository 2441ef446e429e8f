"""CMAB-NAS: the order of the nested search, its memory, naive sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_spaces import Allowed, Small, Sorted, grid, router

from nas.space import Choices
from nas.strategies.bandits.cmab import Cmab
from nas.strategies.bandits.settings import CMABSettings


def make(space: Small, seed: int = 0, **settings: Any) -> Cmab:
    made = CMABSettings(**{"explore": 1.0, **settings})
    return Cmab(space, made, np.random.default_rng(seed))


def value(row: Any) -> float:
    return float(sum((position + 1) * choice for position, choice in enumerate(row)))


def play(search: Cmab, n: int) -> Choices:
    """Ask and tell one after the other; return what was proposed."""
    found = []
    for _ in range(n):
        [row] = search.ask(1)
        search.tell(tuple(row.tolist()), value(row))
        found.append(row)
    return np.array(found)


def test_every_option_of_a_decision_is_played_out_then_the_best_is_kept() -> None:
    """A level-1 search: of each decision all options, after the best known beginning."""
    rows = play(make(grid(5, 4)), 12)
    assert sorted(rows[:4, 0].tolist()) == [0, 1, 2, 3]
    best = max(rows[:4], key=value)
    assert (rows[4:8, 0] == best[0]).all()
    assert sorted(rows[4:8, 1].tolist()) == [0, 1, 2, 3]
    best = max((row for row in rows[:8] if row[0] == best[0]), key=value)
    assert (rows[8:12, :2] == best[:2]).all()
    assert sorted(rows[8:12, 2].tolist()) == [0, 1, 2, 3]


def test_the_best_sequence_is_remembered() -> None:
    """Where later playouts are worse than one before, its option is kept (Cazenave's memory)."""
    search = make(grid(4, 3))
    rows = search.ask(3)
    scores = {2: 100.0, 1: 0.0, 0: 0.0}
    for row in rows:
        search.tell(tuple(row.tolist()), scores[int(row[0])])
    [good] = [row for row in rows if row[0] == 2]
    for _ in range(3):
        [row] = search.ask(1)
        assert row[0] == 2
        search.tell(tuple(row.tolist()), 1.0)
    [row] = search.ask(1)
    assert (row[:2] == good[:2]).all()


def test_level_2_runs_a_search_of_level_1_for_every_option() -> None:
    """Each of those begins with its option and goes on to the second decision."""
    rows = play(make(grid(3, 3), level=2), 9)
    options = rows[:, 0]
    changes = [
        int(option) for i, option in enumerate(options) if i == 0 or option != options[i - 1]
    ]
    assert len(changes) == len(set(changes)) < 3  # one after the other, each for a while
    first = rows[options == changes[0]]
    assert sorted(first[:3, 1].tolist()) == [0, 1, 2]
    assert len(first) > 3


def test_it_starts_anew_with_what_was_learned() -> None:
    """After some 8 * 4 playouts those of the first decision come again, and are better now."""
    rows = play(make(grid(8, 4), epsilon=0.1), 60)
    [again, *_] = [i for i in range(4, 60) if set(rows[i : i + 4, 0]) == {0, 1, 2, 3}]
    assert 24 < again <= 32
    first, second = (np.mean(list(map(value, rows[i : i + 4]))) for i in (0, again))
    assert second > first + 15
    assert len({tuple(row) for row in rows.tolist()}) == 60  # nothing twice


@pytest.mark.parametrize("local", ["epsilon", "ucb"])
def test_local_bandits_prefer_the_better_option(local: str) -> None:
    search = make(grid(2, 3), local=local, epsilon=0.0, ucb=0.01)
    for a in range(3):
        for b in range(3):
            search.tell((a, b), 10.0 * a - b)
    rows = search._local_samples([], search._strengths(), 20)
    assert (rows == [2, 0]).all()


def test_ucb_goes_where_little_is_known() -> None:
    search = make(grid(1, 2), local="ucb", ucb=2.0)
    for _ in range(30):
        search.tell((1,), 1.0)
    search.tell((0,), 0.0)
    assert search._local_samples([], search._strengths(), 5).tolist() == [[0]] * 5


def test_epsilon_is_the_share_of_uniform_pulls() -> None:
    search = make(grid(1, 4), local="epsilon", epsilon=0.4)
    for option in range(4):
        search.tell((option,), float(option))
    rows = search._local_samples([], search._strengths(), 4000)
    assert (rows == 3).mean() == pytest.approx(0.6 + 0.1, abs=0.03)


def test_options_never_pulled_come_first_in_any_order() -> None:
    search = make(grid(1, 4), epsilon=0.0)
    search.tell((1,), 1.0)
    assert {row[0] for row in search._local_samples([], search._strengths(), 100).tolist()} == {
        0,
        2,
        3,
    }


def test_exploiting_trusts_the_global_bandit() -> None:
    """With `explore=0` options with a known architecture are not played out again."""
    search = make(grid(2, 3), explore=0.0)
    for option in (0, 2):
        search.tell((option, 0), float(option))
    assert search.ask(1)[0][0] == 1  # nothing was known of it
    search.tell((1, 0), 1.0)
    assert search.ask(1)[0][0] == 2  # the best; its second decision is next


def test_a_known_network_is_not_measured_under_another_name() -> None:
    space = Sorted(*grid(2, 2).decisions)
    rows = play(make(space), 3)
    assert {tuple(sorted(row)) for row in rows.tolist()} == {(0, 0), (0, 1), (1, 1)}


def test_pending_results_hold_the_decision_up() -> None:
    """Meanwhile proposals go on from the beginning that was settled."""
    search = make(grid(6, 3))
    pending = search.ask(9)
    assert sorted(pending[:3, 0].tolist()) == [0, 1, 2]
    for row in pending[:2]:
        search.tell(tuple(row.tolist()), value(row))
    assert len(search._stack[-1].prefix) == 0
    search.tell(tuple(pending[2].tolist()), 1000.0)
    [row] = search.ask(1)
    assert row[0] == pending[2, 0]


def test_results_that_never_come_are_not_waited_for_forever() -> None:
    search = make(grid(6, 3))
    lost = search.ask(3)
    for _ in range(104):
        [row] = search.ask(1)
        search.tell(tuple(row.tolist()), value(row))
    assert any(frame.prefix for frame in search._stack)
    assert len(lost) == 3


def test_small_spaces_do_not_end_it() -> None:
    search = make(grid(1, 3))
    rows = play(search, 10)
    assert {row[0] for row in rows.tolist()} == {0, 1, 2}


@pytest.mark.parametrize("space", [Allowed(), router()])
def test_all_that_is_valid_is_found_and_nothing_else(space: Small) -> None:
    valid = {tuple(row) for row in play(make(space), 40).tolist()}
    assert all(space.valid(np.array([row]))[0] for row in valid)
    assert len(valid) == (4 if isinstance(space, Allowed) else space.size)


def test_the_state_is_all() -> None:
    space = grid(6, 3)
    first, second = make(space, level=2), make(space, seed=1, level=2)
    play(first, 11)
    first.ask(2)
    second.load_state_dict(first.state_dict())
    second.rng.bit_generator.state = first.rng.bit_generator.state
    assert np.array_equal(play(first, 20), play(second, 20))

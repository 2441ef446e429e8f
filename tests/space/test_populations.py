"""What spaces inherit: drawing, changing and encoding architectures."""

from __future__ import annotations

import numpy as np
import pytest
from plain_spaces import (
    Even,
    Impossible,
    Plain,
    arch,
    decision,
    every_valid,
    rng,
    router,
)

from nas.errors import NasError
from nas.space import SearchSpace

POPULATIONS = [router(), Even(decision("a", 3), decision("b", 4)), Plain(decision("a", 1))]
over_populations = pytest.mark.parametrize("space", POPULATIONS, ids=["when", "even", "single"])


# -- architectures --------------------------------------------------------------------------------


def test_sample_is_uniform_over_the_options_of_a_decision() -> None:
    rows = router().to_array(router().sample(rng(), 6000))
    routed = rows[rows[:, 0] == 1]
    assert abs(len(routed) / len(rows) - 1 / 2) < 0.03
    assert np.allclose(np.bincount(routed[:, 1]) / len(routed), 1 / 3, atol=0.03)


def test_sample_meets_the_constraint() -> None:
    space = Even(decision("a", 3), decision("b", 4))
    found = space.sample(rng(), 200)
    assert {sum(a.choices) % 2 for a in found} == {0}
    assert set(found) == set(every_valid(space))


def test_what_nothing_meets_is_an_error() -> None:
    space = Impossible(decision("a", 3))
    with pytest.raises(NasError, match="space 'plain': no valid architecture in 1000 draws"):
        space.sample(rng(), 1)
    with pytest.raises(NasError, match="no valid mutation"):
        space.mutate(arch(0), rng())
    assert space.check(arch(0)) == "never"
    assert space.neighbors(arch(0)) == []


def test_neighbors_of_a_router() -> None:
    found = {a.choices for a in router().neighbors(arch(1, 2, 2, 1))}
    assert found == {
        (0, 0, 0, 1),  # without router neither k nor noise
        (1, 0, 0, 1),  # without choice among experts no noise
        (1, 1, 2, 1),
        (1, 2, 0, 1),
        (1, 2, 1, 1),
        (1, 2, 2, 0),
    }


def test_neighbors_and_mutations_meet_the_constraint() -> None:
    space = Even(decision("a", 4), decision("b", 4))
    found = {a.choices for a in space.neighbors(arch(1, 1))}
    assert found == {(3, 1), (1, 3)}
    assert {space.mutate(arch(1, 1), rng(seed)).choices for seed in range(20)} == found


def test_mutate_is_uniform() -> None:
    space, draw = Plain(decision("a", 2), decision("b", 4)), rng()
    found = [space.mutate(arch(0, 0), draw).choices for _ in range(3000)]
    assert abs(found.count((1, 0)) / 3000 - 1 / 2) < 0.04
    for option in (1, 2, 3):
        assert abs(found.count((0, option)) / 3000 - 1 / 6) < 0.04


def test_mutate_leaves_inactive_decisions_alone() -> None:
    found = {router().mutate(arch(0, 0, 0, 0), rng(seed)).choices for seed in range(30)}
    assert found == {(1, 0, 0, 0), (0, 0, 0, 1)}


def test_mutate_needs_something_to_change() -> None:
    with pytest.raises(NasError, match="no valid mutation"):
        Plain(decision("a", 1)).mutate(arch(0), rng())


def test_crossover_resets_what_becomes_inactive() -> None:
    space = router()
    found = {
        space.crossover(arch(0, 0, 0, 0), arch(1, 2, 2, 1), rng(seed)).choices for seed in range(99)
    }
    assert (0, 0, 0, 1) in found and (1, 2, 2, 0) in found and (1, 0, 0, 1) in found
    assert {space.check(arch(*choices)) for choices in found} == {None}


def test_crossover_meets_the_constraint() -> None:
    space = Even(decision("a", 2), decision("b", 2))
    found = {space.crossover(arch(0, 0), arch(1, 1), rng(seed)).choices for seed in range(30)}
    assert found == {(0, 0), (1, 1)}


# -- arrays ---------------------------------------------------------------------------------------


@over_populations
def test_sample_choices_is_sample(space: SearchSpace) -> None:
    rows = space.sample_choices(rng(), 50)
    assert rows.dtype == np.int64 and rows.shape == (50, len(space.decisions))
    assert space.from_array(rows) == space.sample(rng(), 50)
    assert space.valid(rows).all()
    assert space.sample_choices(rng(), 0).shape == (0, len(space.decisions))


def test_mutate_choices_changes_one_decision_of_every_row() -> None:
    for space in POPULATIONS[:2]:
        rows = space.sample_choices(rng(), 300)
        before = rows.copy()
        children = space.mutate_choices(rows, rng())
        assert np.array_equal(rows, before)
        for parent, child in zip(space.from_array(rows), space.from_array(children), strict=True):
            assert child in space.neighbors(parent)
        assert space.mutate_choices(rows[:0], rng()).shape == rows[:0].shape


def test_mutate_choices_is_uniform_over_active_decisions() -> None:
    """Over decisions, not over all that may come: the loss is one of two."""
    rows = np.zeros((4000, 4), dtype=np.int64)  # without router only router and loss are active
    children = router().mutate_choices(rows, rng())
    assert abs((children[:, 3] == 1).mean() - 1 / 2) < 0.03
    rows = np.tile([1, 1, 0, 0], (4000, 1))
    children = router().mutate_choices(rows, rng())
    for choices in ([1, 1, 1, 0], [1, 1, 2, 0], [1, 0, 0, 0], [1, 2, 0, 0]):
        assert abs((children == choices).all(1).mean() - 1 / 8) < 0.02


def test_mutate_choices_meets_the_constraint() -> None:
    space = Even(decision("a", 4), decision("b", 4))
    children = space.mutate_choices(np.ones((200, 2), dtype=np.int64), rng())
    assert {tuple(child) for child in children.tolist()} == {(3, 1), (1, 3)}


def test_mutate_choices_follows_the_seed() -> None:
    rows = router().sample_choices(rng(), 100)
    one, same, other = (router().mutate_choices(rows, rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_mutate_choices_says_which_row_has_no_valid_mutation() -> None:
    space = Even(decision("a", 2), decision("b", 2))
    with pytest.raises(NasError, match=r"space 'plain': no valid mutation of \(0, 0\)"):
        space.mutate_choices(np.array([[0, 1], [0, 0]]), rng())
    with pytest.raises(NasError, match="no valid mutation"):
        Plain(decision("a", 1)).mutate_choices(np.zeros((3, 1), dtype=np.int64), rng())


def test_encode_choices_is_encode() -> None:
    rows = router().sample_choices(rng(), 20)
    assert np.array_equal(router().encode_choices(rows), router().encode(router().from_array(rows)))


def test_inactive_decisions_are_not_encoded() -> None:
    encoding = router().encode([arch(0, 0, 0, 1), arch(1, 2, 1, 0)])
    assert encoding.tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 1, 0, 1, 0, 1, 0],
    ]

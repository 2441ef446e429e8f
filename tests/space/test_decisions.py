"""What spaces inherit: conditions, constraints, what is equal."""

from __future__ import annotations

import numpy as np
import pytest
from plain_spaces import (
    Even,
    Plain,
    Unordered,
    arch,
    decision,
    every_valid,
    rng,
    router,
    rows_of,
)

from nas.errors import NasError
from nas.space import Architecture, Decision, SearchSpace

POPULATIONS = [router(), Even(decision("a", 3), decision("b", 4)), Plain(decision("a", 1))]
over_populations = pytest.mark.parametrize("space", POPULATIONS, ids=["when", "even", "single"])


# -- conditions -----------------------------------------------------------------------------------


def test_active() -> None:
    rows = np.array([[0, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0], [1, 2, 2, 0], [0, 2, 0, 0]])
    on = router().active(rows).astype(int).tolist()
    assert on == [[1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 1]]


def test_size_counts_conditions() -> None:
    assert router().size == (1 + 1 + 2 * 3) * 2
    assert router().size == len(every_valid(router()))


def test_size_is_exact_where_it_is_large() -> None:
    space = Plain(*(decision(f"d{i}", 6) for i in range(100)))
    assert space.size == 6**100


def test_any_of_several_parents_activates() -> None:
    space = Plain(
        decision("a", 2), decision("b", 3), decision("c", 4, ("a", ("b",)), ("b", ("b", "c")))
    )
    assert space.active(np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]]))[:, 2].tolist() == [
        False,
        True,
        True,
    ]
    assert space.size == len(every_valid(space)) == 1 * 1 + 5 * 4


@pytest.mark.parametrize("seed", range(10))
def test_size_of_random_conditions(seed: int) -> None:
    draw = rng(seed)
    decisions: list[Decision] = []
    for i in range(5):
        parents = draw.permutation(i)[: draw.integers(0, 3)]
        when = [(f"d{p}", decisions[p].options[: draw.integers(1, 3)]) for p in sorted(parents)]
        decisions.append(decision(f"d{i}", int(draw.integers(2, 5)), *when))
    space = Plain(*decisions)
    assert space.size == len(every_valid(space))


@pytest.mark.parametrize("parent", ["b", "c", "nowhere"])
def test_condition_needs_an_earlier_decision(parent: str) -> None:
    space = Plain(decision("a", 2), decision("b", 2, (parent, ("a",))), decision("c", 2))
    with pytest.raises(NasError, match=f"'b' depends on '{parent}', which is not an earlier"):
        space.sample(rng(), 1)


def test_condition_needs_an_option_that_exists() -> None:
    space = Plain(decision("a", 2), decision("b", 2, ("a", ("z",))))
    with pytest.raises(NasError, match="unknown option of 'a' 'z'"):
        _ = space.size


# -- checking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (arch(0, 0, 0, 0, space="other"), "belongs to space 'other', not to 'plain'"),
        (arch(0, 0, 0), "has 3 choices; 4 are needed"),
        (arch(0, 0, 0, 2), "choice 2 of 'loss' is not in the range 0 to 1"),
        (arch(-1, 0, 0, 0), "choice -1 of 'router' is not in the range 0 to 1"),
        (arch(10**30, 0, 0, 0), "is not in the range 0 to 1"),
        (arch(0, 1, 0, 0), "'k' is inactive here and must be its first option"),
        (arch(1, 0, 1, 0), "'noise' is inactive here"),
    ],
)
def test_check_says_why(architecture: Architecture, reason: str) -> None:
    space = router()
    assert reason in str(space.check(architecture))
    with pytest.raises(NasError, match=r"not an architecture of space 'plain': .*") as error:
        space.require(architecture)
    assert reason in str(error.value)


def test_require_returns_what_is_valid() -> None:
    assert router().require(arch(1, 2, 2, 1)) == arch(1, 2, 2, 1)


def test_canonical_is_the_identity_by_default() -> None:
    assert router().canonical(arch(1, 2, 2, 1)) == arch(1, 2, 2, 1)


# -- as arrays ------------------------------------------------------------------------------------


def test_arrays_and_architectures() -> None:
    space = router()
    found = [arch(1, 2, 2, 1), arch(0, 0, 0, 0)]
    assert space.to_array(found).tolist() == [[1, 2, 2, 1], [0, 0, 0, 0]]
    assert space.from_array(space.to_array(found)) == found
    assert space.to_array([]).shape == (0, 4)
    assert space.encode([]).shape == (0, 10)
    assert all(type(c) is int for a in space.sample(rng(), 3) for c in a.choices)


@over_populations
def test_valid_agrees_with_check(space: SearchSpace) -> None:
    rows = rows_of(space, 200)
    assert space.valid(rows).tolist() == [space.check(a) is None for a in space.from_array(rows)]
    assert space.valid(rows[:0]).shape == (0,)


def wide(options: int) -> tuple[Decision, ...]:
    return tuple(Decision(f"d{i}", tuple(range(options))) for i in range(30))


KEYED = {
    "small": Plain(*wide(2)),
    "more than 2^63": Plain(*wide(6)),
    "unordered": Unordered(*wide(2)),
    "unordered, more than 2^63": Unordered(*wide(6)),
}


@pytest.mark.parametrize("name", KEYED)
def test_keys_are_equal_exactly_where_canonical_is(name: str) -> None:
    space = KEYED[name]
    rows = rows_of(space, 200)
    rows = np.concatenate([rows, rows[:50], rows[:50, ::-1]])  # some again, some turned round
    keys = space.keys(rows)
    assert keys.dtype == np.uint64 and keys.shape == (300,)
    pairs = set(zip(keys.tolist(), map(space.canonical, space.from_array(rows)), strict=True))
    assert len(pairs) == len({key for key, _ in pairs}) == len({a for _, a in pairs}) <= 250


def test_keys_do_not_change() -> None:
    """They are stored in files."""
    row = np.arange(30)[None] % 6
    assert KEYED["small"].keys(row % 2).tolist() == [357913941]
    assert KEYED["more than 2^63"].keys(row).tolist() == [6795726088382496055]
    assert router().keys(np.array([[0, 0, 0, 0], [0, 0, 0, 1], [1, 2, 2, 1]])).tolist() == [
        0,
        1,
        35,
    ]

"""Decisions, architectures and what spaces inherit: conditions, constraints, populations, text."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product
from typing import Any

import networkx as nx
import numpy as np
import pytest

from nas.errors import NasError
from nas.space import Architecture, Decision, SearchSpace


class Plain(SearchSpace):
    """A space of decisions only."""

    def __init__(self, *decisions: Decision, name: str = "plain") -> None:
        self.name = name
        self.description = ""
        self.decisions = decisions

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        raise NotImplementedError

    def build(self, architecture: Architecture, task: Any, **settings: Any) -> Any:
        raise NotImplementedError

    def supernet(self, task: Any, **options: Any) -> Any:
        raise NotImplementedError

    def path(self, architecture: Architecture) -> Any:
        raise NotImplementedError

    def derive(self, scores: Any) -> Architecture:
        raise NotImplementedError


class Even(Plain):
    """Only rows with an even sum."""

    def constraint(self, architecture: Architecture) -> str | None:
        return "odd" if sum(architecture.choices) % 2 else None


class Unordered(Plain):
    """The order of choices makes no difference."""

    def canonical(self, architecture: Architecture) -> Architecture:
        return Architecture(self.name, tuple(sorted(architecture.choices)))


class Impossible(Plain):
    def constraint(self, architecture: Architecture) -> str | None:
        return "never"


def decision(name: str, n: int, *when: tuple[str, tuple[Hashable, ...]]) -> Decision:
    return Decision(name, tuple("abcdef"[:n]), when=when)


def router() -> Plain:
    """A router's k exists where there is a router, its noise where k is above 1, a loss always."""
    return Plain(
        Decision("router", ("no", "yes")),
        Decision("k", (1, 2, 4), ordered=True, when=(("router", ("yes",)),)),
        Decision("noise", ("off", "on", "learned"), when=(("k", (2, 4)),)),
        Decision("loss", ("l1", "l2")),
    )


def arch(*choices: int, space: str = "plain") -> Architecture:
    return Architecture(space, choices)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def every_valid(space: SearchSpace) -> list[Architecture]:
    rows = product(*(range(n) for n in space.cardinalities))
    return [a for a in (Architecture(space.name, row) for row in rows) if not space.check(a)]


# -- decisions and architectures --------------------------------------------------------------


def test_decision_needs_options() -> None:
    with pytest.raises(NasError, match="'width' has no options"):
        Decision("width", ())


@pytest.mark.parametrize("options", [(1, 2, 1), ("a", "a"), (1, 1.0), (1, "1")])
def test_decision_refuses_an_option_twice(options: tuple[Hashable, ...]) -> None:
    """Options that read the same are the same: text could not tell them apart."""
    with pytest.raises(NasError, match="'width' has an option twice"):
        Decision("width", options)


@pytest.mark.parametrize("name", ["a;b", "a=b", " a", "a\n"])
def test_decision_refuses_a_name_that_text_cannot_hold(name: str) -> None:
    with pytest.raises(NasError, match="name"):
        Decision(name, (1, 2))


@pytest.mark.parametrize("option", ["a;b", " a"])
def test_decision_refuses_an_option_that_text_cannot_hold(option: str) -> None:
    with pytest.raises(NasError, match="option"):
        Decision("width", ("b", option))


def test_decision_index() -> None:
    op = Decision("op", ("conv", "pool", 3))
    assert [op.index(option) for option in op.options] == [0, 1, 2]
    with pytest.raises(NasError, match=r"unknown option of 'op' 'pol'\. Did you mean 'pool'\?"):
        op.index("pol")


def test_architecture_is_a_value() -> None:
    assert len({arch(1, 2), arch(1, 2), arch(2, 1), arch(1, 2, space="other")}) == 3
    with pytest.raises(AttributeError):
        arch(1).choices = (2,)  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "3",
        "{}",
        '{"space": "plain"}',
        '{"choices": [1]}',
        '{"space": "plain", "choices": 3}',
        '{"space": "plain", "choices": "12"}',
        '{"space": "plain", "choices": [1.0]}',
        '{"space": "plain", "choices": [true]}',
        '{"space": "plain", "choices": [[1]]}',
        '{"space": "plain", "choices": {"a": 1}}',
        "[" * 100_000,
        '{"space": "plain", "choices": [1',
    ],
)
def test_from_json_refuses_anything_else(text: str) -> None:
    with pytest.raises(NasError, match="not an architecture") as error:
        Architecture.from_json(text)
    assert len(str(error.value)) < 200


# -- conditions -------------------------------------------------------------------------------


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


def test_inactive_decisions_are_not_encoded() -> None:
    encoding = router().encode([arch(0, 0, 0, 1), arch(1, 2, 1, 0)])
    assert encoding.tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 1, 0, 1, 0, 1, 0],
    ]


# -- checking ---------------------------------------------------------------------------------


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


# -- populations ------------------------------------------------------------------------------


def test_arrays_and_architectures() -> None:
    space = router()
    found = [arch(1, 2, 2, 1), arch(0, 0, 0, 0)]
    assert space.to_array(found).tolist() == [[1, 2, 2, 1], [0, 0, 0, 0]]
    assert space.from_array(space.to_array(found)) == found
    assert space.to_array([]).shape == (0, 4)
    assert space.encode([]).shape == (0, 10)
    assert all(type(c) is int for a in space.sample(rng(), 3) for c in a.choices)


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


# -- populations as arrays --------------------------------------------------------------------


def rows_of(space: SearchSpace, n: int, seed: int = 0) -> np.ndarray:
    """Return any rows, valid or not."""
    return rng(seed).integers(0, space.cardinalities, (n, len(space.decisions)))


POPULATIONS = [router(), Even(decision("a", 3), decision("b", 4)), Plain(decision("a", 1))]
over_populations = pytest.mark.parametrize("space", POPULATIONS, ids=["when", "even", "single"])


@over_populations
def test_valid_agrees_with_check(space: SearchSpace) -> None:
    rows = rows_of(space, 200)
    assert space.valid(rows).tolist() == [space.check(a) is None for a in space.from_array(rows)]
    assert space.valid(rows[:0]).shape == (0,)


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


def test_encode_choices_is_encode() -> None:
    rows = router().sample_choices(rng(), 20)
    assert np.array_equal(router().encode_choices(rows), router().encode(router().from_array(rows)))


# -- text -------------------------------------------------------------------------------------


def test_options_leave_out_what_is_inactive() -> None:
    assert router().options(arch(1, 1, 2, 0)) == {
        "router": "yes",
        "k": 2,
        "noise": "learned",
        "loss": "l1",
    }
    assert router().options(arch(0, 0, 0, 1)) == {"router": "no", "loss": "l2"}


def test_format() -> None:
    assert router().format(arch(1, 1, 2, 0)) == "router=yes;k=2;noise=learned;loss=l1"
    assert router().format(arch(0, 0, 0, 1)) == "router=no;loss=l2"


def test_parse_takes_any_order_and_spaces() -> None:
    assert router().parse(" loss=l1; k=2;router=yes ;noise=learned; ") == arch(1, 1, 2, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no option for 'router'"),
        ("router=no", "no option for 'loss'"),
        ("router=yes;loss=l1", "no option for 'k'"),
        ("router=no;k=2;loss=l1", "'k' is inactive here"),
        ("ruter=no;loss=l1", "unknown decision of space 'plain' 'ruter'. Did you mean 'router'?"),
        ("router=5", "unknown option of 'router' '5'. Allowed: no, yes."),
        ("router", "unknown option of 'router' ''"),
        ("router=yes=no", "unknown option of 'router' 'yes=no'"),
        ("router=no;router=yes;loss=l1", "'router' twice"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        router().parse(text)
    assert message in str(error.value)


def test_parse_checks_the_constraint() -> None:
    space = Even(decision("x", 2), decision("y", 2))
    assert space.parse("x=b;y=b") == arch(1, 1)
    with pytest.raises(NasError, match="odd"):
        space.parse("x=b;y=a")


def test_no_defaults_without_settings() -> None:
    assert router().network_defaults("small") == router().supernet_defaults("paper") == {}
    assert router().catalogue() == {}

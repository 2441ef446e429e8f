"""A space under limits: what breaks one is not valid, whatever is done with the space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.register_assert_rewrite("nas.testing")

from nas.errors import NasError  # noqa: E402
from nas.mutables import Elastic, OneOf  # noqa: E402
from nas.objective import Limit, parse_limits  # noqa: E402
from nas.search.limited import LimitedSpace  # noqa: E402
from nas.search_spaces.module import ModuleSpace  # noqa: E402
from nas.search_spaces.nas_bench_101 import NASBench101  # noqa: E402
from nas.search_spaces.nas_bench_201 import NASBench201  # noqa: E402
from nas.search_spaces.nats_size import NATSSize  # noqa: E402
from nas.search_spaces.transnas_macro import TransNASMacro  # noqa: E402
from nas.space import Architecture, SearchSpace  # noqa: E402
from nas.task import TaskInfo  # noqa: E402
from nas.testing import SpaceContract  # noqa: E402

TINY = TaskInfo((3, 8, 8), 10)


def total(architectures: Sequence[Architecture]) -> list[dict[str, float]]:
    """Costs in no time: the sum of the choices."""
    return [{"params": float(sum(a.choices)), "flops": 1.0} for a in architectures]


class Counting:
    """Costs that remember what they were asked for."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.asked: list[Architecture] = []

    def __call__(self, architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        assert architectures
        for architecture in architectures:
            self.space.require(architecture)
        self.asked += architectures
        return total(architectures)


def limited(space: SearchSpace, limits: str = "params<=12", costs: Any = total) -> LimitedSpace:
    return LimitedSpace(space, parse_limits(limits), costs)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- contracts ------------------------------------------------------------------------------------


class TestLimitedSizes(SpaceContract):
    samples = 100
    networks = 1

    def make_space(self) -> SearchSpace:
        return limited(NATSSize())


class TestLimitedSkeletons(SpaceContract):
    """Decisions that depend on others, and a constraint of the space's own."""

    samples = 100
    networks = 1

    def make_space(self) -> SearchSpace:
        return limited(TransNASMacro(), "params<=9")


# -- what is valid --------------------------------------------------------------------------------


def test_what_breaks_a_limit_is_refused_with_the_reason() -> None:
    space = limited(NASBench201())
    assert space.check(Architecture("nas-bench-201", (2,) * 6)) is None
    assert space.check(Architecture("nas-bench-201", (3,) * 6)) == "params is 18, not params<=12"
    with pytest.raises(NasError, match="params is 18, not params<=12"):
        space.require(Architecture("nas-bench-201", (3,) * 6))


def test_every_limit_counts() -> None:
    space = limited(NASBench201(), "params<=12,flops>2")
    assert space.check(Architecture("nas-bench-201", (0,) * 6)) == "flops is 1, not flops>2"


def test_the_constraint_of_the_space_counts() -> None:
    space = limited(NASBench101(), "params<=1000")
    assert "no way leads" in str(space.check(Architecture("nas-bench-101", (0,) * 26)))


def test_populations_keep_the_limits() -> None:
    space = limited(NATSSize())
    rows = space.sample_choices(rng(), 200)
    assert rows.shape == (200, 5) and rows.sum(1).max() <= 12
    children = space.mutate_choices(rows, rng())
    assert children.sum(1).max() <= 12 and ((children != rows).sum(1) == 1).all()
    parents = space.from_array(rows[:2])
    for seed in range(20):
        assert sum(space.crossover(parents[0], parents[1], rng(seed)).choices) <= 12
    assert all(sum(a.choices) <= 12 for a in space.neighbors(parents[0]))


def test_feasible_agrees_with_check() -> None:
    space = limited(TransNASMacro(), "params<=9")
    rows = rng().integers(0, space.cardinalities, (300, len(space.decisions)))
    valid = [space.check(a) is None for a in space.from_array(rows)]
    assert space.valid(rows).tolist() == valid and any(valid) and not all(valid)


def test_samples_are_those_of_the_space_that_keep_the_limits() -> None:
    """A space that draws in its own way draws so under limits, too."""

    class Lopsided(NATSSize):
        def sample_choices(self, rng: np.random.Generator, n: int) -> Any:
            return np.minimum(super().sample_choices(rng, n), 3)

    rows = limited(Lopsided()).sample_choices(rng(), 500)
    assert len(rows) == 500 and rows.max() == 3 and rows.sum(1).max() == 12


# -- limits that hardly anything keeps ------------------------------------------------------------


def window(limits: str = "params<=3") -> tuple[LimitedSpace, Counting]:
    """Of 8^5 sums of sizes, 56 are at most 3: one in 585; of NATS-Bench's own cost, none is."""
    costs = Counting(NATSSize())
    return limited(NATSSize(), limits, costs), costs


@pytest.mark.parametrize("limits", ["params<=1", "params>=35", "params>=20,params<21"])
def test_few_that_keep_a_limit_are_found_by_repair(limits: str) -> None:
    space, costs = window(limits)
    found = space.sample(rng(), 20)
    assert len(found) == 20 and all(space.check(a) is None for a in found)
    assert len(costs.asked) < 20 * 64 + 20 * 64 + 2000


def test_one_in_ten_thousand_is_found_soon() -> None:
    """Six of 8^5 have a sum of at most 1."""
    space, costs = window("params<=1")
    space.sample(rng(3), 1)
    assert len(costs.asked) < 500


def test_mutations_and_crossovers_keep_tight_limits() -> None:
    space, _ = window("params<=1")
    rows = space.sample_choices(rng(), 10)
    children = space.mutate_choices(rows, rng(1))
    assert children.sum(1).max() <= 1 and (children != rows).any(1).all()
    parents = space.from_array(rows[:2])
    assert space.check(space.crossover(*parents, rng(2))) is None


def test_repair_keeps_what_is_valid_and_stays_near() -> None:
    space, _ = window("params<=12")
    rows = rng().integers(0, 8, (50, 5))
    repaired = space.repaired(rows, rng())
    valid = rows.sum(1) <= 12
    assert (repaired[valid] == rows[valid]).all() and repaired.sum(1).max() <= 12
    assert (repaired != rows).sum(1).mean() < 2.5  # of 5 decisions


def test_repair_needs_no_randomness_of_its_own() -> None:
    space, _ = window("params<=1")
    rows = space.sample_choices(rng(), 5)
    assert (space.mutate_choices(rows, rng(1)) == space.mutate_choices(rows, rng(1))).all()


# -- costs ----------------------------------------------------------------------------------------


def test_costs_are_asked_once_and_of_valid_architectures_only() -> None:
    costs = Counting(TransNASMacro())
    space = limited(TransNASMacro(), "params<=9", costs)
    rows = rng().integers(0, space.cardinalities, (2000, len(space.decisions)))
    for _ in range(2):
        space.feasible(rows)
        space.sample(rng(), 50)
    assert len(costs.asked) == len(set(costs.asked)) > 100


def test_limits_that_nothing_keeps_are_refused() -> None:
    space = limited(NATSSize(), "params<0")
    message = r"0 of \d+ architectures keep .*params<0.*the nearest, params is 0,"
    with pytest.raises(NasError, match=message):
        space.sample(rng(), 1)


def test_a_cost_that_is_not_measured_is_an_error() -> None:
    with pytest.raises(NasError, match="limit 'latency<5': 'latency' is not measured; measured is"):
        limited(NATSSize(), "latency<5").sample(rng(), 1)


def test_what_has_no_costs_is_refused_and_others_are_not() -> None:
    def some_fail(architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        if any(a.choices[0] == 7 for a in architectures):
            raise MemoryError("none left")
        return total(architectures)

    space = limited(NATSSize(), "params<99", some_fail)
    rows = space.sample_choices(rng(), 300)
    assert set(rows[:, 0]) == set(range(7))
    reason = space.check(Architecture("nats-size", (7, 0, 0, 0, 0)))
    assert reason == "its costs cannot be told: MemoryError: none left"


def test_costs_that_cannot_be_told_are_counted_and_said_once() -> None:
    def some_fail(architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        if any(a.choices[0] == 7 for a in architectures):
            raise MemoryError("none left")
        return total(architectures)

    said: list[str] = []
    space = LimitedSpace(NATSSize(), parse_limits("params<99"), some_fail, said.append)
    rows = rng().integers(0, 8, (100, 5))
    for _ in range(2):
        space.feasible(rows)
    failed = {tuple(row) for row in rows.tolist() if row[0] == 7}
    assert space.untold == len(failed) > 1
    first = next(tuple(row) for row in rows.tolist() if row[0] == 7)
    name = space.format(Architecture("nats-size", first))
    assert said == [
        f"{name}: its costs cannot be told: MemoryError: none left; such architectures are left out"
    ]


def test_where_nothing_can_be_told_the_error_says_how_many() -> None:
    def fails(architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        raise OSError("no disk")

    space = limited(NATSSize(), "params<99", fails)
    with pytest.raises(
        NasError, match=r"params<99\), the costs of \d+ cannot be told; of the nearest"
    ):
        space.sample(rng(), 1)


# -- the same as without limits -------------------------------------------------------------------


def test_what_limits_do_not_change() -> None:
    inner = NASBench201()
    space = limited(inner)
    for a in space.sample(rng(), 20):
        assert space.format(a) == inner.format(a)
        assert space.parse(inner.format(a)) == a
        assert space.canonical(a) == inner.canonical(a)
        assert space.path(a) == inner.path(a)
        assert space.graph(a).nodes == inner.graph(a).nodes
    rows = space.sample_choices(rng(), 20)
    assert np.array_equal(space.keys(rows), inner.keys(rows))
    assert np.array_equal(space.encode_choices(rows), inner.encode_choices(rows))
    for scale in ("small", "paper"):
        assert space.network_defaults(scale) == inner.network_defaults(scale) != {}
        assert space.supernet_defaults(scale) == inner.supernet_defaults(scale) != {}
    assert space.name == inner.name and space.identity_ops == inner.identity_ops


def test_networks_are_those_of_the_space() -> None:
    space = limited(NASBench201())
    a = space.sample(rng(), 1)[0]
    settings = {"channels": 4, "cells": 1}
    names = [
        [name for name, _ in made.build(a, TINY, **settings).named_parameters()]
        for made in (space, NASBench201())
    ]
    assert names[0] == names[1]
    assert space.supernet(TINY, **settings).path(a) == {
        gate: index for gate, index in space.path(a).items() if "<-" in gate
    }


def test_texts_and_gates_that_break_a_limit_are_refused() -> None:
    space, inner = limited(NASBench201()), NASBench201()
    large = Architecture("nas-bench-201", (4,) * 6)
    with pytest.raises(NasError, match="params is 24"):
        space.parse(inner.format(large))
    with pytest.raises(NasError, match="params is 24"):
        space.derive({d.name: np.arange(5.0) for d in space.decisions})


def test_the_catalogue_keeps_the_limits() -> None:
    [(name, published)] = NASBench101().catalogue().items()
    cost = sum(published.choices)
    assert limited(NASBench101(), f"params<={cost}").catalogue() == {name: published}
    assert limited(NASBench101(), f"params<{cost}").catalogue() == {}


def test_the_size_is_not_known() -> None:
    with pytest.raises(NasError, match="space 'nats-size' has limits: its size is not known"):
        _ = limited(NATSSize()).size


def test_a_module_of_a_user() -> None:
    from torch import nn

    def make() -> nn.Module:
        head = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        inner = OneOf([nn.ReLU(), nn.Tanh()], label="inner")
        choice = OneOf({"skip": nn.Identity(), "deep": inner}, label="choice")
        return nn.Sequential(choice, Elastic(head, width=(2, 4, 8), label="width"))

    inner = ModuleSpace(make, name="mine")
    space = LimitedSpace(inner, [Limit("params", "<", 2.0)], total)
    found = {a.choices for a in space.sample(rng(), 200)}
    everything = {a.choices for a in inner.sample(rng(), 200)}
    assert found == {choices for choices in everything if sum(choices) < 2}

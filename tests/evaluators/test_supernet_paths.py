"""Which architectures a step of a supernet's training runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.errors import NasError
from nas.evaluators.supernet_paths import Schedule, Shrinking, extreme, paths_of
from nas.search_spaces.mobilenet import MobileNet
from nas.search_spaces.moe import MoE, MoESequence
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.nats_size import NATSSize
from nas.space import Architecture, Choices, Decision, SearchSpace

SPACES = [MoE(2), MoESequence(1), MobileNet(), NATSSize()]


class Toy(NASBench201):
    """Two sizes that must not both be large, or both small, and a decision without order."""

    name = "toy"

    def __init__(self, most: int = 99, least: int = 0, sizes: tuple[int, ...] = (1, 2, 4)) -> None:
        self.most, self.least = most, least
        self.decisions = (
            Decision("op", ("a", "b", "c")),
            Decision("width", sizes, ordered=True),
            Decision("depth", (1, 2, 4), ordered=True, when=(("op", ("a", "b")),)),
        )

    def constraint(self, architecture: Architecture) -> str | None:
        total = sum(int(str(v)) for k, v in self.options(architecture).items() if k != "op")
        return None if self.least <= total <= self.most else f"the sum is {total}"

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        return SearchSpace.feasible(self, choices)


def drawn(space: SearchSpace, largest: bool, n: int = 30) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(0)
    for _ in range(n):
        architecture = space.require(extreme(space, largest, rng))
        yield dict(space.options(architecture))


# -- the largest and the smallest -----------------------------------------------------------------


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_all_sizes_are_at_one_end(space: SearchSpace, largest: bool) -> None:
    by_name = {decision.name: decision for decision in space.decisions}
    for options in drawn(space, largest):
        for name, option in options.items():
            if by_name[name].ordered:
                assert option == by_name[name].options[-1 if largest else 0], name


def test_what_has_no_order_is_drawn() -> None:
    for largest in (True, False):
        seen = {str(options["op"]) for options in drawn(Toy(), largest)}
        assert seen == {"a", "b", "c"}
    layers = {o["block1.layer"] for o in drawn(MoE(1), True)}
    routers = {o["block1.router"] for o in drawn(MoE(1), True) if "block1.router" in o}
    assert layers == {"dense", "moe"} and len(routers) > 3


def test_descending_options_are_ordered_by_value() -> None:
    space = Toy(sizes=(4, 2, 1))
    assert {o["width"] for o in drawn(space, True)} == {4}
    assert {o["width"] for o in drawn(space, False)} == {1}


def test_where_a_constraint_forbids_both_ends_sizes_go_as_far_as_they_may() -> None:
    """4 + 4 and 1 + 1 are not allowed; with op c only the width counts."""
    space = Toy(most=6, least=4)
    found = {(o["width"], o.get("depth")) for o in drawn(space, True, 60)}
    assert found == {(4, 2), (2, 4), (4, None)}
    found = {(o["width"], o.get("depth")) for o in drawn(space, False, 60)}
    assert found <= {(2, 2), (4, 1), (1, 4), (4, None)} and len(found) > 1


# -- phases ---------------------------------------------------------------------------------------


def steps(schedule: Schedule, epoch: int, n: int = 1) -> list[list[Architecture]]:
    rng = np.random.default_rng(epoch)
    space = schedule.space
    return [schedule.phase(epoch).step(lambda r: space.sample(r, 1)[0], rng) for _ in range(n)]


def test_a_single_path_is_what_is_drawn() -> None:
    space = NASBench201()
    schedule = Schedule(space, "single", 3, 0)
    [[architecture]] = steps(schedule, 0)
    assert architecture == space.sample(np.random.default_rng(0), 1)[0]
    assert schedule.phase(0).name == ""
    assert not any(schedule.opens(epoch) for epoch in range(3))


def test_a_sandwich_is_the_largest_the_smallest_and_two_that_are_drawn() -> None:
    space = MobileNet()
    schedule = Schedule(space, "sandwich", 4, 1)
    first = steps(schedule, 0, 5)
    assert all(len(step) == 1 and space.options(step[0])["width"] == 1.2 for step in first)
    for large, small, *others in steps(schedule, 1, 5):
        assert space.options(large)["depth1"] == 4 and space.options(small)["depth1"] == 2
        assert len(set(others)) == 2
        for architecture in (large, small, *others):
            space.require(architecture)
    assert [schedule.phase(epoch).name for epoch in range(3)] == ["largest", "sandwich", "sandwich"]
    assert [schedule.opens(epoch) for epoch in range(4)] == [False, True, False, False]
    without = Schedule(space, "sandwich", 4, 0)
    assert not any(without.opens(epoch) for epoch in range(4))


@pytest.mark.parametrize("epochs", [1, 2, 5, 7, 23])
def test_progressive_phases_draw_open_options_only(epochs: int) -> None:
    space = MobileNet()
    schedule = Schedule(space, "progressive", epochs, 0)
    names, stages = [], []
    for epoch in range(epochs):
        names.append(schedule.phase(epoch).name)
        allowed = [
            stage
            for stage in range(space.shrinking_stages)
            if space.shrinking_name(stage) == names[-1]
        ]
        opened = space.shrinking(allowed[-1])
        for [architecture] in steps(schedule, epoch, 8):
            space.require(architecture)
            for name, option in space.options(architecture).items():
                assert option in opened[name], (epoch, name)
        stages.append(allowed[-1])
    assert stages == sorted(stages) and names[-1] == "width"
    if epochs >= 7:
        assert list(dict.fromkeys(names)) == ["full", "kernel", "depth", "expansion", "width"]
        assert sum(schedule.opens(epoch) for epoch in range(epochs)) == 1
        assert names[[schedule.opens(e) for e in range(epochs)].index(True)] == "kernel"


def test_all_is_trained_in_the_last_phase() -> None:
    space = MobileNet()
    schedule = Schedule(space, "progressive", 1, 0)
    seen = {str(space.options(a)["width"]) for [a] in steps(schedule, 0, 40)}
    assert seen == {"0.8", "1.0", "1.2"}


# -- what a space asks for ------------------------------------------------------------------------


class Elastic(Toy):
    supernet_paths = "sandwich"


def test_a_space_says_what_is_usual() -> None:
    assert paths_of(NASBench201(), "auto", "uniform") == "single"
    assert paths_of(Elastic(), "auto", "uniform") == "sandwich"
    assert paths_of(MobileNet(), "auto", "uniform") == "progressive"


def test_proposals_are_trained_one_by_one_unless_asked_otherwise() -> None:
    assert paths_of(Elastic(), "auto", "proposals") == "single"
    assert paths_of(Elastic(), "sandwich", "proposals") == "sandwich"


def test_a_space_without_stages_is_refused() -> None:
    assert isinstance(MobileNet(), Shrinking) and not isinstance(Toy(), Shrinking)
    with pytest.raises(NasError, match="space 'toy' has no stages of shrinking"):
        paths_of(Toy(), "progressive", "uniform")

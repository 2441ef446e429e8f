"""AGNN: one group of the incumbent's decisions at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from grids import Grid, measured
from small_spaces import FAILED, grid, router, scored

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.search_spaces.gnn import GNN
from nas.search_spaces.nas_bench_graph import NASBenchGraph
from nas.space import Architecture, SearchSpace
from nas.strategies.agnn import AGNN, AGNNSettings
from nas.strategies.controller.groups import GroupController, groups_of


def make(space: SearchSpace, seed: int = 0, **settings: Any) -> AGNN:
    made = AGNNSettings(
        **{"initial": 1, "hidden": 8, "learning_rate": 0.05, "batch_size": 2, **settings}
    )
    return AGNN(space, Objective("accuracy"), seed, made)


def tell(strategy: AGNN, architecture: Architecture, score: float) -> None:
    strategy.tell([(architecture, scored(score))])


# -- groups -----------------------------------------------------------------------------------


def test_groups_are_names_without_numbers() -> None:
    groups = groups_of(GNN(3))
    assert groups["layer#/attention"] == [0, 5, 10]
    assert len(groups) == 5 and sum(map(len, groups.values())) == 15
    assert {*groups_of(NASBenchGraph())} == {"#/op", "#/input"}


def test_a_space_may_name_its_groups() -> None:
    space = GNN()
    sizes = [d.name for d in space.decisions if d.ordered]
    space.decision_groups = {"sizes": sizes}  # type: ignore[attr-defined]
    groups = groups_of(space)
    assert groups["sizes"] == [3, 4, 8, 9]
    assert len(groups) == 4


@pytest.mark.parametrize("space", [GNN(), router()])
def test_resampling_changes_the_group_only(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    for name, columns in groups_of(space).items():
        controller = GroupController(space, columns, 8, 1.0, 2.5, 0)
        for base in space.sample_choices(rng, 3):
            rows = controller.resample(rng, base, 20)
            assert (rows[~space.active(rows)] == 0).all()
            others = [c for c in range(len(base)) if c not in columns]
            both = space.active(rows) & space.active(base[None])
            assert ((rows == base) | ~both)[:, others].all()
            if space.active(base[None])[0, columns].any():
                assert len(np.unique(rows, axis=0)) > 1, name


# -- search -----------------------------------------------------------------------------------


def test_proposals_change_one_group_of_the_incumbent() -> None:
    space = GNN()
    strategy, groups = make(space), groups_of(space)
    [first] = strategy.ask(1)
    tell(strategy, first, 0.5)
    changed = set()
    for _ in range(20):
        [a] = strategy.ask(1)
        columns = {*np.flatnonzero(np.array(a.choices) != first.choices).tolist()}
        [name] = [name for name, group in groups.items() if columns <= {*group}]
        changed.add(name)
        tell(strategy, a, 0.4)
    assert len(changed) > 2
    assert strategy.incumbent == first.choices


def test_only_what_is_better_takes_the_incumbents_place() -> None:
    strategy = make(grid(4, 3))
    drawn = strategy.ask(4)
    for architecture, score in zip(drawn, (0.5, 0.4, 0.5, 0.6), strict=True):
        tell(strategy, architecture, score)
        expected = drawn[3] if score == 0.6 else drawn[0]
        assert strategy.incumbent == expected.choices
    strategy.tell([(drawn[1], FAILED)])
    assert strategy.incumbent == drawn[3].choices


def test_the_first_ones_are_random() -> None:
    strategy, groups = make(GNN(), initial=6), groups_of(GNN()).values()
    for number in range(20):
        [a] = strategy.ask(1)
        tell(strategy, a, -number)
        changed = {*np.flatnonzero(np.array(a.choices) != strategy.incumbent).tolist()}
        alike = any(changed <= {*columns} for columns in groups)
        assert number == 0 or alike == (number >= 6)


def test_the_most_uncertain_group_is_chosen() -> None:
    import torch

    strategy = make(GNN(), choose="argmax", tanh_constant=20.0, temperature=1.0)
    [first] = strategy.ask(1)
    tell(strategy, first, 0.5)
    with torch.no_grad():
        for group in strategy.groups[1:]:  # sure of their choice
            group.controller.head.mul_(100)
    assert strategy._choose() == 0


def test_controllers_learn_what_is_better_than_the_incumbent() -> None:
    """Reward the last option everywhere: the late proposals have it more often."""
    strategy = make(grid(4, 6), learning_rate=0.1)
    found = []
    for _ in range(200):
        [a] = strategy.ask(1)
        found.append(sum(a.choices))
        tell(strategy, a, sum(a.choices))
    assert np.mean(found[-40:]) > np.mean(found[:10]) + 2


def test_rewards_may_be_scores() -> None:
    strategy = make(grid(4, 6), learning_rate=0.1, reward="score")
    found = []
    for _ in range(200):
        [a] = strategy.ask(1)
        found.append(sum(a.choices))
        tell(strategy, a, sum(a.choices) / 20)
    assert np.mean(found[-40:]) > np.mean(found[:10]) + 2


def test_settings_are_checked() -> None:
    with pytest.raises(NasError, match=r"strategy\.choose 'most'"):
        AGNNSettings(choose="most")
    with pytest.raises(NasError, match=r"strategy\.reward 'ranks'"):
        AGNNSettings(reward="ranks")
    with pytest.raises(NasError, match=r"batch_size=0"):
        AGNNSettings(batch_size=0)


def test_an_incumbent_that_is_evaluated_again_and_worse_makes_room() -> None:
    strategy = AGNN(Grid(), Objective(), 0)
    best, second = (Architecture("grid", (3, 3, 3, 3, 3, last)) for last in (3, 0))
    strategy.tell([(a, measured(a)) for a in (second, best)])
    assert strategy.incumbent == best.choices
    strategy.tell([(best, Measurement({"accuracy": 1.0}))])
    assert strategy.incumbent == second.choices
    assert strategy.score == 15.0

"""LaNAS: the search in a tree of regions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from grids import Grid, architecture, failed, goes_on_the_same, measured, run

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.strategies.lanas import LaNAS, LaNASSettings


def make(space: Grid | None = None, seed: int = 0, **settings: Any) -> LaNAS:
    return LaNAS(space or Grid(), Objective(), seed, LaNASSettings(**settings))


def test_proposals_are_in_the_selected_region() -> None:
    strategy = make(Grid(10, 4), exploration=0.0, height=3)
    run(strategy, 10)
    leaf = strategy.tree.select(0.0, strategy.rng)[-1]
    encodings = strategy.space.encode(strategy.ask(9))
    assert (strategy.tree.paths(encodings)[:, -1] == leaf).all()


def test_a_region_that_is_hard_to_find_is_left_as_late_as_can_be() -> None:
    strategy = make(Grid(4, 4), draws=300, mutants=0, exploration=0.0, height=6)
    run(strategy, 10)
    path = strategy.tree.select(0.0, strategy.rng)
    everything = strategy.space.sample_choices(np.random.default_rng(0), 3000)
    inside = (strategy.tree.paths(strategy.space.encode_choices(everything)) == path).sum(1)
    strategy.seen.add(everything[inside == 6])
    [proposed] = strategy.ask(1)
    agreed = (strategy.tree.paths(strategy.space.encode([proposed])) == path).sum()
    left = inside[~np.array([k in strategy.seen.keys for k in strategy.space.keys(everything)])]
    assert agreed >= left.max() - 1
    assert agreed > 1


def test_the_tree_is_learned_anew_after_so_many_results() -> None:
    strategy = make(initial=6, refit=4)
    fitted = []
    for _ in range(20):
        run(strategy, 1)
        fitted.append(strategy.fitted)
    assert fitted == [0] * 5 + [6] * 4 + [10] * 4 + [14] * 4 + [18] * 3


def test_results_count_in_the_tree_until_it_is_learned_anew() -> None:
    strategy = make(initial=6, refit=40)
    run(strategy, 6)
    counts = strategy.tree.counts.copy()
    [asked] = strategy.ask(1)
    path = np.unique(strategy.tree.paths(strategy.space.encode([asked])))
    assert (strategy.tree.visits[path] == counts[path] + 1).all()  # at once, for the next to see
    assert (strategy.tree.counts == counts).all()
    strategy.tell([(asked, measured(asked))])
    assert (strategy.tree.counts[path] == counts[path] + 1).all()
    assert strategy.tree.visits.tolist() == strategy.tree.counts.tolist()
    strategy.tell([(asked, measured(asked))])  # again: nothing new
    foreign = next(a for a in strategy.space.sample(strategy.rng, 9) if a != asked)
    strategy.tell([(foreign, measured(foreign))])
    assert strategy.tree.counts[0] == strategy.tree.visits[0] == 8


def test_what_is_known_is_never_on_its_way() -> None:
    """What is proposed again, as nothing new is left, is told again and counts once."""
    strategy = make(Grid(2, 2), initial=2, refit=50)
    run(strategy, 12)
    assert strategy.awaited == set()
    assert strategy.tree.visits[0] == strategy.tree.counts[0] == 4


def test_a_state_of_before_forgets_what_is_known_and_on_its_way() -> None:
    first, second = make(initial=4), make(initial=4)
    known = run(first, 5)[0].choices
    second.load_state_dict(first.state_dict() | {"awaited": [list(known), [0, 1, 2, 3, 3, 3]]})
    assert second.awaited == {(0, 1, 2, 3, 3, 3)} - {known}


def test_a_changed_score_is_heeded() -> None:
    strategy = make(initial=6, refit=4)
    asked = run(strategy, 7)
    sums, counts = strategy.tree.sums.copy(), strategy.tree.counts.copy()
    worst = min(asked, key=lambda a: sum(a.choices))
    strategy.tell([(worst, Measurement({"accuracy": 1000.0}))])
    path = np.unique(strategy.tree.paths(strategy.space.encode([worst])))
    assert (strategy.tree.sums - sums > 0)[path].all()
    assert (strategy.tree.counts == counts).all()
    strategy.tell([(a, Measurement({"accuracy": 0.0})) for a in asked if a != worst])
    run(strategy, 3)  # learned anew
    assert strategy.scale.range == (0.0, 1000.0)


def test_members_of_leaves_are_those_that_walk_there() -> None:
    strategy = make(Grid(8, 4), initial=6, refit=7)
    for n in (4, 2, 1, 5, 3):
        run(strategy, n)
        rows = np.array(list(strategy.scores))
        leaves = strategy.tree.paths(strategy.space.encode_choices(rows))[:, -1]
        for leaf, members in strategy._members.items():
            assert rows[leaves == leaf].tolist() == list(map(list, members))
        assert sum(map(len, strategy._members.values())) == len(rows)


def test_awaited_results_are_visits_of_a_new_tree() -> None:
    strategy = make(initial=6, refit=4)
    run(strategy, 6)
    asked = strategy.ask(7)
    strategy.tell([(a, measured(a)) for a in asked[:4]])
    assert strategy.fitted == 10
    assert strategy.tree.visits[0] == 13
    assert strategy.tree.counts[0] == 10


def test_failures_are_the_worst() -> None:
    strategy = make(Grid(6, 4), initial=20)
    first = strategy.ask(20)
    bad = [a for a in first if a.choices[0] == 3]
    assert 2 < len(bad) < 10
    strategy.tell([(a, failed() if a in bad else measured(a)) for a in first])
    weights = strategy.tree.weights[0]
    assert weights[3] == min(weights[:4])
    assert np.isfinite(strategy.tree.sums).all()
    assert strategy.tree.sums.min() >= 0


def test_failures_alone_leave_it_at_random_search() -> None:
    strategy = make()
    for _ in range(10):
        strategy.tell([(a, failed()) for a in strategy.ask(3)])
    assert not strategy.fitted
    assert len(set(strategy.ask(30))) == 30


def test_all_scores_equal() -> None:
    strategy = make()
    for _ in range(20):
        strategy.tell([(a, Measurement({"accuracy": 0.5})) for a in strategy.ask(2)])
    run(strategy, 10)
    assert strategy.fitted


def test_units_make_no_difference() -> None:
    def found(factor: float) -> list[Any]:
        strategy = make()
        asked = []
        for _ in range(60):
            [a] = strategy.ask(1)
            value = measured(a).metrics["accuracy"]
            strategy.tell([(a, Measurement({"accuracy": factor * value}))])
            asked.append(a)
        return asked

    assert found(1.0) == found(2.0**20)


def test_proposals_get_better_than_random_ones() -> None:
    space = Grid(12, 6)
    for seed in range(2):
        sums = [sum(a.choices) for a in run(make(space, seed), 100)]
        by_chance = [sum(a.choices) for a in space.sample(np.random.default_rng(seed), 500)]
        assert np.mean(sums[-40:]) > np.mean(by_chance) + 1.5 * np.std(by_chance)


def test_minimising() -> None:
    strategy = LaNAS(Grid(), Objective("-accuracy"), 0)
    assert min(sum(a.choices) for a in run(strategy, 100)) <= 1


def test_a_space_is_exhausted_and_it_goes_on() -> None:
    assert len(set(run(make(Grid(2, 2), initial=2, refit=1), 20))) == 4
    assert set(run(make(Grid(1, 1)), 20)) == {architecture(0)}
    assert len(set(run(make(Grid(4, 2, even=True), initial=2), 20))) == 8


@pytest.mark.parametrize("evaluations", [4, 15])
def test_state(evaluations: int) -> None:
    first = make(initial=6, refit=4)
    run(first, evaluations)
    first.ask(3)
    goes_on_the_same(first, make(initial=6, refit=4, seed=9), 15)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial": 1}, "strategy.initial=1: expected at least 2"),
        ({"height": 40}, "strategy.height=40: expected 1 to 12"),
        ({"ridge": 0.0}, "strategy.ridge=0.0: expected above 0"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        LaNASSettings(**settings)

"""LaNAS: the tree of regions, and the search in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from grids import Grid, architecture, failed, goes_on_the_same, measured, run
from sklearn.linear_model import Ridge

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.strategies.lanas import LaNAS, LaNASSettings, RegionTree


def make(space: Grid | None = None, seed: int = 0, **settings: Any) -> LaNAS:
    return LaNAS(space or Grid(), Objective(), seed, LaNASSettings(**settings))


def samples(n: int = 60) -> tuple[Any, Any]:
    """Random features, and scores that are linear in them but for some noise."""
    rng = np.random.default_rng(0)
    encodings = rng.integers(0, 2, (n, 8)).astype(float)
    return encodings, encodings @ np.arange(8.0) + rng.normal(size=n)


# -- the tree -------------------------------------------------------------------------------------


def test_a_node_splits_at_the_mean_prediction_of_ridge_regression() -> None:
    encodings, scores = samples()
    tree = RegionTree(2, 8)
    tree.fit(encodings, scores, 0.7)
    predictions = Ridge(alpha=0.7).fit(encodings, scores).predict(encodings)
    better = predictions > predictions.mean()
    assert tree.paths(encodings)[:, 1].tolist() == np.where(better, 1, 2).tolist()


def test_every_node_learns_from_the_samples_of_its_region() -> None:
    encodings, scores = samples()
    tree = RegionTree(4, 8)
    tree.fit(encodings, scores, 1.0)
    paths = tree.paths(encodings)
    for level in range(3):
        for node in np.unique(paths[:, level]):
            inside = paths[:, level] == node
            predictions = Ridge(alpha=1.0).fit(encodings[inside], scores[inside]).predict(encodings)
            if np.ptp(predictions[inside]) < 1e-9:
                assert (paths[inside, level + 1] == node).all()
                continue
            better = (predictions > predictions[inside].mean())[inside]
            assert (paths[inside, level + 1] == np.where(better, 2 * node + 1, 2 * node + 2)).all()
            assert tree.counts[node] == tree.visits[node] == inside.sum()
            assert tree.sums[node] == pytest.approx(scores[inside].sum())


def test_what_cannot_be_told_apart_stays_whole() -> None:
    tree = RegionTree(3, 2)
    tree.fit(np.ones((4, 2)), np.arange(4.0), 1.0)
    assert not tree.split.any()
    assert tree.paths(np.ones((1, 2))).tolist() == [[0, 0, 0]]
    assert tree.counts[0] == 4
    assert tree.select(0.1, np.random.default_rng(0)).tolist() == [0, 0, 0]


def test_uct() -> None:
    tree = RegionTree(2, 1)
    tree.fit(np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([0.0, 0.2, 0.4, 1.0]), 1.0)
    assert tree._uct(1, 0, 0.5) == pytest.approx(1.0 + 2 * 0.5 * math.sqrt(2 * math.log(4) / 1))
    assert tree._uct(2, 0, 0.5) == pytest.approx(0.2 + 2 * 0.5 * math.sqrt(2 * math.log(4) / 3))


def test_exploration_leads_to_what_was_visited_less() -> None:
    encodings, scores = samples()
    rng = np.random.default_rng(0)
    tree = RegionTree(2, 8)
    tree.fit(encodings, scores / 28, 1.0)
    visits = {}
    for exploration in (0.0, 10.0):
        tree.fit(encodings, scores / 28, 1.0)
        for _ in range(100):
            leaf = tree.select(exploration, rng)[-1]
            tree.visit(encodings[tree.paths(encodings)[:, -1] == leaf][:1])
        visits[exploration] = tree.visits[[1, 2]].tolist()
    assert visits[0.0][1] == tree.counts[2]  # none went there
    assert abs(visits[10.0][0] - visits[10.0][1]) < 10


# -- the search -----------------------------------------------------------------------------------


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

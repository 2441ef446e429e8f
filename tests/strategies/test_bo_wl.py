"""Bayesian optimisation with a Weisfeiler-Lehman kernel."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from scipy.stats import norm

from nas.errors import NasError
from nas.objective import Measurement, Objective, parse_limits
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture, Decision, SearchSpace
from nas.strategies.bo_wl import BOWL, BOWLSettings
from nas.strategies.limit_models import Belief

SPACE = NASBench201()


def made(seed: int = 0, objective: str = "accuracy", **settings: Any) -> BOWL:
    return BOWL(SPACE, Objective(objective), seed, BOWLSettings(**settings))


def worth(architecture: Architecture) -> float:
    values = np.array([0.0, 0.3, 0.6, 1.0, 0.2])
    return float(values[list(architecture.choices)].mean())


def measured(architectures: list[Architecture]) -> list[tuple[Architecture, Measurement]]:
    return [(a, Measurement({"accuracy": worth(a), "loss": -worth(a)})) for a in architectures]


def searched(strategy: BOWL, evaluations: int, at_once: int = 1) -> list[Architecture]:
    asked: list[Architecture] = []
    while len(asked) < evaluations:
        new = strategy.ask(at_once)
        strategy.tell(measured(new))
        asked += new
    return asked


@pytest.mark.parametrize("objective", ["accuracy", "-loss"])
def test_it_finds_what_random_search_does_not(objective: str) -> None:
    found = max(map(worth, searched(made(objective=objective), 40)))
    random = max(map(worth, SPACE.sample(np.random.default_rng(0), 40)))
    assert found > 0.95 > random


def test_equal_networks_are_not_asked_twice() -> None:
    asked = searched(made(initial=5), 12) + searched(made(1, initial=5), 12, at_once=4)
    first, second = asked[:12], asked[12:]
    for part in (first, second):
        assert len({SPACE.canonical(a) for a in part}) == 12


def test_batches_and_what_is_pending_are_all_different() -> None:
    strategy = made(initial=5)
    searched(strategy, 5)
    asked = [*strategy.ask(4), *strategy.ask(1), *strategy.ask(3)]
    features = strategy.model.wl.features(asked)
    assert len({SPACE.canonical(a) for a in asked}) == len(set(features.keys.tolist())) == 8
    assert set(strategy.pending.values()) == set(asked)
    strategy.tell(measured(asked[::-1]))
    assert not strategy.pending


def test_what_is_pending_is_believed() -> None:
    """A candidate's gain is gone once it, or what looks the same, is under evaluation."""
    strategy = made(initial=5)
    searched(strategy, 6)
    strategy.ask(3)
    believer = strategy.model.fantasised(list(strategy.pending.values()))
    _, before = strategy.model.predict(list(strategy.pending.values()))
    _, after = believer.predict(list(strategy.pending.values()))
    assert (after < before).all()


def test_the_first_are_random_also_while_none_is_told() -> None:
    strategy = made(initial=3)
    asked = [a for _ in range(5) for a in strategy.ask(2)]
    assert len(set(asked)) == 10
    assert strategy.model.fitted == 0
    strategy.tell(measured(asked[:3]))
    strategy.ask(1)
    assert strategy.model.fitted == 3


def test_half_of_the_pool_are_mutations_of_the_best() -> None:
    strategy = made(pool=40, parents=2)
    known = SPACE.sample(np.random.default_rng(3), 20)
    scores = np.array([worth(a) for a in known])
    pool = strategy._pool(known, scores)
    best = [known[i] for i in np.argsort(-scores, kind="stable")[:2]]
    near = [any(a in SPACE.neighbors(b) for b in best) for a in pool]
    assert len(set(pool)) == len(pool)
    assert 10 <= sum(near) <= 25
    assert sum(near) < len(pool)


def test_failures_are_not_asked_again() -> None:
    strategy = made(initial=4)
    failed = strategy.ask(6)
    strategy.tell([(a, Measurement(error="RuntimeError: failed")) for a in failed])
    asked = strategy.ask(5)
    assert not set(asked) & set(failed)


def test_results_of_what_was_not_asked_are_learned_from() -> None:
    strategy = made(initial=5)
    others = SPACE.sample(np.random.default_rng(5), 8)
    strategy.tell(measured(others))
    strategy.tell(measured(others[:2]))  # again
    asked = strategy.ask(1)
    assert strategy.model.fitted == len({SPACE.canonical(a) for a in others})
    assert not set(asked) & set(others)


@pytest.mark.parametrize("told", [0, 3, 12, 14])
def test_a_restored_search_goes_on_the_same(told: int) -> None:
    first = made()
    searched(first, told)
    first.ask(2)
    second = made(seed=9)
    second.load_state_dict(first.state_dict())
    assert searched(first, 6) == searched(second, 6)
    assert first.ask(3) == second.ask(3)


class Tiny(SearchSpace):
    """Four architectures, three networks; nothing valid is next to the last one."""

    name = "tiny"
    description = "tiny"
    decisions = (Decision("a", (0, 1)), Decision("b", (0, 1, 2)))

    def constraint(self, architecture: Architecture) -> str | None:
        return None if architecture.choices in ((0, 0), (0, 1), (0, 2)) else "no"

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("x", op=str(architecture.choices), kind="op")
        return graph

    def build(self, architecture: Any, task: Any, **settings: Any) -> Any: ...
    def supernet(self, task: Any, **options: Any) -> Any: ...
    def path(self, architecture: Any) -> Any: ...
    def derive(self, scores: Any) -> Any: ...


class Alone(Tiny):
    """One valid architecture, without neighbours."""

    def constraint(self, architecture: Architecture) -> str | None:
        return None if architecture.choices == (1, 2) else "no"


@pytest.mark.parametrize("space", [Tiny(), Alone()])
def test_a_space_that_is_used_up_is_proposed_again(space: SearchSpace) -> None:
    strategy = BOWL(space, Objective(), 0, BOWLSettings(initial=1, pool=10))
    for n in (1, 2, 4, 1):
        asked = strategy.ask(n)
        assert len(asked) == n
        assert all(space.check(a) is None for a in asked)
        strategy.tell([(a, Measurement({"accuracy": a.choices[1] / 3})) for a in asked])


def test_settings_out_of_range_are_refused() -> None:
    for name, value in {
        "initial": 0,
        "pool": 1,
        "mutated": 1.5,
        "parents": 0,
        "levels": -1,
    }.items():
        with pytest.raises(NasError, match=f"strategy.{name}"):
            BOWLSettings(**{name: value})


# -- limits on what is measured -------------------------------------------------------------------


def latency(architecture: Architecture) -> float:
    return float(np.array([0, 0, 2, 3, 1])[list(architecture.choices)].sum())


def slow(architecture: Architecture, most: float) -> Measurement:
    """A latency, and an accuracy where that is not far too high."""
    known = {"accuracy": worth(architecture)} if latency(architecture) <= most + 3 else {}
    return Measurement({"latency": latency(architecture), **known})


def limited(text: str, told: list[Architecture], seed: int = 0) -> BOWL:
    objective = Objective("accuracy", parse_limits(text))
    strategy = BOWL(SPACE, objective, seed, BOWLSettings(initial=5))
    strategy.tell([(a, slow(a, objective.limits[0].bound)) for a in told])
    return strategy


def test_while_nothing_keeps_a_limit_what_may_keep_it_is_proposed() -> None:
    known = [a for a in SPACE.sample(np.random.default_rng(0), 40) if latency(a) > 5]
    strategy = limited("latency<=2", known)
    asked = strategy.ask(6)
    latencies = [latency(a) for a in known]
    assert max(map(latency, asked)) <= sorted(latencies)[len(latencies) // 4]
    assert strategy.model.fitted == 0  # of no use yet


def test_what_is_expected_to_break_a_limit_is_worth_little() -> None:
    known = SPACE.sample(np.random.default_rng(0), 60)
    free, tight = limited("latency<=99", known), limited("latency<=5", known)
    assert not free.limits
    asked_free, asked_tight = free.ask(8), tight.ask(8)
    broken = [np.mean([latency(a) > 5 for a in some]) for some in (asked_tight, known, asked_free)]
    assert broken[0] <= 0.5 < 0.7 < broken[1] <= broken[2]
    within = [worth(a) for a in known if latency(a) <= 5]
    assert np.mean([worth(a) for a in asked_tight]) > np.mean(within)


def test_improvement_is_multiplied_by_the_chance_that_limits_are_kept() -> None:
    strategy = limited("latency<=5", SPACE.sample(np.random.default_rng(0), 30))
    strategy.ask(1)
    pool = strategy.model.wl.features(SPACE.sample(np.random.default_rng(1), 20))
    best = max(strategy.model.targets)
    belief = Belief(strategy.model, best, strategy.limits)
    [model], [bound] = strategy.limits.models.values(), strategy.limits.bounds.values()
    mean, std = model.predict_features(pool)
    chance = norm.cdf(bound, mean, std)
    mean, std = strategy.model.predict_features(pool)
    z = (mean - best) / std
    improvement = std * (norm.pdf(z) + z * norm.cdf(z))
    assert np.exp(belief.gains(pool)) == pytest.approx(improvement * chance, rel=1e-6, abs=1e-12)

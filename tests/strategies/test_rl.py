"""Reinforcement learning as a strategy: batches, failures, states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_spaces import FAILED, Allowed, grid, router, scored
from torch import Tensor

from nas.errors import NasError
from nas.objective import Measurement, Objective, parse_limits
from nas.search.proposals import MOST_REPEATS, Proposals
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture, SearchSpace
from nas.strategies.controller.settings import ALGORITHMS, RLSettings
from nas.strategies.rl import ReinforcementLearning

SPACE = NASBench201()
over_algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS)


def make(
    space: SearchSpace | None = None, seed: int = 0, objective: str = "accuracy", **settings: Any
) -> ReinforcementLearning:
    made = RLSettings(
        **{
            "hidden": 8,
            "batch_size": 4,
            "learning_rate": 0.05,
            "feasibility_samples": 64,
            **settings,
        }
    )
    return ReinforcementLearning(space or grid(4, 3), Objective(objective), seed, made)


def weights(strategy: ReinforcementLearning) -> Tensor:
    parts = [parameter.detach().flatten() for parameter in strategy.controller.parameters()]
    return torch.cat(parts)


def measured(architecture: Architecture) -> Measurement:
    return scored(float(sum(architecture.choices)))


def run(strategy: ReinforcementLearning, rounds: int, n: int = 4) -> list[Architecture]:
    asked = []
    for _ in range(rounds):
        proposed = strategy.ask(n)
        strategy.tell([(a, measured(a)) for a in proposed])
        asked += proposed
    return asked


@over_algorithms
@pytest.mark.parametrize("space", [grid(4, 3), router(), Allowed()])
def test_it_finds_what_is_rewarded(algorithm: str, space: SearchSpace) -> None:
    asked = run(make(space, algorithm=algorithm), 20)
    assert all(space.check(a) is None for a in asked)
    early, late = (np.mean([sum(a.choices) for a in part]) for part in (asked[:16], asked[-16:]))
    assert late > early + 0.3 * (max(sum(a.choices) for a in asked) - early)


@over_algorithms
def test_minimised_objectives_are_minimised(algorithm: str) -> None:
    """Uniform draws have a mean of 4."""
    asked = run(make(objective="-accuracy", algorithm=algorithm), 25)
    assert np.mean([sum(a.choices) for a in asked[-20:]]) < 3


def test_results_are_learned_from_in_batches() -> None:
    """Told one by one, in any grouping, also of architectures that were not asked for."""
    first, second = make(), make()
    results = [(a, measured(a)) for a in grid(4, 3).sample(first.rng, 10)]
    start = weights(first)
    first.tell(results[:3])
    assert torch.equal(weights(first), start)
    first.tell(results[3:])  # two batches of four
    assert not torch.equal(weights(first), start)
    for result in results:
        second.tell([result])
    assert torch.equal(weights(first), weights(second))


@over_algorithms
def test_failures_alone_teach_nothing(algorithm: str) -> None:
    strategy = make(algorithm=algorithm)
    start = weights(strategy)
    strategy.tell([(a, FAILED) for a in strategy.ask(8)])
    assert torch.equal(weights(strategy), start)


@over_algorithms
def test_failures_and_broken_limits_are_as_bad_as_the_worst(algorithm: str) -> None:
    """A third one fails or breaks a limit: alike, and it gets less likely."""
    choices = [(0, 0), (1, 1), (2, 2)]
    found = {}
    for name, bad in (("fails", FAILED), ("breaks", Measurement({"accuracy": 9.0, "loss": 5.0}))):
        strategy = make(grid(2, 3), algorithm=algorithm, batch_size=3)
        strategy.objective = Objective("accuracy", parse_limits("loss<1"))
        good = [Measurement({"accuracy": score, "loss": 0.0}) for score in (0.5, 0.9)]
        results = [
            (Architecture("small", c), m) for c, m in zip(choices, [*good, bad], strict=True)
        ]
        before = strategy.controller.score(np.array(choices)).log_probs.sum(1)
        for _ in range(5):
            strategy.tell(results)
        change = strategy.controller.score(np.array(choices)).log_probs.sum(1) - before
        assert change[1] > 0 > change[2]
        found[name] = weights(strategy)
    assert torch.equal(found["fails"], found["breaks"])


def test_rejected_samples_are_not_proposed() -> None:
    space = Allowed((1, 1))
    assert {a.choices for a in make(space).ask(50)} == {(1, 1)}


@over_algorithms
@pytest.mark.parametrize("space", [router(), Allowed()])
def test_a_restored_state_goes_on_the_same(algorithm: str, space: SearchSpace) -> None:
    """In the middle of a batch; the state is not changed by what comes after."""
    first = make(space, algorithm=algorithm, minibatches=2)
    run(first, 3, n=3)
    state = first.state_dict()
    continued = run(first, 3, n=3)
    for seed in (3, 4):
        second = make(space, seed, algorithm=algorithm, minibatches=2)
        second.load_state_dict(state)
        assert run(second, 3, n=3) == continued
        assert torch.equal(weights(second), weights(first))


def test_a_space_of_one_architecture_is_enough() -> None:
    assert {a.choices for a in run(make(grid(2, 1)), 4)} == {(0, 0)}


def test_proposals_may_stay_pending() -> None:
    strategy = make()
    pending = [a for _ in range(5) for a in strategy.ask(3)]
    strategy.tell([(a, measured(a)) for a in reversed(pending)])
    assert all(strategy.space.check(a) is None for a in strategy.ask(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "pppo"}, "unknown strategy.algorithm 'pppo'. Did you mean 'ppo'"),
        ({"rejection": "none"}, "unknown strategy.rejection 'none'.*corrected, plain"),
        ({"batch_size": 0}, "strategy.batch_size=0: expected at least 1"),
        ({"learning_rate": 0.0}, "strategy.learning_rate=0.0: expected above 0"),
        ({"entropy_weight": -1.0}, "strategy.entropy_weight=-1.0: expected at least 0"),
        ({"gae_decay": 1.5}, "strategy.gae_decay=1.5: expected 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        RLSettings(**settings)


def test_nothing_is_learned_from_what_is_known() -> None:
    """Else its policy is trained for nothing by every repeat, thousands of times."""
    strategy, twin = (ReinforcementLearning(SPACE, Objective(), 0) for _ in range(2))
    results = [(a, Measurement({"accuracy": 0.1 * i})) for i, a in enumerate(strategy.ask(5))]
    for one in (strategy, twin):
        one.tell(results)
    strategy.remind(results * 100)
    twin.rng.bit_generator.state = strategy.rng.bit_generator.state
    assert strategy.ask(20) == twin.ask(20)


def test_a_search_of_a_converged_policy_spends_its_budget() -> None:
    """It proposes the same few thousands of times, and was once over then."""
    strategy = ReinforcementLearning(SPACE, Objective(), 0, RLSettings(learning_rate=0.3))
    proposals = Proposals(SPACE, strategy)
    for _ in range(200):
        [found] = proposals.ask(1)
        score = float(found.choices[0] == found.choices[1] == 3)
        proposals.tell(found, Measurement({"accuracy": score}))
    assert len(proposals.known) == 200
    assert proposals.made <= 200 * (MOST_REPEATS + 1)


def test_updates_follow_from_evaluations_alone() -> None:
    strategy, updates = ReinforcementLearning(SPACE, Objective(), 0), []
    update = strategy._update
    strategy._update = lambda batch: updates.append(update(batch))  # type: ignore[method-assign]
    proposals = Proposals(SPACE, strategy)
    for _ in range(60):
        [found] = proposals.ask(1)
        proposals.tell(found, Measurement({"accuracy": float(found.choices[0])}))
    assert len(updates) == 6

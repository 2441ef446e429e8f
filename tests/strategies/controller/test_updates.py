"""REINFORCE, A2C and PPO: what one update does, and that A2C is a special case of PPO."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_spaces import Allowed, everything, grid, router
from test_controller_network import make
from torch import Tensor

from nas.space import SearchSpace
from nas.strategies.controller.feasibility import restricted
from nas.strategies.controller.settings import ALGORITHMS, RLSettings
from nas.strategies.controller.updates import UPDATES, Learner

AS_A2C = {"epochs": 1, "minibatches": 1, "gae_decay": 1.0, "normalise_advantages": False}
SPACES = {"grid": grid(4, 3), "conditional": router(), "constrained": Allowed()}


def learner(space: SearchSpace, **settings: Any) -> Learner:
    made = RLSettings(**{"learning_rate": 0.01, "entropy_weight": 0.01, **settings})
    controller = make(space)
    return Learner(
        controller,
        torch.optim.Adam(controller.parameters(), made.learning_rate),
        made,
        np.random.default_rng(0),
        corrected=made.rejection == "corrected" and restricted(space),
    )


def update(of: Learner, rows: Any, rewards: Any) -> None:
    given = torch.as_tensor(rewards, dtype=torch.float64)
    UPDATES[of.settings.algorithm](of, np.asarray(rows, dtype=np.int64), given)


def weights(of: Learner) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in of.controller.parameters()])


def log_probs(of: Learner, rows: Any) -> list[float]:
    walk = of.controller.score(np.asarray(rows, dtype=np.int64))
    found: list[float] = walk.log_probs.sum(1).tolist()
    return found


def batches(space: SearchSpace, count: int, n: int = 8) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(1)
    return [(space.sample_choices(rng, n), rng.normal(size=n)) for _ in range(count)]


def test_there_is_an_update_for_every_algorithm() -> None:
    assert tuple(UPDATES) == ALGORITHMS


@pytest.mark.parametrize("space", SPACES)
def test_a2c_is_ppo_with_one_epoch_and_lambda_1(space: str) -> None:
    """After each of 5 updates the parameters are the same, bit for bit."""
    first = learner(SPACES[space], algorithm="a2c")
    second = learner(SPACES[space], algorithm="ppo", **AS_A2C)
    start = weights(first)
    for rows, rewards in batches(SPACES[space], 5):
        for each in (first, second):
            update(each, rows, rewards)
        assert torch.equal(weights(first), weights(second))
    assert (weights(first) - start).abs().max() > 0.01


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 2}, {"minibatches": 2}, {"gae_decay": 0.5}, {"normalise_advantages": True},
    ],
)  # fmt: skip
def test_any_other_setting_of_ppo_is_not_a2c(change: dict[str, Any]) -> None:
    first = learner(grid(4, 3), algorithm="a2c")
    second = learner(grid(4, 3), algorithm="ppo", **{**AS_A2C, **change})
    for rows, rewards in batches(grid(4, 3), 2):
        for each in (first, second):
            update(each, rows, rewards)
    assert not torch.allclose(weights(first), weights(second), atol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("space", SPACES)
def test_what_is_rewarded_becomes_likelier(algorithm: str, space: str) -> None:
    made = learner(SPACES[space], algorithm=algorithm)
    good, bad = everything(SPACES[space])[[0, -1]]
    before = np.subtract(*log_probs(made, [good, bad]))
    for _ in range(5):
        update(made, [bad, good, good, bad], [-1, 1, 1, -1])
    assert np.subtract(*log_probs(made, [good, bad])) > before + 0.5


def test_the_baseline_of_reinforce_is_a_moving_average() -> None:
    """The first reward is its own baseline, so that it teaches nothing."""
    made = learner(grid(2, 3), baseline_decay=0.5, entropy_weight=0.0)
    start = weights(made)
    update(made, [[0, 0]], [4])
    assert made.baseline == 4
    assert torch.equal(weights(made), start)
    update(made, [[0, 0], [1, 1]], [0, 2])
    assert made.baseline == 2
    assert not torch.equal(weights(made), start)


def test_reinforce_follows_its_formula() -> None:
    """One step of plain gradient descent, against the gradient written out."""
    made, copy = (learner(grid(2, 3), entropy_weight=0.1) for _ in range(2))
    made.optimizer = torch.optim.SGD(made.controller.parameters(), 1.0)
    made.baseline = 0.5
    rows, rewards = np.array([[0, 1], [2, 2]]), np.array([1.0, -1.0])
    walk = copy.controller.score(rows)
    total = rewards + 0.1 * walk.entropies.sum(1).detach().numpy()
    baselines = np.array([0.5, 0.95 * 0.5 + 0.05 * total[0]])
    loss = -(torch.tensor(total - baselines) * walk.log_probs.sum(1)).mean()
    torch.autograd.backward(loss)
    update(made, rows, rewards)
    for after, before in zip(
        made.controller.parameters(), copy.controller.parameters(), strict=True
    ):
        step = before.detach() - after.detach()
        assert torch.allclose(step, torch.zeros(()) if before.grad is None else before.grad)


def test_ppo_stops_where_the_ratio_is_clipped() -> None:
    """Of one action, probability may grow by about the clip; with a wide clip it grows on."""
    growth = {}
    for clip in (0.1, 10.0):
        made = learner(
            grid(1, 2), algorithm="ppo", epochs=60, clip=clip, normalise_advantages=False,
            value_weight=0.0, entropy_weight=0.0, gae_decay=1.0,
        )  # fmt: skip
        made.optimizer = torch.optim.SGD(made.controller.parameters(), 0.001)
        before = log_probs(made, [[1]])[0]
        update(made, [[1]], [5])
        growth[clip] = np.exp(log_probs(made, [[1]])[0] - before)
    assert 1.1 < growth[0.1] < 1.2 < growth[10.0]


@pytest.mark.parametrize("algorithm", ["a2c", "ppo"])
def test_the_value_head_learns_the_reward(algorithm: str) -> None:
    made = learner(grid(2, 2), algorithm=algorithm, learning_rate=0.05)
    rows = everything(grid(2, 2))
    for _ in range(30 // made.settings.epochs if algorithm == "ppo" else 30):
        update(made, rows, np.full(len(rows), 2.0))
    assert made.controller.score(rows).values.detach().numpy() == pytest.approx(2.0, abs=0.4)


@pytest.mark.parametrize("algorithm", ["a2c", "ppo"])
def test_entropy_is_kept_up_by_its_weight(algorithm: str) -> None:
    rows = everything(grid(1, 3))
    entropies = []
    for weight in (0.0, 3.0):
        made = learner(grid(1, 3), algorithm=algorithm, entropy_weight=weight)
        for _ in range(10):
            update(made, rows, [1, -1, -1])
        entropies.append(made.controller.score(rows[:1]).entropies.item())
    assert entropies[0] < entropies[1] - 0.05


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_correction_changes_the_step(algorithm: str) -> None:
    made = [learner(Allowed(), algorithm=algorithm, rejection=r) for r in ("corrected", "plain")]
    for each in made:
        update(each, Allowed.pairs, [1, 0, 0, -1])
    assert not torch.allclose(weights(made[0]), weights(made[1]), atol=1e-4)

"""How a controller learns from rewarded architectures: REINFORCE, A2C, PPO.

Sources: Williams, Machine Learning 8, 1992 (REINFORCE), with the moving baseline and the entropy
in the reward of Pham et al., ENAS, ICML 2018, arXiv:1802.03268; Mnih et al., A3C, ICML 2016,
arXiv:1602.01783 (A2C is its synchronous form); Schulman et al., PPO, arXiv:1707.06347; Huang et
al., A2C is a special case of PPO, arXiv:2205.09123.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.space import Choices
from nas.strategies.controller.advantages import advantages
from nas.strategies.controller.feasibility import FeasibleShare
from nas.strategies.controller.network import Controller
from nas.strategies.controller.settings import RLSettings

__all__ = ["UPDATES", "Learner", "a2c", "ppo", "reinforce"]


@dataclass
class Learner:
    """What an update works with.

    Args:
        controller: The policy.
        optimizer: Over its weights.
        settings: Of the strategy.
        rng: For drawing the samples of P(V) and the minibatches.
        corrected: Whether the policy gradient is corrected for rejected samples.
        baseline: REINFORCE's moving average of the reward; None before the first.
        feasible: The share of samples that were feasible at the last update.
    """

    controller: Controller
    optimizer: torch.optim.Optimizer
    settings: RLSettings
    rng: np.random.Generator
    corrected: bool
    baseline: float | None = None
    feasible: float = 0.0

    def feasible_share(self) -> FeasibleShare | None:
        """Draw what the correction needs; None where there is none."""
        if not self.corrected:
            return None
        by_infeasible = self.feasible > 0.5
        n = self.settings.feasibility_samples
        share = FeasibleShare(self.controller, self.rng, n, by_infeasible)
        self.feasible = share.found
        return share

    def step(self, loss: Tensor) -> None:
        """Follow the gradient of a loss."""
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()


@dataclass
class _Actions:
    """What a policy gradient counts as one action: a decision, or the whole architecture.

    With a correction it is the architecture, of which P(V) is a property: a baseline that differs
    between the decisions of an architecture would bias the corrected gradient.
    """

    log_probs: Tensor
    entropies: Tensor
    values: Tensor
    active: Tensor

    def mean(self, amounts: Tensor) -> Tensor:
        """Sum over an architecture's actions, then average over architectures."""
        return (amounts * self.active).sum(1).mean()


def _actions(learner: Learner, choices: Choices, share: FeasibleShare | None) -> _Actions:
    walk = learner.controller.score(choices)
    if share is None:
        return _Actions(walk.log_probs, walk.entropies, walk.values, walk.active)
    log_probs = walk.log_probs.sum(1, keepdim=True) - share.log_probability(learner.controller)
    entropies = walk.entropies.sum(1, keepdim=True)
    return _Actions(log_probs, entropies, walk.values[:, :1], walk.active[:, :1])


def reinforce(learner: Learner, choices: Choices, rewards: Tensor) -> None:
    """Make one step along (reward - baseline) times the gradient of the log-probability.

    The baseline is a moving average of the rewards before. As in ENAS the entropy of the
    distributions that were drawn from is part of the reward, as a number.

    Args:
        learner: Whose controller is updated.
        choices: Architectures [n, d].
        rewards: [n].
    """
    s = learner.settings
    actions = _actions(learner, choices, learner.feasible_share())
    rewards = rewards + s.entropy_weight * actions.entropies.detach().sum(1)
    surplus = []
    for reward in rewards.tolist():
        baseline = reward if learner.baseline is None else learner.baseline
        surplus.append(reward - baseline)
        learner.baseline = s.baseline_decay * baseline + (1 - s.baseline_decay) * reward
    weights = rewards.new_tensor(surplus)[:, None]
    learner.step(-actions.mean(weights * actions.log_probs))


def _finish(learner: Learner, policy_loss: Tensor, actions: _Actions, targets: Tensor) -> None:
    """Make one step on the loss that A2C and PPO share, given that of the policy."""
    s = learner.settings
    value_loss = actions.mean((actions.values - targets) ** 2)
    entropy = actions.mean(actions.entropies)
    learner.step(policy_loss + s.value_weight * value_loss - s.entropy_weight * entropy)


def a2c(learner: Learner, choices: Choices, rewards: Tensor) -> None:
    """Make one step along (reward - value) times the gradient of the log-probability.

    Args:
        learner: Whose controller is updated.
        choices: Architectures [n, d].
        rewards: [n].
    """
    actions = _actions(learner, choices, learner.feasible_share())
    values = actions.values.detach()
    surplus = advantages(rewards, values, actions.active, decay=1.0)
    _finish(learner, -actions.mean(surplus * actions.log_probs), actions, surplus + values)


def ppo(learner: Learner, choices: Choices, rewards: Tensor) -> None:
    """Make several epochs of steps on the clipped ratio of new to old probabilities.

    Args:
        learner: Whose controller is updated.
        choices: Architectures [n, d].
        rewards: [n].
    """
    s = learner.settings
    share = learner.feasible_share()
    with torch.no_grad():
        old = _actions(learner, choices, share)
    surplus = advantages(rewards, old.values, old.active, s.gae_decay)
    targets = surplus + old.values
    for _ in range(s.epochs):
        for rows in _minibatches(learner, len(choices)):
            actions = _actions(learner, choices[rows], share)
            weights = surplus[rows]
            if s.normalise_advantages:
                weights = _normalised(weights, actions.active)
            ratio = (actions.log_probs - old.log_probs[rows]).exp()
            clipped = ratio.clamp(1 - s.clip, 1 + s.clip)
            gain = torch.minimum(ratio * weights, clipped * weights)
            _finish(learner, -actions.mean(gain), actions, targets[rows])


def _minibatches(learner: Learner, n: int) -> Iterator[Any]:
    """Yield the rows of each minibatch; all of them, in order, where there is one."""
    count = min(learner.settings.minibatches, n)
    order = learner.rng.permutation(n) if count > 1 else np.arange(n)
    yield from np.array_split(order, count)


def _normalised(weights: Tensor, active: Tensor) -> Tensor:
    """Return advantages with mean 0 and deviation 1 over what is active."""
    found = weights[active]
    return (weights - found.mean()) / (found.std(correction=0) + 1e-8)


UPDATES: dict[str, Callable[[Learner, Choices, Tensor], None]] = {
    "reinforce": reinforce,
    "a2c": a2c,
    "ppo": ppo,
}
"""Algorithm -> its update."""

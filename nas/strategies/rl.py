"""Reinforcement learning: an LSTM controller draws architectures and learns from their scores.

With the supernet evaluator trained on what is proposed this is ENAS.

Sources: Zoph & Le, Neural Architecture Search with Reinforcement Learning, ICLR 2017,
arXiv:1611.01578; Pham et al., ENAS, ICML 2018, arXiv:1802.03268; Yang et al., TabNAS, NeurIPS
2022, arXiv:2204.07615 (rejection of what is infeasible).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch

from nas import registry
from nas.objective import Measurement, Objective
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.budgets import under_limits
from nas.strategies.controller.feasibility import restricted
from nas.strategies.controller.network import Controller
from nas.strategies.controller.rewards import RewardScale
from nas.strategies.controller.settings import RLSettings
from nas.strategies.controller.updates import UPDATES, Learner
from nas.strategies.rejection import draw_feasible
from nas.strategies.strategy import Strategy

__all__ = ["RLSettings", "ReinforcementLearning"]


@registry.register(
    "strategies",
    "rl",
    "an LSTM controller trained by REINFORCE, A2C or PPO; with a supernet: ENAS",
    "Pham et al., Efficient Neural Architecture Search (ENAS), ICML 2018, arXiv:1802.03268",
    differs="The reward is the rank among the results and the learning rate 0.03, for some hundred "
    "evaluations; `reward=score learning_rate=3.5e-4` is ENAS's.",
)
class ReinforcementLearning(Strategy):
    """A controller that is updated whenever a batch of results is there.

    Proposals are samples of the present policy, so that some come again as it gets sure. Where they
    are evaluated again, as on a supernet that is trained on them, each is a result to learn from,
    as in ENAS; where their measurement is only remembered, nothing is learned from it again.

    Log-probabilities are computed at the update: results may come late, in any order, and of
    architectures that were not asked for. Rewards are ranks (see `RewardScale`) unless scores are
    asked for; while there is nothing but failures, nothing is learned.
    """

    Settings = RLSettings
    argument = "algorithm"
    settings: RLSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings or RLSettings())
        s = self.settings
        start = int(self.rng.integers(2**63))
        self.controller = Controller(space, s.hidden, s.temperature, s.tanh_constant, start)
        self.learner = Learner(
            self.controller,
            torch.optim.Adam(self.controller.parameters(), s.learning_rate),
            s,
            self.rng,
            corrected=s.rejection == "corrected" and restricted(space),
        )
        self.scale = RewardScale(s.reward)
        self._waiting: list[tuple[tuple[int, ...], float]] = []  # choices and score

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        """Return smaller batches for few evaluations, so that there are ten updates or so."""
        return {"batch_size": min(RLSettings().batch_size, max(2, evaluations // 10))}

    @classmethod
    def initial_evaluations(cls, settings: RLSettings) -> int:
        return settings.batch_size

    def ask(self, n: int) -> list[Architecture]:
        rows = draw_feasible(self.space, self.rng, n, self._draw)
        return self.space.from_array(rows)

    def _draw(self, n: int) -> Choices:
        rows: Choices = self.controller.sample(self.rng, n).choices.numpy()
        return rows

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        size = self._batch()
        self._waiting += [(a.choices, self.objective.score(m)) for a, m in results]
        while len(self._waiting) >= size:
            self._update(self._waiting[:size])
            del self._waiting[:size]

    def _batch(self) -> int:
        """Return how many results there are to an update; fewer where most break the limits."""
        most = self.settings.batch_size
        return under_limits(most, self.scale.scores) if self.objective.limits else most

    def remind(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        """Learn nothing: an update is for what was paid for by an evaluation."""
        del results

    def _update(self, batch: Sequence[tuple[tuple[int, ...], float]]) -> None:
        scores = [score for _, score in batch]
        self.scale.add(scores)
        if not self.scale.known():
            return
        architectures = [Architecture(self.space.name, choices) for choices, _ in batch]
        rewards = self.scale.rewards(scores, self.controller.head.dtype)
        UPDATES[self.settings.algorithm](self.learner, self.space.to_array(architectures), rewards)

    def state_dict(self) -> dict[str, Any]:
        learned = {
            "controller": self.controller.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(),
        }
        return (
            super().state_dict()
            | deepcopy(learned)
            | {
                "baseline": self.learner.baseline,
                "feasible": self.learner.feasible,
                "scores": list(self.scale.scores),
                "waiting": [(list(choices), score) for choices, score in self._waiting],
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.controller.load_state_dict(state["controller"])
        self.learner.optimizer.load_state_dict(deepcopy(state["optimizer"]))
        self.learner.baseline, self.learner.feasible = state["baseline"], state["feasible"]
        self.scale.scores = list(state["scores"])
        self._waiting = [(tuple(choices), score) for choices, score in state["waiting"]]

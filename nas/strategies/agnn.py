"""Conservative search: one group of the best architecture's decisions is re-sampled at a time.

Source: Zhou et al., Auto-GNN: Neural Architecture Search of Graph Neural Networks (AGNN),
arXiv:1909.03184, sec. 4.2; AutoGL's code (agnn_rl.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nas import registry
from nas.errors import unknown
from nas.objective import Measurement, Objective
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.budgets import share_of_budget, under_limits
from nas.strategies.controller.groups import GroupController, groups_of
from nas.strategies.controller.rewards import RewardScale
from nas.strategies.controller.settings import REWARDS
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy

__all__ = ["AGNN", "AGNNSettings"]

_BY = ("softmax", "argmax")
_DRAWS = 16  # of a group at once, of which the first new one is proposed
_TRIES = 8  # groups, before something random is proposed

Row = tuple[int, ...]


@dataclass
class AGNNSettings:
    """Settings; AGNN's but for the learning rate, which is that of `rl`, and the start."""

    choose: str = setting("softmax", "the group, by the entropy of its controller: softmax, argmax")
    initial: int = setting(20, "random architectures before there is an incumbent (AGNN: 1)")
    learning_rate: float = setting(0.01, "of Adam (AGNN: 3.5e-4, for thousands of evaluations)")
    batch_size: int = setting(5, "results of a group to an update of its controller")
    reward: str = setting("rank", "what is learned from: rank among all results, or score (AGNN)")
    hidden: int = setting(100, "width of the LSTM and its embeddings")
    temperature: float = setting(5.0, "divides the logits")
    tanh_constant: float = setting(2.5, "bounds the logits, by a tanh")
    entropy_weight: float = setting(1e-4, "of the entropy, in units of the reward a nat")
    baseline_decay: float = setting(0.95, "of the moving average of the reward")

    def __post_init__(self) -> None:
        if self.choose not in _BY:
            raise unknown("strategy.choose", self.choose, _BY)
        if self.reward not in REWARDS:
            raise unknown("strategy.reward", self.reward, REWARDS)
        above = ("learning_rate", "temperature", "tanh_constant")
        ranges = {name: (0 < getattr(self, name) < math.inf, "above 0") for name in above}
        ranges |= {
            n: (getattr(self, n) >= 1, "at least 1") for n in ("initial", "batch_size", "hidden")
        }
        ranges["entropy_weight"] = (0 <= self.entropy_weight < math.inf, "at least 0")
        ranges["baseline_decay"] = (0 <= self.baseline_decay <= 1, "0 to 1")
        require_ranges(self, "strategy", ranges)


@registry.register(
    "strategies",
    "agnn",
    "re-samples one group of the best architecture's decisions, such as all attentions, at a time",
    "Zhou et al., Auto-GNN: Neural Architecture Search of Graph Neural Networks, arXiv:1909.03184",
    differs="The reward is the rank among the results, 20 random architectures come first and the "
    "learning rate is 0.01: `reward=score initial=1 learning_rate=3.5e-4` is the original. "
    "Weights are shared only with the evaluator `weight-inheritance`.",
)
class AGNN(Strategy):
    """One LSTM controller a group, each of which sees the other decisions of the incumbent.

    The group is drawn by the entropies of the controllers' distributions: where they are unsure,
    there is most to learn. Only what is better than the incumbent takes its place. A controller is
    updated by REINFORCE with a moving average of rewards as baseline, which starts at the reward of
    the incumbent. Groups are those of `groups_of`.
    """

    Settings = AGNNSettings
    settings: AGNNSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings or AGNNSettings())
        s = self.settings
        self.groups = [
            _Group(
                GroupController(
                    space, columns, s.hidden, s.temperature, s.tanh_constant,
                    int(self.rng.integers(2**63)),
                ),
                s,
            )
            for columns in groups_of(space).values()
        ]  # fmt: skip
        self.seen = Seen(space)
        self.scale = RewardScale(s.reward)
        self.scores: dict[Row, float] = {}  # of what was told, the latest
        self.incumbent: Row | None = None
        self.score = -math.inf
        self._asked: dict[Row, int] = {}  # proposal -> its group

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return {"initial": share_of_budget(evaluations, 5, 20)}

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.initial)

    # -- proposals ----------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        return self.space.from_array(np.array([self._propose() for _ in range(n)], dtype=np.int64))

    def _propose(self) -> Choices:
        row: Choices | None = None
        begun = self.incumbent is not None and len(self.scale.scores) >= self._initial()
        for _ in range(_TRIES if begun and self.groups else 0):
            number = self._choose()
            base = np.array(self.incumbent, dtype=np.int64)
            rows = self.groups[number].controller.resample(self.rng, base, _DRAWS)
            rows = self.seen.new(rows[self.space.valid(rows)])
            if len(rows):
                row = rows[0]
                self._asked[tuple(row.tolist())] = number
                break
        if row is None:
            row = self.seen.sample(self.rng, 1)[0]
        self.seen.add(row[None])
        return row

    def _initial(self) -> int:
        """Return how many are random at first; fewer where most break the limits."""
        most = self.settings.initial
        return under_limits(most, self.scale.scores) if self.objective.limits else most

    def _choose(self) -> int:
        """Choose a group, of those with active decisions, by its controller's entropy."""
        row = np.array([self.incumbent], dtype=np.int64)
        active = self.space.active(row)[0]
        numbers = [n for n, g in enumerate(self.groups) if active[g.controller.columns].any()]
        with torch.no_grad():
            judged = [self.groups[n].controller.judge(row)[1] for n in numbers]
        entropies = np.array([float(entropy) for entropy in judged])
        if self.settings.choose == "argmax":
            return numbers[int(entropies.argmax())]
        shares = np.exp(entropies - entropies.max())
        return numbers[int(self.rng.choice(len(shares), p=shares / shares.sum()))]

    # -- learning -----------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            row, score = architecture.choices, self.objective.score(measurement)
            self.seen.add(np.array([row], dtype=np.int64))
            self.scale.add([score])
            number = self._asked.pop(row, None)
            if number is not None and self.scale.known():
                worth, incumbent = self.scale.rewards([score, self.score], torch.float64).tolist()
                self.groups[number].learn(row, worth, incumbent)
            self.scores[row] = score
            if score > self.score:
                self.incumbent, self.score = row, score
            elif row == self.incumbent and score < self.score:  # evaluated again, and worse
                self.incumbent = max(self.scores, key=self.scores.__getitem__)
                self.score = self.scores[self.incumbent]

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "groups": [group.state_dict() for group in self.groups],
            "seen": self.seen.state_dict(),
            "scores": list(self.scale.scores),
            "told": [[list(row), score] for row, score in self.scores.items()],
            "incumbent": None if self.incumbent is None else list(self.incumbent),
            "score": self.score,
            "asked": [(list(row), number) for row, number in self._asked.items()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        for group, saved in zip(self.groups, state["groups"], strict=True):
            group.load_state_dict(saved)
        self.seen.load_state_dict(state["seen"])
        self.scale.scores = list(state["scores"])
        self.incumbent = None if state["incumbent"] is None else tuple(state["incumbent"])
        self.score = state["score"]
        self.scores = {tuple(row): score for row, score in state.get("told", [])}
        if self.incumbent is not None:
            self.scores.setdefault(self.incumbent, self.score)
        self._asked = {tuple(row): number for row, number in state["asked"]}


class _Group:
    """The controller of a group, and what it learns from.

    Args:
        controller: Of the group.
        settings: Of the strategy.
    """

    def __init__(self, controller: GroupController, settings: AGNNSettings) -> None:
        self.controller, self.settings = controller, settings
        self.optimizer = torch.optim.Adam(controller.parameters(), settings.learning_rate)
        self.baseline: float | None = None
        self.waiting: list[tuple[Row, float]] = []  # proposals and what they were worth

    def learn(self, row: Row, worth: float, incumbent: float) -> None:
        """Take in the reward of a proposal, and that of the incumbent at its time."""
        before = incumbent if self.baseline is None else self.baseline
        decay = self.settings.baseline_decay
        self.baseline = decay * before + (1 - decay) * worth
        self.waiting.append((row, worth - before))
        if len(self.waiting) >= self.settings.batch_size:
            self._update()

    def _update(self) -> None:
        rows = np.array([row for row, _ in self.waiting], dtype=np.int64)
        worth = torch.tensor([surplus for _, surplus in self.waiting])
        self.waiting = []
        log_probs, entropies = self.controller.judge(rows)
        worth = worth.to(log_probs) + self.settings.entropy_weight * entropies.detach()
        self.optimizer.zero_grad()
        torch.autograd.backward(-(worth * log_probs).mean())
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        learned = {
            "controller": self.controller.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        waiting = [(list(row), surplus) for row, surplus in self.waiting]
        return deepcopy(learned) | {"baseline": self.baseline, "waiting": waiting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.controller.load_state_dict(state["controller"])
        self.optimizer.load_state_dict(deepcopy(state["optimizer"]))
        self.baseline = state["baseline"]
        self.waiting = [(tuple(row), surplus) for row, surplus in state["waiting"]]

"""Settings of `rl`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas.errors import unknown
from nas.settings import require_ranges, setting

__all__ = ["ALGORITHMS", "REWARDS", "RLSettings"]

ALGORITHMS = ("reinforce", "a2c", "ppo")
REWARDS = ("rank", "score")
_REJECTIONS = ("corrected", "plain")


@dataclass
class RLSettings:
    """Settings of the controller and of its updates.

    The controller's are ENAS's. ENAS's learning rate (3.5e-4, GraphNAS's too) is for thousands of
    architectures. Learning rate and batch size here were chosen for 150, by REINFORCE on Cora and
    arXiv of NAS-Bench-Graph, among 0.003 to 0.06 and batches of 5 and 10; from 0.03 on the
    differences are within the noise. A2C and PPO take the same; few of theirs were tried.
    """

    algorithm: str = setting("reinforce", "reinforce, a2c or ppo")
    reward: str = setting("rank", "what is learned from: rank among all results, or score (ENAS)")
    learning_rate: float = setting(0.03, "of Adam (ENAS: 3.5e-4, for thousands of evaluations)")
    batch_size: int = setting(10, "architectures an update")
    hidden: int = setting(100, "width of the LSTM and its embeddings")
    temperature: float = setting(5.0, "divides the logits")
    tanh_constant: float = setting(2.5, "bounds the logits, by a tanh")
    entropy_weight: float = setting(1e-4, "of the entropy, in deviations of the reward a nat")
    baseline_decay: float = setting(0.95, "reinforce: of the moving average of the reward")
    value_weight: float = setting(0.5, "a2c, ppo: of the value head's squared error")
    epochs: int = setting(4, "ppo: passes over a batch")
    minibatches: int = setting(1, "ppo: parts of a batch")
    clip: float = setting(0.2, "ppo: how far the ratio of probabilities may be from 1")
    gae_decay: float = setting(0.95, "ppo: lambda of the generalised advantages")
    normalise_advantages: bool = setting(True, "ppo: advantages of a minibatch to deviation 1")
    rejection: str = setting(
        "corrected", "gradient of a constrained space: corrected for rejections (TabNAS), or plain"
    )
    feasibility_samples: int = setting(128, "of the probability that a proposal is feasible")

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise unknown("strategy.algorithm", self.algorithm, ALGORITHMS)
        if self.rejection not in _REJECTIONS:
            raise unknown("strategy.rejection", self.rejection, _REJECTIONS)
        if self.reward not in REWARDS:
            raise unknown("strategy.reward", self.reward, REWARDS)
        counts = ("batch_size", "hidden", "epochs", "minibatches", "feasibility_samples")
        above = ("learning_rate", "temperature", "tanh_constant", "clip")
        weights = ("entropy_weight", "value_weight")
        shares = ("baseline_decay", "gae_decay")
        ranges = {name: (getattr(self, name) >= 1, "at least 1") for name in counts}
        ranges |= {name: (0 < getattr(self, name) < math.inf, "above 0") for name in above}
        ranges |= {name: (0 <= getattr(self, name) < math.inf, "at least 0") for name in weights}
        ranges |= {name: (0 <= getattr(self, name) <= 1, "0 to 1") for name in shares}
        require_ranges(self, "strategy", ranges)

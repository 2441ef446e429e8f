"""MANAS: one agent a decision, with credit by Exp3 or by least squares.

Source: Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, arXiv:1909.01051.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, SearchSpace
from nas.strategies.bandits.pulls import Pulls
from nas.strategies.bandits.settings import MANASSettings
from nas.strategies.rejection import draw_feasible

__all__ = ["Manas"]

_RIDGE = 1e-6  # small: what it gives is the fit of smallest norm


class Manas:
    """Agents that draw their options independently and share one loss.

    Each agent's distribution is softmax(-eta * B) with a share of the uniform one, where B sums
    what each option is estimated to add to the loss. Credit `exp3` adds loss / pi to the option
    that was drawn; `lsq` adds the coefficients of the least-squares fit of all losses so far on
    stacked one-hot choices. The loss is 1 - reward (see `Pulls`). Agents of inactive decisions
    get no credit; combinations that are not feasible are drawn again.

    Args:
        space: Whose decisions have an agent each.
        settings: Of the strategy.
        rng: Shared with the strategy.
    """

    def __init__(
        self, space: SearchSpace, settings: MANASSettings, rng: np.random.Generator
    ) -> None:
        self.space, self.settings, self.rng = space, settings, rng
        self.pulls = Pulls(space, settings.reward)
        self.estimates: NDArray[np.float64] = np.zeros(self.pulls.starts[-1])  # B
        self._gram = np.zeros((len(self.estimates), len(self.estimates)))

    # -- proposing ----------------------------------------------------------------------------

    def probabilities(self) -> list[NDArray[np.float64]]:
        """Return each agent's distribution over its options."""
        mixing = self.settings.mixing
        parts = np.split(-self.settings.eta * self.estimates, self.pulls.starts[1:-1])
        weights = [np.exp(part - part.max()) for part in parts]
        return [(1 - mixing) * w / w.sum() + mixing / len(w) for w in weights]

    def ask(self, n: int) -> Choices:
        """Draw n architectures [n, d]."""
        agents = self.probabilities()

        def draw(size: int) -> Choices:
            columns = [self.rng.choice(len(pi), size, p=pi / pi.sum()) for pi in agents]
            rows = np.stack(columns, 1).astype(np.int64)
            rows[~self.space.active(rows)] = 0
            return rows

        return draw_feasible(self.space, self.rng, n, draw)

    # -- learning -----------------------------------------------------------------------------

    def tell(self, choices: tuple[int, ...], score: float) -> None:
        """Learn from one result."""
        self.pulls.add(choices, score)
        arms = self.pulls.arms(np.array([choices], dtype=np.int64))[0]
        if self.settings.credit == "exp3":
            loss = 1 - self.pulls.reward(score)
            self.estimates[arms] += loss / np.concatenate(self.probabilities())[arms]
        else:
            self._gram[np.ix_(arms, arms)] += 1
            self.estimates = self.estimates + self._coefficients()

    def _coefficients(self) -> NDArray[np.float64]:
        """Return what each option adds to the loss, by least squares over all results."""
        losses = self.pulls.counts - self.pulls.sums()
        fitted = np.linalg.solve(self._gram + _RIDGE * np.eye(len(losses)), losses)
        return np.asarray(fitted, dtype=np.float64)

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"pulls": self.pulls.state_dict(), "estimates": self.estimates.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.pulls.load_state_dict(state["pulls"])
        self.estimates = np.array(state["estimates"], dtype=np.float64)
        rows = np.array(self.pulls.rows, dtype=np.int64).reshape(-1, len(self.space.decisions))
        pulled = self.space.encode_choices(rows)
        self._gram = np.asarray(pulled.T @ pulled, dtype=np.float64)

"""An autoregressive LSTM over the decisions of a space: the policy of `rl`.

Sources: Zoph & Le, Neural Architecture Search with Reinforcement Learning, ICLR 2017,
arXiv:1611.01578, sec. 3.1; Pham et al., ENAS, ICML 2018, arXiv:1802.03268, sec. 2 (temperature
and tanh constant: Bello et al., arXiv:1611.09940).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nas.space import Choices, SearchSpace

__all__ = ["Controller", "Drawing", "Following", "Walk"]

_INIT = 0.1  # weights start uniformly within this, as in ENAS


@dataclass
class Walk:
    """What the controller did, or would have done, for n architectures of d decisions.

    Args:
        choices: [n, d], int64; 0 where a decision is inactive.
        active: Whether a decision matters, [n, d].
        log_probs: Of each choice given the ones before, [n, d]; 0 where inactive.
        entropies: Of each decision's distribution in nats, [n, d]; 0 where inactive.
        values: What reward the value head expects before each decision, [n, d].
    """

    choices: Tensor
    active: Tensor
    log_probs: Tensor
    entropies: Tensor
    values: Tensor


class Controller(nn.Module):
    """One LSTM cell that makes a space's decisions in order.

    Its input is the embedding of the last choice plus that of the decision to make, its output
    goes through one softmax a decision: logits are `tanh_constant * tanh(l / temperature)`. An
    inactive decision is passed over: it takes its first option and leaves the state as it is.

    Args:
        space: What to choose from.
        hidden: Width of the LSTM and of the embeddings.
        temperature: Divides the logits.
        tanh_constant: Bounds the logits, so that every option keeps some probability.
        seed: Of the initial weights.
    """

    def __init__(
        self, space: SearchSpace, hidden: int, temperature: float, tanh_constant: float, seed: int
    ) -> None:
        super().__init__()
        self.space, self.temperature, self.tanh_constant = space, temperature, tanh_constant
        counts = space.cardinalities
        self.starts = [sum(counts[:column]) for column in range(len(counts) + 1)]
        self.option = nn.Parameter(torch.empty(self.starts[-1] + 1, hidden))  # last: none yet
        self.decision = nn.Parameter(torch.empty(len(counts), hidden))
        self.cell = nn.LSTMCell(hidden, hidden, bias=False)
        self.head = nn.Parameter(torch.empty(self.starts[-1], hidden))
        self.value = nn.Linear(hidden, 1)
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_INIT, _INIT, generator=generator)

    @torch.no_grad()
    def sample(self, rng: np.random.Generator, n: int) -> Walk:
        """Draw n architectures; whether they are feasible is not asked."""
        draws = torch.from_numpy(rng.random((n, len(self.starts) - 1)))
        return self._walk(Drawing(self.space, draws))

    def score(self, choices: Choices) -> Walk:
        """Return what the present weights say of given architectures [n, d], with gradients."""
        return self._walk(Following(self.space, choices))

    def _walk(self, guide: Drawing | Following) -> Walk:
        n, d = guide.choices.shape
        state = self.head.new_zeros(n, self.head.shape[1])
        memory = torch.zeros_like(state)
        last = torch.full((n,), self.starts[-1])
        steps = []
        for column in range(d):
            moved = self.cell(self.option[last] + self.decision[column], (state, memory))
            log_probs = self._log_probs(moved[0], column)
            choice, active = guide.choose(column, log_probs)
            chosen = log_probs.gather(1, choice[:, None])[:, 0]
            entropy = -(log_probs.exp() * log_probs).sum(1)
            step = torch.stack([chosen, entropy, self.value(moved[0])[:, 0]])
            here = choice + self.starts[column]
            if active is not None:
                step = step * active
                moved = [
                    torch.where(active[:, None], *pair)
                    for pair in zip(moved, (state, memory), strict=True)
                ]
                here = torch.where(active, here, last)
            (state, memory), last = moved, here
            steps.append(step)
        log_probs, entropies, values = torch.stack(steps, 2)
        return Walk(guide.choices, guide.active, log_probs, entropies, values)

    def _log_probs(self, state: Tensor, column: int) -> Tensor:
        """Return the log-probabilities of a decision's options, [n, options]."""
        logits = state @ self.head[self.starts[column] : self.starts[column + 1]].T
        return F.log_softmax(self.tanh_constant * torch.tanh(logits / self.temperature), 1)


class Following:
    """Takes given choices."""

    def __init__(self, space: SearchSpace, choices: Choices) -> None:
        self.choices = torch.from_numpy(np.ascontiguousarray(choices))
        self.active = torch.from_numpy(space.active(choices))
        self._conditional = [bool(decision.when) for decision in space.decisions]

    def choose(self, column: int, log_probs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return choices [n], and which are active [n]; None where all are."""
        del log_probs
        active = self.active[:, column] if self._conditional[column] else None
        return self.choices[:, column], active


class Drawing:
    """Draws from the controller's distributions, by numbers that are uniform in [0, 1)."""

    def __init__(self, space: SearchSpace, draws: Tensor) -> None:
        self.space, self.draws = space, draws
        self.choices = torch.zeros(draws.shape, dtype=torch.int64)
        self.active = torch.ones(draws.shape, dtype=torch.bool)

    def choose(self, column: int, log_probs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return choices [n], and which are active [n]; None where all are."""
        cumulative = log_probs.double().exp().cumsum(1)
        passed = cumulative[:, :-1] <= self.draws[:, column, None] * cumulative[:, -1:]
        choice, active = passed.sum(1), None
        if self.space.decisions[column].when:
            # What is active depends on earlier decisions only, which are made.
            rows: NDArray[Any] = self.choices.numpy()
            active = torch.from_numpy(self.space.active(rows)[:, column].copy())
            choice = torch.where(active, choice, 0)
            self.active[:, column] = active
        self.choices[:, column] = choice
        return choice, active

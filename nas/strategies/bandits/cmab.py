"""CMAB-NAS: nested Monte-Carlo search whose playouts sample a combinatorial bandit.

Sources: Huang et al., Neural Architecture Search via Combinatorial Multi-Armed Bandit, IJCNN 2021,
arXiv:2101.00336; Cazenave, Nested Monte-Carlo Search, IJCAI 2009 (levels, memory of the best
sequence); Ontanon, The Combinatorial Multi-Armed Bandit Problem, AIIDE 2013 (naive sampling).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, SearchSpace
from nas.strategies.bandits.macro_arms import MacroArms
from nas.strategies.bandits.pulls import Pulls
from nas.strategies.bandits.settings import CMABSettings

__all__ = ["Cmab"]

_PATIENCE = 100  # proposals, after which results that did not come are waited for no more
_ATTEMPTS = ((1, 0.0), (8, 0.3), (8, 0.6), (64, 1.0))
"""Playouts drawn at once until one is new and feasible, and the least share of uniform pulls."""


@dataclass
class _Frame:
    """One level of the nested search, at one decision.

    Args:
        level: 1 plays its options out; a higher one searches each at the level below.
        prefix: The options it has settled on.
        options: Those of the next decision that are still to try.
        asked: Keys of the playouts made at this decision.
        waited: Proposals made since all options were tried.
    """

    level: int
    prefix: list[int]
    options: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    waited: int = 0


class Cmab:
    """A search over partial assignments, one decision after the other.

    At level 1 every option of the next decision is played out: the decisions after it are filled
    in by naive sampling, the architecture is measured. Then the option of the best architecture
    known that starts with what was settled is kept, and the next decision follows. Level n runs a
    whole search of level n - 1 for every option instead. At the end it starts anew, with all that
    the bandits have learned.

    Naive sampling: a share `explore` of playouts asks the local bandits, one a decision, which
    estimate the mean reward of each option; the others take the best arm of the global bandit (an
    architecture seen) that starts like this. As that was measured, nothing is proposed for it:
    its score stands for the option.

    While results of a decision are still to come, proposals go on from what is settled.

    Args:
        space: Whose decisions have a bandit each.
        settings: Of the strategy.
        rng: Shared with the strategy.
    """

    def __init__(
        self, space: SearchSpace, settings: CMABSettings, rng: np.random.Generator
    ) -> None:
        self.space, self.settings, self.rng = space, settings, rng
        self.pulls, self.macro_arms = Pulls(space, settings.reward), MacroArms(space)
        self._stack: list[_Frame] = []

    def tell(self, choices: tuple[int, ...], score: float) -> None:
        """Learn from one result."""
        self.pulls.add(choices, score)
        self.macro_arms.add(choices, score)

    def ask(self, n: int) -> Choices:
        """Return n playouts [n, d]."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, dtype=np.int64).reshape(n, len(self.space.decisions))

    # -- nested search ------------------------------------------------------------------------

    def _propose(self) -> NDArray[np.int64]:
        """Go on with the nested search until it needs a measurement; return of what."""
        for _ in range(4 * int(self.pulls.starts[-1])):  # some descents of level 1
            if not self._stack:
                self._open(self.settings.level, [])
            frame = self._stack[-1]
            row = None
            if frame.options:
                row = self._try_option(frame)
            elif self._waits(frame):
                row = self._playout(frame.prefix)
            else:
                self._settle(frame)
            if row is not None:
                return row
        self._stack.clear()  # all that the bandits lead to is known
        found: NDArray[np.int64] = self.space.sample_choices(self.rng, 1)[0]
        return found

    def _open(self, level: int, prefix: list[int]) -> None:
        """Begin a search of a level from a partial assignment."""
        frame = _Frame(level, prefix)
        self._stack.append(frame)
        self._prepare(frame)

    def _prepare(self, frame: _Frame) -> None:
        """Settle what there is no choice about, then list the options of the next decision."""
        counts = self.space.cardinalities
        row = np.zeros((1, len(counts)), dtype=np.int64)
        while len(frame.prefix) < len(counts):
            row[0, : len(frame.prefix)] = frame.prefix
            column = len(frame.prefix)
            if counts[column] > 1 and self.space.active(row)[0, column]:
                frame.options = self.rng.permutation(counts[column]).tolist()
                break
            frame.prefix.append(0)
        frame.asked, frame.waited = [], 0

    def _try_option(self, frame: _Frame) -> NDArray[np.int64] | None:
        """Play one option out, or search it at the level below; None if nothing is to measure."""
        prefix = [*frame.prefix, frame.options.pop()]
        if frame.level > 1:
            self._open(frame.level - 1, prefix)
            return None
        exploits = self.rng.random() >= self.settings.explore
        if exploits and self.macro_arms.best(prefix) is not None:
            return None
        row = self._playout(prefix)
        if row is None:
            return None
        [key] = self.macro_arms.keys(row[None])
        if not self.macro_arms.known(key):
            frame.asked.append(key)
            return row
        choices = tuple(row.tolist())
        if choices not in self.macro_arms:  # known under another name: counts for this option
            self.tell(choices, self.macro_arms.mean(key))
        return None

    def _waits(self, frame: _Frame) -> bool:
        """Tell whether results of this decision are still to come."""
        frame.waited += 1
        missing = any(not self.macro_arms.known(key) for key in frame.asked)
        return missing and frame.waited <= _PATIENCE

    def _settle(self, frame: _Frame) -> None:
        """Keep the next option of the best architecture known, or end this search."""
        best = self.macro_arms.best(frame.prefix)
        if best is None or len(frame.prefix) == len(best):
            self._stack.pop()
            return
        frame.prefix.append(int(best[len(frame.prefix)]))
        self._prepare(frame)

    # -- naive sampling -----------------------------------------------------------------------

    def _playout(self, prefix: list[int]) -> NDArray[np.int64] | None:
        """Fill in what follows by local bandits, with more and more chance until it is new.

        Returns:
            [d]; a known one if no new one is found, None if no feasible one is.
        """
        fallback: NDArray[np.int64] | None = None
        strengths = self._strengths()
        drawn = 0
        for size, uniform in _ATTEMPTS:
            if drawn >= self.space.rejection_draws:
                break  # hardly anything is feasible, and to know that may be dear
            drawn += size
            sampled = self._local_samples(prefix, strengths, size, uniform)
            rows = sampled[self.space.feasible(sampled)]
            keys = self.macro_arms.keys(rows)
            new = [row for row, key in enumerate(keys) if not self.macro_arms.known(key)]
            if len(rows):
                fallback = rows[new[0] if new else 0]
            if new:
                break
        if fallback is None and drawn >= self.space.rejection_draws:
            fallback = self.space.repaired(sampled[:1], self.rng)[0]  # may leave the prefix
        return fallback

    def _strengths(self) -> list[NDArray[np.float64]]:
        """Return what the local bandits think of their options; infinite if never pulled."""
        pulled = np.maximum(self.pulls.counts, 1)
        strengths = self.pulls.sums() / pulled
        if self.settings.local == "ucb":
            total = max(len(self.pulls), 1)
            strengths += self.settings.ucb * np.sqrt(2 * np.log(total) / pulled)
        strengths[self.pulls.counts == 0] = np.inf
        return np.split(strengths, self.pulls.starts[1:-1])

    def _local_samples(
        self, prefix: list[int], strengths: list[NDArray[np.float64]], n: int, uniform: float = 0.0
    ) -> Choices:
        """Complete a partial assignment n times, each decision by its own bandit, [n, d].

        A share of the pulls, at least `uniform`, is of any option.
        """
        if self.settings.local == "epsilon":
            uniform = max(uniform, self.settings.epsilon)
        rows = np.zeros((n, len(strengths)), dtype=np.int64)
        rows[:, : len(prefix)] = prefix
        for column in range(len(prefix), len(strengths)):
            k = len(strengths[column])
            # Ties, such as options never pulled, are broken by chance.
            order = self.rng.random((n, k)).argsort(1)
            rows[:, column] = order[np.arange(n), strengths[column][order].argmax(1)]
            anyhow = self.rng.random(n) < uniform
            rows[anyhow, column] = self.rng.integers(0, k, n)[anyhow]
        rows[~self.space.active(rows)] = 0
        return rows

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {
            "pulls": self.pulls.state_dict(),
            "stack": [asdict(frame) for frame in self._stack],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.pulls.load_state_dict(state["pulls"])
        self.macro_arms = MacroArms(self.space)
        for choices, score in zip(self.pulls.rows, self.pulls.scores, strict=True):
            self.macro_arms.add(choices, score)
        self._stack = [_Frame(**frame) for frame in state["stack"]]

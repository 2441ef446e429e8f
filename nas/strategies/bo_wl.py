"""Bayesian optimisation with a Weisfeiler-Lehman kernel (NAS-BOWL).

Source: Ru et al., Interpretable Neural Architecture Search via Bayesian Optimisation with
Weisfeiler-Lehman Kernels, ICLR 2021, arXiv:2006.07556, sec. 3 and alg. 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError, unknown
from nas.kernels import Hyperparameters, WLGaussianProcess
from nas.objective import BROKEN, Measurement, Objective
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, SearchSpace
from nas.strategies.budgets import share_of_budget
from nas.strategies.limit_models import Belief, LimitModels, condition
from nas.strategies.ranks import normal_scores
from nas.strategies.seen import Seen
from nas.strategies.strategy import Strategy
from nas.strategies.targets import TARGETS, targets_of
from nas.strategies.task_prior import LEAST, TaskPrior

__all__ = ["BOWL", "BOWLSettings"]

_MOST_DRAWS = 20
Facts = tuple[float | None, tuple[float, ...]]
"""The objective's value, larger for the better (None: not measured), and an excess a limit."""


@dataclass(frozen=True)
class BOWLSettings:
    """Settings of `bo-wl`; pool, its shares and levels are the paper's, targets are not."""

    initial: int = setting(10, "random architectures before the model is used")
    pool: int = setting(200, "candidates among which one is chosen")
    mutated: float = setting(0.5, "share of candidates that are mutations of the best")
    parents: int = setting(10, "how many of the best are mutated")
    levels: int = setting(3, "largest height of sub-structures; the likeliest up to it is taken")

    targets: str = setting(
        "ranks", "what is modelled: ranks, values, or log (of the error, as the paper)"
    )

    def __post_init__(self) -> None:
        if self.targets not in TARGETS:
            raise unknown("strategy.targets", self.targets, TARGETS)
        require_ranges(
            self,
            "strategy",
            {
                "initial": (self.initial >= 1, "1 or more"),
                "pool": (self.pool >= 2, "2 or more"),
                "mutated": (0 <= self.mutated <= 1, "a share from 0 to 1"),
                "parents": (self.parents >= 1, "1 or more"),
                "levels": (0 <= self.levels <= 10, "0 to 10"),
            },
        )


@registry.register(
    "strategies",
    "bo-wl",
    "Bayesian optimisation with a graph kernel and a Gaussian process",
    "Ru et al., Interpretable NAS via BO with Weisfeiler-Lehman Kernels, ICLR 2021, "
    "arXiv:2006.07556",
    differs="What is modelled is the normal score of a result's rank, where the paper has the log "
    "of the error (`targets=log`); the kernel is the likelier of the subtree and the "
    "assignment kernel, and acquisition is log-EI. What was evaluated is never proposed "
    "again.",
)
class BOWL(Strategy):
    """Expected improvement over a pool of mutations of the best and of random draws.

    Scores are replaced by the normal scores of their ranks, so that neither their scale nor a few
    that are far off matter (`targets` says otherwise); failures rank with the worst. What is under
    evaluation is believed to come out as predicted. Where a limit was broken, the expected
    improvement on the best that keeps all limits is multiplied by the probability that they are
    kept (Gardner et al., ICML 2014); until something does, that probability alone counts.
    """

    Settings = BOWLSettings
    settings: BOWLSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings or BOWLSettings())
        self.model = WLGaussianProcess(space, self.settings.levels)
        self.seen = Seen(space)
        self.told: dict[int, tuple[Architecture, float]] = {}
        """By key: the architecture as it was told first, and its latest score."""
        self.limits = LimitModels(self.model.wl)
        self.facts: dict[int, Facts] = {}
        """By key: what was measured of what did not fail, where there are limits."""
        self.pending: dict[int, Architecture] = {}
        """By key: what was asked for and not told yet."""
        self.prior: TaskPrior | None = None

    # -- the budget ---------------------------------------------------------------------------

    @classmethod
    def defaults(cls, evaluations: int) -> dict[str, Any]:
        return {"initial": share_of_budget(evaluations, 5, 10)}

    @classmethod
    def initial_evaluations(cls, settings: Any) -> int:
        return int(settings.initial)

    # -- telling ------------------------------------------------------------------------------

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            self.seen.meet(architecture)
            key = self.seen.key(architecture)
            self.pending.pop(key, None)
            first = self.told.get(key, (architecture, 0.0))[0]
            self.told[key] = first, self.objective.score(measurement)
            if self.objective.limits and measurement.ok:
                self.facts[key] = self._facts(measurement)
            else:
                self.facts.pop(key, None)

    def _facts(self, measurement: Measurement) -> Facts:
        goal = self.objective.goals[0]
        measured = goal.metric in measurement.metrics
        value = goal.sign * goal.value(measurement) if measured else None
        return value, self.objective.excesses(measurement)

    def learn_prior(self, scores: Sequence[tuple[Architecture, float]]) -> bool:
        """Take another task's scores as the mean of the process, as far as they prove right."""
        if sum(score > -math.inf for score in dict(scores).values()) < LEAST:
            return False
        self.prior = TaskPrior(self.model.wl, dict(scores))
        return True

    # -- asking -------------------------------------------------------------------------------

    def ask(self, n: int) -> list[Architecture]:
        if len(self.told) < self.settings.initial:
            return [self._remember(self._first()) for _ in range(n)]
        architectures = [architecture for architecture, _ in self.told.values()]
        order = normal_scores([score for _, score in self.told.values()])
        belief = self._learned(architectures, order).believing(list(self.pending.values()))
        found: list[Architecture] = []
        for _ in range(n):
            chosen = self._best_of(self._pool(architectures, order), belief)
            found.append(self._remember(chosen))
            if len(found) < n:
                belief = belief.believing([chosen])
        return found

    def _learned(self, architectures: Sequence[Architecture], order: NDArray[np.float64]) -> Belief:
        """Condition the models on what was told, ordered by score."""
        known = [self.told[key][0] for key in self.facts]
        self.limits.update(known, np.array([excesses for _, excesses in self.facts.values()]))
        if not self.limits:
            targets = self._targets([score for _, score in self.told.values()])
            return self._conditioned(architectures, targets, float(targets.max()))
        if max(score for _, score in self.told.values()) <= BROKEN:
            return Belief(None, 0.0, self.limits)
        values = {key: value for key in self.told if (value := self._value(key)) is not None}
        targets = self._targets(list(values.values()))
        kept = [self.told[key][1] > BROKEN for key in values]
        measured = [self.told[key][0] for key in values]
        return self._conditioned(measured, targets, float(targets[kept].max()))

    def _conditioned(
        self, architectures: Sequence[Architecture], targets: NDArray[np.float64], best: float
    ) -> Belief:
        """Condition the model on targets [n], or on what the prior leaves over of them."""
        if self.prior is None:
            condition(self.model, architectures, targets)
            return Belief(self.model, best, self.limits)
        trust = self.prior.coefficient(architectures, targets)
        expected = trust * self.prior.mean(self.model.wl.features(architectures))
        condition(self.model, architectures, targets - expected)
        return Belief(self.model, best, self.limits, self.prior, trust)

    def _targets(self, scores: Sequence[float]) -> NDArray[np.float64]:
        return targets_of(scores, self.settings.targets, self.objective.goals[0].sign)

    def _value(self, key: int) -> float | None:
        """Return the objective's value, also of what breaks a limit; None: not measured."""
        score = self.told[key][1]
        return self.facts[key][0] if key in self.facts else score

    def _first(self) -> Architecture:
        """Draw at random; every other time what another task recommends, where one is known."""
        if self.prior is None or (len(self.told) + len(self.pending)) % 2:
            return self._new(())
        pool = self.space.sample(self.rng, self.settings.pool)
        order = np.argsort(-self.prior.mean(self.model.wl.features(pool)), kind="stable")
        return self._new(pool[i] for i in order)

    def _remember(self, architecture: Architecture) -> Architecture:
        self.seen.meet(architecture)
        if self.seen.key(architecture) not in self.told:
            self.pending[self.seen.key(architecture)] = architecture
        return architecture

    def _pool(
        self, architectures: Sequence[Architecture], scores: NDArray[np.float64]
    ) -> list[Architecture]:
        """Draw candidates, each once."""
        settings = self.settings
        best = np.argsort(-scores, kind="stable")[: settings.parents]
        mutated = round(settings.pool * settings.mutated)
        children = self._mutated([architectures[i] for i in best], mutated)
        rest = self.space.sample_choices(self.rng, settings.pool - len(children))
        return list(dict.fromkeys(self.space.from_array(np.concatenate([children, rest]))))

    def _mutated(self, parents: Sequence[Architecture], n: int) -> Choices:
        """Return n mutations of parents in turn, [n, d]; none of those nothing valid is next to."""
        rows = self.space.to_array(parents)
        if not len(rows) or not n:
            return rows[:0]
        try:
            return self.space.mutate_choices(np.resize(rows, (n, rows.shape[1])), self.rng)
        except NasError:
            fertile = [parent for parent in parents if self.space.neighbors(parent)]
            return self._mutated(fertile, n) if len(fertile) < len(parents) else rows[:0]

    def _best_of(self, pool: Sequence[Architecture], belief: Belief) -> Architecture:
        """Return the new candidate with the largest expected improvement."""
        features = self.model.wl.features(pool)
        # What the kernel can tell from what is known comes first.
        order = np.lexsort((-belief.gains(features), belief.knows(features)))
        return self._new(pool[i] for i in order)

    def _new(self, candidates: Iterable[Architecture]) -> Architecture:
        """Return the first candidate that is neither known nor pending, or draw one."""
        for candidate in candidates:
            if candidate not in self.seen:
                return candidate
        return self.seen.draw(self.rng, _MOST_DRAWS - 1)

    # -- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        chosen = self.model.chosen
        known = self.model.architectures
        return super().state_dict() | {
            "told": [(list(a.choices), score) for a, score in self.told.values()],
            "pending": [list(a.choices) for a in self.pending.values()],
            "fitted": self.model.fitted,
            "chosen": [chosen.variant, chosen.level, chosen.noise] if known else None,
            "known": [list(a.choices) for a in known[: self.model.fitted]] if self.limits else [],
            "facts": [
                [key, value, list(excesses)] for key, (value, excesses) in self.facts.items()
            ],
            "limits": self.limits.state_dict(),
            "prior": self.prior.state_dict() if self.prior else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        told = [(self.read(choices), score) for choices, score in state["told"]]
        pending = [self.read(choices) for choices in state["pending"]]
        self.told = {self.seen.key(a): (a, score) for a, score in told}
        self.pending = {self.seen.key(a): a for a in pending}
        self.seen.keys = {*self.told, *self.pending}
        self.model = WLGaussianProcess(self.space, self.settings.levels)
        if state["chosen"]:
            known = [architecture for architecture, _ in told[: state["fitted"]]]
            known = [self.read(choices) for choices in state.get("known", [])] or known
            self.model.condition(known, Hyperparameters(*state["chosen"]))
        prior = {self.read(choices): score for choices, score in state.get("prior", [])}
        self.prior = TaskPrior(self.model.wl, prior) if prior else None
        self.limits = LimitModels(self.model.wl)
        self.limits.load_state_dict(state.get("limits", []))
        self.facts = {
            key: (value, tuple(excesses)) for key, value, excesses in state.get("facts", [])
        }

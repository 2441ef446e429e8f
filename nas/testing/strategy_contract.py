"""What holds for every black-box strategy, on every search space."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

from nas.objective import Limit, Measurement, Objective
from nas.search import LimitedSpace, Proposals
from nas.settings import fill_if_any
from nas.space import Architecture, SearchSpace
from nas.strategies import Strategy

__all__ = ["StrategyContract"]


class StrategyContract:
    """What holds for every black-box strategy.

    class TestMine(StrategyContract):
        def make_space(self) -> SearchSpace:
            return NASBench201()

        def make_strategy(self, space, objective, seed) -> Strategy:
            return Mine(space, objective, seed, MySettings(population=5))
    """

    rounds = 4
    """How often the strategy is asked and told; more, where it learns late."""

    def make_space(self) -> SearchSpace:
        """Return the space to search."""
        raise NotImplementedError("override make_space")

    def make_strategy(self, space: SearchSpace, objective: Objective, seed: int) -> Strategy:
        """Return the strategy to be tested; with small settings, so that it learns early."""
        raise NotImplementedError("override make_strategy")

    # -- parts --------------------------------------------------------------------------------

    def strategy(self, seed: int = 0, objective: str = "accuracy") -> Strategy:
        """Return a fresh strategy."""
        return self.make_strategy(self.make_space(), Objective(objective), seed)

    @staticmethod
    def judge(architecture: Architecture) -> Measurement:
        """Measure in no time: numbers that follow from the choices; one in ten fails."""
        digest = hashlib.sha256(repr(architecture.choices).encode()).digest()
        if digest[0] < 25:
            return Measurement(error="RuntimeError: failed")
        return Measurement({"accuracy": digest[1] / 256, "loss": digest[2] / 256})

    def searched(self, strategy: Strategy, sizes: Sequence[int]) -> list[Architecture]:
        """Ask for some and tell them, again and again; return all that was proposed."""
        found: list[Architecture] = []
        for n in sizes:
            asked = strategy.ask(n)
            assert len(asked) == n
            strategy.tell([(architecture, self.judge(architecture)) for architecture in asked])
            found += asked
        return found

    def require_valid(self, space: SearchSpace, architectures: Sequence[Architecture]) -> None:
        """Assert that architectures are valid."""
        for architecture in architectures:
            assert space.check(architecture) is None, space.check(architecture)

    _first: ClassVar[list[Architecture] | None] = None

    def first_search(self) -> list[Architecture]:
        """Return what a search with the first seed proposes, 5 at a time; made once a class."""
        if vars(type(self)).get("_first") is None:
            type(self)._first = self.searched(self.strategy(), [5] * self.rounds)
        return list(type(self)._first or [])

    @classmethod
    def teardown_class(cls) -> None:
        """Forget the first search."""
        cls._first = None

    # -- proposals ----------------------------------------------------------------------------

    def test_proposals_are_valid(self) -> None:
        found = self.searched(self.strategy(), [1, 8, *[3] * self.rounds])
        self.require_valid(self.make_space(), found)

    def test_the_same_seed_gives_the_same_proposals(self) -> None:
        first = self.first_search()
        assert self.searched(self.strategy(), [5] * self.rounds) == first
        if _least_size(self.make_space()) > 50:
            other = self.strategy(seed=1)
            rounds = (first[i : i + 5] for i in range(0, len(first), 5))
            assert any(proposals != self.searched(other, [5]) for proposals in rounds)

    def test_it_may_be_asked_again_before_it_is_told(self) -> None:
        strategy = self.strategy()
        waiting = strategy.ask(3) + strategy.ask(4)
        strategy.tell([(a, self.judge(a)) for a in reversed(waiting[2:])])
        waiting = waiting[:2] + strategy.ask(2)
        strategy.tell([(a, self.judge(a)) for a in waiting])
        self.require_valid(self.make_space(), [*waiting, *self.searched(strategy, [3])])

    def test_it_may_be_told_of_what_it_did_not_propose_and_twice(self) -> None:
        space, strategy = self.make_space(), self.strategy()
        others = self.strategy(seed=5).ask(6)
        strategy.tell([(a, self.judge(a)) for a in others])
        strategy.tell([(others[0], self.judge(others[0]))])
        self.require_valid(space, self.searched(strategy, [2] * self.rounds))

    # -- measurements -------------------------------------------------------------------------

    def test_nothing_but_failures(self) -> None:
        strategy = self.strategy(objective="-loss")
        for _ in range(self.rounds):
            asked = strategy.ask(4)
            strategy.tell([(a, Measurement(error="MemoryError: none left")) for a in asked])
        self.require_valid(self.make_space(), self.searched(strategy, [4, 4]))

    def test_equal_measurements(self) -> None:
        strategy = self.strategy()
        for _ in range(self.rounds):
            asked = strategy.ask(4)
            strategy.tell([(a, Measurement({"accuracy": 0.5})) for a in asked])
        self.require_valid(self.make_space(), strategy.ask(4))

    def test_maximising_is_minimising_the_negative(self) -> None:
        """The sign of an objective is heeded, and nothing but it."""
        strategy, found = self.strategy(objective="-score"), []
        for _ in range(self.rounds):
            asked = strategy.ask(5)
            strategy.tell([(a, _negated(self.judge(a))) for a in asked])
            found += asked
        assert found == self.first_search()

    def test_limits_are_kept(self) -> None:
        """What breaks a limit is never proposed."""
        space = self.make_space()
        cost = {a: float(sum(a.choices)) for a in self.strategy(seed=1).ask(9)}
        limit = Limit("cost", "<=", sorted(cost.values())[len(cost) // 2])
        limited = LimitedSpace(space, [limit], _sums)
        strategy = self.make_strategy(limited, Objective(), 0)
        found = self.searched(strategy, [2] * self.rounds)
        assert all(limit.allows(float(sum(a.choices))) for a in found)

    def test_new_architectures_are_found_in_the_end(self) -> None:
        """As the search loop asks: what is known is told again, until there is something new."""
        space = self.make_space()
        proposals = Proposals(space, self.strategy())
        wanted = min(12, _least_size(space))
        while len(proposals.known) < wanted and (asked := proposals.ask(1)):
            proposals.tell(asked[0], self.judge(asked[0]))
        assert len(proposals.known) >= min(wanted, 8)

    def test_what_breaks_a_limit_is_told_by_how_much(self) -> None:
        """Of what broke it nothing else need be known; its state goes through a file, too."""
        space = self.make_space()
        objective = Objective("accuracy", (Limit("cost", "<=", 0.1),))
        strategy = self.make_strategy(space, objective, 0)
        for _ in range(self.rounds):
            asked = strategy.ask(4)
            strategy.tell([(a, self._limited(a)) for a in asked])
            self.require_valid(space, asked)
        again = self.make_strategy(space, objective, 1)
        again.load_state_dict(_through_a_file(strategy.state_dict()))
        assert strategy.ask(3) == again.ask(3)

    def _limited(self, architecture: Architecture) -> Measurement:
        measured = self.judge(architecture)
        if not measured.ok:
            return measured
        cost = {"cost": measured.metrics["loss"]}
        return Measurement(cost if cost["cost"] > 0.1 else cost | measured.metrics)

    # -- the search it is part of -------------------------------------------------------------

    def test_it_may_be_reminded_of_what_it_was_told(self) -> None:
        space, strategy = self.make_space(), self.strategy()
        for _ in range(self.rounds):
            results = [(a, self.judge(a)) for a in strategy.ask(4)]
            strategy.tell(results)
            strategy.remind(results[:2])
        self.require_valid(space, strategy.ask(4))

    def test_it_may_know_other_tasks_and_results_at_the_start(self) -> None:
        space, strategy = self.make_space(), self.strategy()
        known = [a for a in self.strategy(seed=5).ask(8) if self.judge(a).ok]
        assert isinstance(strategy.learn_prior([(a, float(i)) for i, a in enumerate(known)]), bool)
        strategy.tell([(a, self.judge(a)) for a in known])
        self.require_valid(space, self.searched(strategy, [3] * self.rounds))

    def test_settings_follow_from_any_budget(self) -> None:
        kind = type(self.strategy())
        for evaluations in (1, 2, 7, 50, 1000):
            chosen = fill_if_any(kind.Settings, kind.defaults(evaluations), "strategy")
            assert kind.initial_evaluations(chosen) >= 0

    # -- state --------------------------------------------------------------------------------

    def test_a_restored_state_goes_on_the_same(self) -> None:
        """Between any two calls, through a file that holds nothing but data."""
        first, states = self.strategy(), []
        self.searched(first, [3] * (self.rounds - 1))

        def keep() -> None:
            states.append(_through_a_file(first.state_dict()))

        keep()
        waiting = first.ask(3)
        keep()
        told, rest = ([(a, self.judge(a)) for a in some] for some in (waiting[1:2], waiting[::2]))
        first.tell(told)
        keep()
        first.tell(rest)
        continued = self.searched(first, [2, 1, 3])
        for stage, state in enumerate(states):
            second = self.strategy(seed=7)
            second.load_state_dict(state)
            if stage == 0:
                assert second.ask(3) == waiting
            if stage < 2:
                second.tell(told)
            second.tell(rest)
            assert self.searched(second, [2, 1, 3]) == continued, f"stage {stage}"

    def test_saving_changes_nothing(self) -> None:
        strategy, found = self.strategy(), []
        for _ in range(self.rounds):
            asked = strategy.ask(5)
            strategy.state_dict()
            strategy.tell([(a, self.judge(a)) for a in asked])
            strategy.state_dict()
            found += asked
        assert found == self.first_search()


def _negated(measurement: Measurement) -> Measurement:
    if not measurement.ok:
        return measurement
    return Measurement({"score": -measurement.metrics["accuracy"]})


def _sums(architectures: Sequence[Architecture]) -> list[Mapping[str, float]]:
    return [{"cost": float(sum(a.choices))} for a in architectures]


def _least_size(space: SearchSpace) -> int:
    """Return the number of different networks, as far as a hundred draws show them."""
    import numpy as np

    drawn = space.sample(np.random.default_rng(0), 100)
    return len({space.canonical(architecture) for architecture in drawn})


def _through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    loaded: dict[str, Any] = torch.load(stream, weights_only=True)
    return loaded

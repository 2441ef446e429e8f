"""What holds for every evaluator."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
import torch
from torch import nn

from nas.evaluators import Evaluator
from nas.objective import Measurement, Objective
from nas.space import Architecture, SearchSpace

__all__ = ["EvaluatorContract"]

TOLERANCE = 1e-5  # of metrics; sums may be in another order where candidates are judged together


class EvaluatorContract:
    """What holds for every evaluator.

    class TestMine(EvaluatorContract):
        def make_space(self) -> SearchSpace:
            return NASBench201()

        def make_evaluator(self, space, seed, folder=None) -> Evaluator:
            return Mine(Context(space, tiny_task(), seed, folder=folder), MySettings(epochs=1))
    """

    def make_space(self) -> SearchSpace:
        """Return a space that it can judge."""
        raise NotImplementedError("override make_space")

    def make_evaluator(
        self, space: SearchSpace, seed: int, folder: Path | None = None
    ) -> Evaluator:
        """Return the evaluator to be tested, on a small task."""
        raise NotImplementedError("override make_evaluator")

    def prepared(self, seed: int = 0, folder: Path | None = None) -> Evaluator:
        """Return an evaluator that is ready."""
        evaluator = self.make_evaluator(self.make_space(), seed, folder)
        evaluator.prepare()
        return evaluator

    def draw(self, n: int) -> list[Architecture]:
        """Return different architectures."""
        drawn = self.make_space().sample(np.random.default_rng(0), 10 * n)
        return list(dict.fromkeys(drawn))[:n]

    # -- measurements -------------------------------------------------------------------------

    def test_measurements_have_the_metrics_that_are_declared(self) -> None:
        evaluator = self.prepared()
        for measurement in evaluator(self.draw(3)):
            assert measurement.ok, measurement.error
            assert measurement.seconds >= 0
            assert all(math.isfinite(value) for value in measurement.metrics.values())
            assert not evaluator.metrics or set(measurement.metrics) <= set(evaluator.metrics)

    def test_what_it_is_usually_searched_for_is_measured(self) -> None:
        evaluator = self.prepared()
        objective = Objective(evaluator.objective_for(evaluator.settings))
        [measurement] = evaluator(self.draw(1))
        assert math.isfinite(objective.score(measurement))

    def test_a_measurement_does_not_depend_on_the_others(self) -> None:
        evaluator, drawn = self.prepared(), self.draw(3)
        together = evaluator(drawn)
        turned = evaluator(drawn[::-1])[::-1]
        alone = [evaluator([architecture])[0] for architecture in drawn]
        for others in (turned, alone):
            self.require_equal(together, others)

    def test_the_same_seed_gives_the_same_measurements(self) -> None:
        first, second = (self.prepared(seed=3)(self.draw(2)) for _ in range(2))
        self.require_equal(first, second)

    def test_costs_are_those_of_measurements(self) -> None:
        """Limits are kept by costs told beforehand, objectives heed what is measured."""
        evaluator, drawn = self.prepared(), self.draw(2)
        costs = evaluator.costs(drawn)
        assert all(set(found) == set(evaluator.cost_metrics) for found in costs)
        measured = [name for name in evaluator.cost_metrics if name not in evaluator.metrics]
        evaluator.context.costs = tuple(measured)
        for found, measurement in zip(costs, evaluator(drawn), strict=True):
            assert all(measurement.metrics[name] == found[name] for name in evaluator.cost_metrics)

    def require_equal(self, a: Sequence[Measurement], b: Sequence[Measurement]) -> None:
        """Assert that measurements say the same."""
        for first, second in zip(a, b, strict=True):
            assert set(first.metrics) == set(second.metrics)
            for name, value in first.metrics.items():
                assert math.isclose(value, second.metrics[name], rel_tol=TOLERANCE, abs_tol=1e-6)

    # -- learning, weights --------------------------------------------------------------------

    def test_a_restored_state_goes_on_the_same(self, tmp_path: Path) -> None:
        """As a search that was killed: with the same folder, and from the state alone."""
        drawn = self.draw(6)
        first = self.prepared(folder=tmp_path)
        for architecture in drawn[:3]:
            [measurement] = first([architecture])
            first.observe(architecture, measurement)
        second = self.prepared(folder=tmp_path)
        second.load_state_dict(_through_a_file(first.state_dict()))
        for architecture in drawn[3:]:
            results = []
            for evaluator in (first, second):
                results.append(evaluator([architecture]))
                evaluator.observe(architecture, results[-1][0])
            self.require_equal(*results)

    def test_observing_what_was_recorded_is_as_good_as_evaluating(self, tmp_path: Path) -> None:
        """A search that is continued without a checkpoint has its results from the record."""
        drawn = self.draw(6)
        first, second = (self.prepared(folder=tmp_path / name) for name in ("a", "b"))
        for architecture in drawn[:3]:
            [measurement] = first([architecture])
            first.observe(architecture, measurement)
            second.observe(architecture, measurement)
        self.require_equal(first(drawn[3:]), second(drawn[3:]))

    def test_constant_answers_stay_what_they_are(self) -> None:
        """A search asks for them once; those that learn say that they change."""
        evaluator, drawn = self.prepared(), self.draw(5)
        if not evaluator.constant:
            raise SkipTest("its answers change")
        before = evaluator(drawn[:2])
        for architecture in drawn:
            [measurement] = evaluator([architecture])
            evaluator.observe(architecture, measurement)
        self.require_equal(before, evaluator(drawn[:2]))

    def test_what_is_hidden_is_measured(self) -> None:
        evaluator = self.prepared()
        [measurement] = evaluator(self.draw(1))
        searched = Objective(evaluator.objective_for(evaluator.settings)).metrics
        assert not evaluator.hidden_metrics & {*searched}
        assert evaluator.hidden_metrics <= set(measurement.metrics)

    def test_weights_are_a_network_or_none(self) -> None:
        evaluator = self.prepared()
        [architecture] = self.draw(1)
        evaluator([architecture])
        network = evaluator.weights_of(architecture)
        assert network is None or isinstance(network, nn.Module)


def _through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    loaded: dict[str, Any] = torch.load(stream, weights_only=True)
    return loaded

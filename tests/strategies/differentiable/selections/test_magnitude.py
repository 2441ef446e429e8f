"""The strongest options by the gates' own weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.differentiable.selections.magnitude import Magnitude
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import DifferentiableStrategy
from nas.task import Task

MakeStrategy = Callable[..., DifferentiableStrategy]
NO_DATA: Any = None


def test_scores_are_what_the_relaxation_says(make_strategy: MakeStrategy) -> None:
    for relaxation in ("softmax", "gumbel", "gumbel-hard", "dirichlet"):
        strategy = make_strategy(relaxation=relaxation)
        scores = Magnitude().scores(strategy, NO_DATA)
        for name, logits in strategy.logits.items():
            expected = strategy.relaxation.scores(logits.detach()).numpy()
            assert np.allclose(scores[name], expected)
            assert np.argmax(scores[name]) == int(logits.argmax())


def test_weights_over_inputs_are_softmax_whatever_the_relaxation(tiny_task: Task) -> None:
    options = {"channels": 4, "cells": 1, "edge_gates": True}
    supernet = NASBench201().supernet(tiny_task.info, **options)
    settings = DifferentiableSettings(relaxation="gumbel-hard")
    strategy = DifferentiableStrategy(settings, supernet, tiny_task)
    scores = Magnitude().scores(strategy, NO_DATA)
    weights = strategy.gate_weights()
    for name in ("cell/2", "cell/3"):
        expected = strategy.logits[name].detach().softmax(0)
        assert np.allclose(scores[name], expected.numpy())
        assert torch.equal(torch.as_tensor(weights[name]).detach(), expected)
    assert (torch.as_tensor(weights["cell/3<-0"]) == 0).sum() == 4

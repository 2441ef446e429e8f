"""How candidates are judged: one evaluator a file."""

from __future__ import annotations

from nas.evaluators.choice import EvaluatorChoice, choose_evaluator
from nas.evaluators.evaluator import COSTS, Context, Evaluator, costs_for
from nas.evaluators.predictor import PredictorEvaluator, PredictorSettings
from nas.evaluators.supernet import SupernetEvaluator, SupernetSettings, leaves_one, score_path
from nas.evaluators.supernet_paths import extreme
from nas.evaluators.train import CandidateSettings, TrainEvaluator

__all__ = [
    "COSTS", "CandidateSettings", "Context", "Evaluator", "EvaluatorChoice", "PredictorEvaluator",
    "PredictorSettings", "SupernetEvaluator", "SupernetSettings", "TrainEvaluator",
    "choose_evaluator", "costs_for", "extreme", "leaves_one", "score_path",
]  # fmt: skip

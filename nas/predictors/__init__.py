"""Predictors: what measured architectures tell of others."""

from __future__ import annotations

from nas.predictors.predictor import Predictor
from nas.predictors.predictors import PREDICTORS, make_predictor

__all__ = ["PREDICTORS", "Predictor", "make_predictor"]

"""Predictors: what measured architectures tell of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.lazy import export_lazily
from nas.predictors.path_encoding import PathEncoding
from nas.predictors.predictor import Predictor
from nas.predictors.predictors import PREDICTORS, make_predictor

if TYPE_CHECKING:
    from nas.predictors.path_mlp import PathEnsemble
else:
    export_lazily(__name__, {"PathEnsemble": "nas.predictors.path_mlp"})

__all__ = ["PREDICTORS", "PathEncoding", "PathEnsemble", "Predictor", "make_predictor"]

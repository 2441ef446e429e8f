"""Predictors: what measured architectures tell of others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nas.errors import unknown

if TYPE_CHECKING:
    from nas.predictors.predictor import Predictor
    from nas.space import SearchSpace

__all__ = ["PREDICTORS", "make_predictor"]

PREDICTORS = {
    "mlp": ("nas.predictors.mlp", "MLPEnsemble"),
    "ridge": ("nas.predictors.regressions", "RidgeRegression"),
    "ridge-or-svr": ("nas.predictors.regressions", "RidgeOrSupportVectors"),
    "svr": ("nas.predictors.regressions", "SupportVectors"),
    "trees": ("nas.predictors.trees", "BoostedTrees"),
    "wl-gp": ("nas.predictors.wl_gp", "WLGP"),
}
"""Name -> module and class; a module is imported when it is used."""


def make_predictor(name: str, space: SearchSpace, seed: int = 0) -> Predictor:
    """Make a predictor.

    Args:
        name: One of `PREDICTORS`.
        space: Whose architectures it is fitted to.
        seed: Of every random choice.

    Raises:
        NasError: For an unknown name.
    """
    if name not in PREDICTORS:
        raise unknown("predictor", name, PREDICTORS)
    module, kind = PREDICTORS[name]
    made: Predictor = getattr(import_module(module), kind)(space, seed % 2**31)
    return made

"""A predictor on its own: fitted to numbers of a table, without anything that measures."""

from __future__ import annotations

from collections.abc import Sequence

from nas.errors import NasError
from nas.evaluators import Context, Evaluator, PredictorSettings
from nas.predictors import make_predictor
from nas.space import Architecture

__all__ = ["FittedPredictor"]


class FittedPredictor(Evaluator):
    """What the evaluator `predictor` would predict, never measure, after it had seen some.

    Args:
        context: Of the evaluator.
        settings: The same; only the kind of predictor counts.
        architectures: What it is fitted to.
        scores: Theirs, larger for the better.

    Raises:
        NasError: If there are fewer than two.
    """

    default_objective = "score"
    settings: PredictorSettings

    def __init__(
        self,
        context: Context,
        settings: PredictorSettings,
        architectures: Sequence[Architecture],
        scores: Sequence[float],
    ) -> None:
        super().__init__(context, settings)
        if len(architectures) < 2:
            raise NasError("a predictor needs at least 2 architectures to learn from: --train 100")
        predictor = make_predictor(settings.predictor, context.space, context.seed)
        self.predictor = predictor.fit(architectures, scores)

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        return {"score": float(self.predictor.predict([architecture])[0][0])}

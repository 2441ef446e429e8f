"""BANANAS's predictor: an ensemble of multilayer perceptrons on path encodings."""

from __future__ import annotations

from collections.abc import Sequence

from nas.predictors.mlp import MLPEnsemble
from nas.predictors.path_encoding import PathEncoding
from nas.predictors.predictor import Array
from nas.space import Architecture, SearchSpace

__all__ = ["PathEnsemble"]


class PathEnsemble(MLPEnsemble):
    """As `mlp`, with inputs as the authors have them.

    Args:
        space: Whose architectures.
        seed: Of every random choice.
        encoding: Where several ensembles share one.
    """

    def __init__(
        self, space: SearchSpace, seed: int = 0, encoding: PathEncoding | None = None
    ) -> None:
        super().__init__(space, seed)
        self.encoding = encoding or PathEncoding(space)

    def _encode(self, architectures: Sequence[Architecture]) -> Array:
        return self.encoding.encode(architectures)

"""Decisions, architectures, search spaces: pure Python and NumPy, no network is built here."""

from __future__ import annotations

from nas.space.architecture import Architecture, Decision
from nas.space.decisions import Choices
from nas.space.search_space import ConstraintFunction, Path, Scores, SearchSpace

__all__ = [
    "Architecture", "Choices", "ConstraintFunction", "Decision", "Path", "Scores", "SearchSpace",
]  # fmt: skip

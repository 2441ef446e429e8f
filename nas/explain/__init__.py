"""Which sub-structures raise or lower a metric: `nas explain RUN`."""

from __future__ import annotations

from nas.explain.effects import Effect
from nas.explain.explanation import ExplainSettings, Explanation, explain
from nas.explain.motifs import Motif
from nas.explain.picture import draw_explanation
from nas.explain.runs import explain_run, run_explain
from nas.explain.table import as_text

__all__ = [
    "Effect", "ExplainSettings", "Explanation", "Motif", "as_text", "draw_explanation", "explain",
    "explain_run", "run_explain",
]  # fmt: skip

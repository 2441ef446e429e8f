"""An explanation as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from nas.explain.effects import Effect
from nas.explain.explanation import Explanation

__all__ = ["as_text"]

_WIDTH = 96
_LOW = 0.3


def as_text(explanation: Explanation, top: int) -> str:
    """Write what raises and what lowers the metric, a line a sub-structure.

    Args:
        explanation: What `explain` returns.
        top: How many of each.
    """
    e = explanation
    failed = f" ({e.failed} more failed)" if e.failed else ""
    head = (
        f"{e.goal.metric} of {e.architectures} architectures of {e.space}{failed}. "
        f"Sub-structures of height up to {e.chosen.level}, in {e.min_count} or more. Rank "
        f"correlation of each architecture with what all others predict: {e.correlation:.2f}."
    )
    helps, harms = ("raise", "lower") if e.goal.sign > 0 else ("lower", "raise")
    blocks = ["\n".join(textwrap.wrap(head, _WIDTH))]
    if e.correlation < _LOW:
        blocks.append(f"warning: a rank correlation below {_LOW}: what follows may be chance.")
    blocks += [_block(f"What {helps}s {e.goal.metric} (good)", e, e.good[:top])]
    blocks += [_block(f"What {harms}s {e.goal.metric} (bad)", e, e.bad[:top])]
    return "\n\n".join(blocks)


def _block(title: str, explanation: Explanation, effects: Sequence[Effect]) -> str:
    if not effects:
        return f"{title}: nothing that was seen often enough."
    e = explanation
    rows = [("change", "seen in", "mean with", "without", "sub-structure")]
    for effect in effects:
        means = e.shown(effect.with_it), e.shown(effect.without)
        rows.append((e.shown(effect.change, True), str(effect.count), *means, effect.motif.text))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  ".join([*(cell.rjust(w) for cell, w in zip(row, widths, strict=False)), row[4]])
        for row in rows
    ]
    return "\n".join([f"{title}; {e.unit}, for one more of it:", *(f"  {x}" for x in lines)])

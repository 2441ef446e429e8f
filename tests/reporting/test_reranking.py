"""The section on what was trained again."""

from __future__ import annotations

from typing import Any

import pytest

from nas.reporting.records import Recorded
from nas.reporting.reranking import reranking_section

BEST: dict[str, Any] = {
    "origin": "trial 7",
    "architecture": "net-7",
    "metric": "accuracy",
    "searched": {"accuracy": 0.81},
    "metrics": {"accuracy": 0.794, "loss": 0.5},
    "values": [0.79, 0.798],
    "deviation": 0.0057,
}


def section_of(*candidates: Any) -> str:
    return reranking_section(Recorded({}, {}, [], [], list(candidates)))


def test_nothing_where_nothing_was_trained_again() -> None:
    assert section_of() == ""


def test_every_candidate_has_a_row() -> None:
    text = section_of(BEST, {**BEST, "origin": "epoch 3", "architecture": "net-3"})
    assert text.index("net-7") < text.index("net-3")
    for part in ("81.00", "79.40", ">2<", "trial 7", "epoch 3"):
        assert part in text, part


@pytest.mark.parametrize("name", [*BEST])
def test_what_is_damaged_is_left_out(name: str) -> None:
    """The other candidate is there nevertheless."""
    assert "net-9" in section_of({**BEST, name: None}, {**BEST, "architecture": "net-9"})

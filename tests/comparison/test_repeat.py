"""Recorded repeats."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nas.comparison.repeat import Repeat
from nas.errors import NasError

REPEAT = Repeat("b", "s", 1, 7, [[0], [1]], [None, 0.5], [1, 2], [None, 0.5], {"t": [None, 0.4]})


def test_json() -> None:
    assert Repeat.from_json(json.loads(json.dumps(REPEAT.to_json()))) == REPEAT
    assert REPEAT.key == ("b", "s", 1) and len(REPEAT) == 2


@pytest.mark.parametrize(
    "change", [{"values": [0.5]}, {"reported": {"t": []}}, {"more": 1}, {"choices": None}]
)
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NasError, match="not a repeat"):
        Repeat.from_json(REPEAT.to_json() | change)


def test_what_was_recorded_before_proposals_were_counted() -> None:
    old = REPEAT.to_json()
    del old["proposals"]
    assert Repeat.from_json(old).proposals == 0

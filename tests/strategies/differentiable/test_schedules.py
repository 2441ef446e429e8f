"""How numbers change from epoch to epoch."""

from __future__ import annotations

import pytest

from nas.strategies.differentiable.schedules import cosine


def test_a_cosine_falls_slowly_then_fast_then_slowly() -> None:
    values = [cosine(epoch, 4, 0.9, 0.1) for epoch in range(5)]
    root = 0.4 * 2**-0.5  # half the range times cos(pi/4)
    assert values == pytest.approx([0.9, 0.5 + root, 0.5, 0.5 - root, 0.1])


def test_a_cosine_between_equals_is_constant() -> None:
    assert {cosine(epoch, 7, 0.3, 0.3) for epoch in range(7)} == {0.3}

"""The preset of neural architecture coding: what it composes."""

from __future__ import annotations

from nas.strategies.nac import nac


def test_it_composes_the_published_parts() -> None:
    for scale in ("small", "paper"):
        settings = nac(scale)
        assert settings.relaxation == "unit-norm"
        assert settings.solver == "frozen-weights"
        assert settings.regularisers == ("l1",) and settings.regulariser_scale == 0.5
        assert settings.frozen_epochs == 0  # there are no weights to warm up
    assert nac("paper").epochs == 100

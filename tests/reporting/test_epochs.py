"""Curves over epochs, for every phase."""

from __future__ import annotations

import re
from pathlib import Path

from reports import epoch, report, words


def test_curves_for_every_phase(tmp_path: Path) -> None:
    events = [epoch(i, phase, identities=1) for phase in ("search", "supernet") for i in (1, 2)]
    page = report(tmp_path, [*events, epoch(1, "train"), epoch(2, "train")])
    labels = re.findall('aria-label="([^"]*)"', page)
    assert labels.count("loss per epoch") == labels.count("accuracy per epoch") == 3
    assert labels.count("identity operations per epoch") == 2
    assert all(title in words(page) for title in ("Search", "Supernet training", "Training"))


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    events = [epoch(i, train_loss=float("nan"), valid_loss=None) for i in (1, 2)]
    page = report(tmp_path, events)
    assert "loss per epoch" not in page and "accuracy per epoch" in page

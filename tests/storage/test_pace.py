"""Checkpoints take at most a share of the time."""

from __future__ import annotations

import pytest

from nas.storage import SavePace
from nas.storage import pace as pace_module


class Clock:
    """Stands still unless it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(pace_module.time, "monotonic", lambda: self.now)


def test_saving_takes_at_most_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of 1 second a step, saves of 3 seconds each: a twentieth of the time at most."""
    clock = Clock(monkeypatch)
    pace, saves = SavePace(share=0.05), 0
    for _ in range(2000):
        clock.now += 1.0
        if pace.due():
            with pace.saving():
                clock.now += 3.0
            saves += 1
    assert 3.0 * (saves - 1) / (clock.now - 100.0) <= 0.05  # the first is due at once
    assert saves > 25  # and not much less


def test_what_takes_no_time_is_saved_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), SavePace()
    for _ in range(5):
        assert pace.due()
        with pace.saving():
            pass
    clock.now += 1.0
    assert pace.due()


def test_there_is_a_least_time_between_two(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), SavePace(least=1.0)
    clock.now += 0.5
    assert not pace.due()
    clock.now += 0.5
    assert pace.due()
    with pace.saving():
        clock.now += 0.2
    clock.now += 3.7  # 19 times as long as the save took, nearly
    assert not pace.due()
    clock.now += 0.2
    assert pace.due()

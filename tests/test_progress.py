"""Bars and lines, on streams that are and are not a terminal."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from nas import progress
from nas.progress import Console, Silent, duration


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (8.4, "8s"),
        (59.6, "1m 00s"),
        (200, "3m 20s"),
        (3599.7, "1h 00m"),
        (7500, "2h 05m"),
        (90000, "25h 00m"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_silent_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.note("a")
    silent.warn("b")
    with silent.bar("work", 2, done=1) as bar:
        bar.advance(loss=0.5)
    assert capsys.readouterr() == ("", "")


# -- not a terminal -------------------------------------------------------------------------------


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_lines_at_most_every_few_seconds_and_always_the_last(clock: Clock) -> None:
    stream = io.StringIO()
    with Console(stream, every=2.0).bar("training", 10) as bar:
        for _ in range(10):
            clock.now += 0.5
            bar.advance()
    assert lines(stream) == [
        "training 4/10  3s left",
        "training 8/10  1s left",
        "training 10/10  0s left",
    ]


def test_figures_stand_beside_the_count(clock: Clock) -> None:
    stream = io.StringIO()
    with Console(stream).bar("training", 1) as bar:
        clock.now += 1
        bar.advance(loss=0.41237, valid_accuracy=0.9876, epoch=12)
    assert lines(stream) == ["training 1/1  loss 0.4124  valid accuracy 98.8%  epoch 12  0s left"]


def test_time_left_ignores_what_was_done_before(clock: Clock) -> None:
    stream = io.StringIO()
    with Console(stream, every=0).bar("training", 100, done=90) as bar:
        clock.now += 3
        bar.advance()
    assert lines(stream) == ["training 91/100  27s left"]


def test_notes_and_warnings_are_lines_without_colour() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.note("found 3")
    console.warn("slow disk")
    assert lines(stream) == ["found 3", "warning: slow disk"]


def test_the_default_stream_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Console().note("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_an_error_leaves_the_bar(clock: Clock) -> None:
    with pytest.raises(ValueError, match="broken"), Console(io.StringIO()).bar("work", 2):
        raise ValueError("broken")


# -- a terminal -----------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    settings: dict[str, Any] = {"TERM": "xterm", "COLUMNS": "120"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def test_a_bar_on_a_terminal(terminal: Terminal) -> None:
    with Console(terminal).bar("training", 4, done=1) as bar:
        bar.advance(loss=0.5)
    shown = terminal.getvalue()
    assert "training" in shown and "2/4" in shown and "loss 0.5" in shown and "left" in shown


def joined(stream: Terminal) -> str:
    """Return everything that was shown, without colours and moves of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


@pytest.mark.parametrize("columns", [60, 80])
def test_long_figures_are_cut_and_nothing_else_is(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with Console(terminal).bar("supernet, stage 2 of 4", 12345, done=1) as bar:
        bar.advance(train_loss=0.051234, train_accuracy=0.98712, valid_accuracy=0.91234)
    *_, last = [line for line in re.split(r"[\r\n]", joined(terminal)) if "supernet" in line]
    assert len(last) == columns and last.endswith("…")
    assert re.search(r"supernet, stage 2 of 4 .* 2/12345 \S+( \d+s)? left  train?", last)


def test_the_time_left_stands_apart_from_the_figures(terminal: Terminal) -> None:
    with Console(terminal).bar("training", 3) as bar:
        for _ in range(3):
            bar.advance(loss=0.5)
    assert re.search(r"3/3 0s left  loss 0.5", joined(terminal))


def test_a_warning_on_a_terminal_is_coloured(terminal: Terminal) -> None:
    console = Console(terminal)
    console.warn("slow disk")
    console.note("found 3")
    assert lines(terminal) == ["\x1b[33mwarning: slow disk\x1b[0m", "found 3"]

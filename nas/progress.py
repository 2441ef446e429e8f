"""Progress on the screen: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import ProgressColumn

__all__ = ["Bar", "Console", "Progress", "Silent", "duration"]


class Bar(Protocol):
    """One counted piece of work under way."""

    def advance(self, **figures: float) -> None:
        """Count one unit as done; `figures` such as loss=0.41 are shown beside it."""


class Progress(Protocol):
    """Where a piece of work reports how far it is."""

    def bar(self, title: str, total: int, done: int = 0) -> AbstractContextManager[Bar]:
        """Open a bar over `total` units, `done` of which lie behind already."""

    def note(self, message: str) -> None:
        """Print one line."""

    def warn(self, message: str) -> None:
        """Print one line that a person should not miss."""


class _NoBar:
    def advance(self, **figures: float) -> None:
        del figures


class Silent:
    """Reports nothing."""

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        del title, total, done
        yield _NoBar()

    def note(self, message: str) -> None:
        del message

    def warn(self, message: str) -> None:
        del message


def duration(seconds: float) -> str:
    """Write a time as a person would: 8s, 3m 20s, 2h 05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def _figures(figures: dict[str, float]) -> str:
    def show(name: str, value: float) -> str:
        if name.endswith("accuracy"):
            return f"{name} {100 * value:.1f}%"
        return f"{name} {value:.4g}"

    return "  ".join(show(name.replace("_", " "), value) for name, value in figures.items())


class _LineBar:
    """Prints a line at most every `every` seconds, and always the last."""

    def __init__(self, stream: TextIO, title: str, total: int, done: int, every: float) -> None:
        self.stream, self.title, self.total, self.every = stream, title, total, every
        self.start_done = self.done = done
        self.start = self.printed = time.monotonic()

    def advance(self, **figures: float) -> None:
        self.done += 1
        now = time.monotonic()
        if self.done < self.total and now - self.printed < self.every:
            return
        self.printed = now
        pace = (now - self.start) / (self.done - self.start_done)
        left = duration(pace * (self.total - self.done))
        parts = [f"{self.title} {self.done}/{self.total}", _figures(figures), f"{left} left"]
        print("  ".join(filter(None, parts)), file=self.stream, flush=True)


class _RichBar:
    def __init__(self, progress: object, task: object) -> None:
        self.progress, self.task = progress, task

    def advance(self, **figures: float) -> None:
        update = {"advance": 1, "figures": _figures(figures)}
        self.progress.update(self.task, **update)  # type: ignore[attr-defined]


class Console:
    """Reports to a stream (standard error by default, so that --json stays clean).

    Args:
        stream: Where to print.
        every: On what is not a terminal: seconds between two lines of one bar.
    """

    def __init__(self, stream: TextIO | None = None, every: float = 2.0) -> None:
        self.stream = stream or sys.stderr
        self.every = every

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        if not self.stream.isatty():
            yield _LineBar(self.stream, title, total, done, self.every)
            return
        from rich import progress as rich

        console = _rich_console(self.stream)
        with rich.Progress(*_columns(console.width), console=console) as shown:
            yield _RichBar(shown, shown.add_task(title, total=total, completed=done, figures=""))

    def note(self, message: str) -> None:
        print(message, file=self.stream, flush=True)

    def warn(self, message: str) -> None:
        colour = ("\x1b[33m", "\x1b[0m") if self.stream.isatty() else ("", "")
        print(f"{colour[0]}warning: {message}{colour[1]}", file=self.stream, flush=True)


def _columns(width: int) -> list[ProgressColumn]:
    """Make title, bar, count, time left, and figures, which are cut where the line is full."""
    from rich import progress as rich
    from rich.table import Column
    from rich.text import Text

    class TimeLeft(rich.ProgressColumn):
        max_refresh = 0.5

        def render(self, task: rich.Task) -> Text:
            known = task.time_remaining
            return Text(f"{'?' if known is None else duration(known)} left ")

    class Figures(rich.ProgressColumn):
        def render(self, task: rich.Task) -> Text:
            return Text(task.fields["figures"], no_wrap=True, overflow="ellipsis")

    def whole() -> Column:
        return Column(no_wrap=True)

    return [
        rich.TextColumn("{task.description}", table_column=whole()),
        rich.BarColumn(bar_width=min(24, width // 8), table_column=whole()),
        rich.MofNCompleteColumn(table_column=whole()),
        TimeLeft(table_column=whole()),
        Figures(),
    ]


def _rich_console(stream: TextIO) -> RichConsole:
    from rich.console import Console as RichConsole  # slow to import: only on a terminal

    return RichConsole(file=stream)

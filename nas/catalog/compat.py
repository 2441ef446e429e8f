"""Which space, strategy and evaluator go together, and why others do not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from nas import registry
from nas.aliases import current
from nas.data import load_data
from nas.errors import NasError
from nas.registry import resolve_entry
from nas.search import Request, make_plan, resolve
from nas.search_spaces import name_of, resolve_space
from nas.space import SearchSpace

if TYPE_CHECKING:
    from nas.task import Task

__all__ = ["Pairing", "find_pairings", "pairings_text"]


@dataclass(frozen=True)
class Pairing:
    """One search space with one strategy and one evaluator.

    Args:
        space: As typed on the command line.
        strategy: The same.
        evaluator: The same.
        reason: Why `nas.search` refuses it; None where it runs.
    """

    space: str
    strategy: str
    evaluator: str
    reason: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        names = {"space": self.space, "strategy": self.strategy, "evaluator": self.evaluator}
        return names | {"runs": self.reason is None, "reason": self.reason}


def find_pairings(
    space: Any = None,
    strategy: str | None = None,
    evaluator: str | None = None,
    data: str | Task | None = None,
) -> list[Pairing]:
    """Ask of every pairing what a search asks before it begins; nothing is trained.

    It is `nas.search.make_plan` that answers, with default settings at the scale of the data, so
    that no rule is written down twice. Of one space every supernet is built once.

    Args:
        space: What `nas.search` takes; None is all that are registered.
        strategy: A name, or `NAME:VALUE`; None is all that are registered.
        evaluator: The same.
        data: What all are asked to use; None is what a space names as `default_data`.

    Returns:
        All pairings, by space, then strategy, then evaluator, in the order of their names.

    Raises:
        NasError: For unknown names, and for `data` that cannot be loaded.
    """
    strategies, evaluators = _names("strategies", strategy), _names("evaluators", evaluator)
    task = None if data is None else _load(data)
    found: list[Pairing] = []
    for one in list(registry.names("search_spaces")) if space is None else [space]:
        found += _pairings_of(one, strategies, evaluators, task)
    return found


def _names(kind: str, name: str | None) -> list[str]:
    if name is None:
        return list(registry.names(kind))
    resolve_entry(kind, name)  # refuses unknown ones
    return [current(kind, name)]


def _load(data: str | Task) -> Task:
    return load_data(data, seed=0, device="cpu", download=False, settings={})


def _pairings_of(
    space: Any, strategies: Sequence[str], evaluators: Sequence[str], task: Task | None
) -> Iterator[Pairing]:
    """Yield the pairings of one space."""
    resolved = resolve_space(space)
    name = space if isinstance(space, str) else name_of(space, resolved)
    refused: str | None = None
    try:
        task = task or _load(resolved.default_data)
        resolved = _remembering(resolved.for_task(task.info))
    except NasError as error:
        refused = str(error)
    for strategy in strategies:
        for evaluator in evaluators:
            reason = refused or _refusal(resolved, strategy, evaluator, task)
            yield Pairing(name, strategy, evaluator, reason)


def _refusal(space: SearchSpace, strategy: str, evaluator: str, task: Task | None) -> str | None:
    """Return why a search would not begin; None where it would."""
    try:
        make_plan(resolve(Request(space, strategy, task, evaluator, device="cpu")))
    except NasError as error:
        return str(error)
    except Exception as error:  # of a user's module or a plug-in: what else there is, is told still
        return f"{type(error).__name__}: {error}"
    return None


def _remembering(space: SearchSpace) -> SearchSpace:
    """Return the space; what it builds, it builds once."""
    space = copy.copy(space)
    for method in ("build", "supernet"):
        setattr(space, method, _remembered(getattr(space, method)))
    return space


def _remembered(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes a thing once; an exception is raised again."""
    made: dict[str, Any] = {}

    def remembered(*arguments: Any, **options: Any) -> Any:
        key = repr((arguments, sorted(options.items())))
        if key not in made:
            try:
                made[key] = make(*arguments, **options)
            except Exception as error:
                made[key] = error
        if isinstance(made[key], Exception):
            raise made[key]
        return made[key]

    return remembered


# -- for a person -----------------------------------------------------------------------------


def pairings_text(pairings: Sequence[Pairing], width: int) -> str:
    """Write a table: spaces down, strategies across (one column for those that are alike).

    Args:
        pairings: Complete: every space with every strategy and every evaluator.
        width: Most characters of a line.
    """
    reasons: dict[str, int] = {}
    spaces, evaluators = (
        list(dict.fromkeys(getattr(p, kind) for p in pairings)) for kind in ("space", "evaluator")
    )
    groups = _alike(pairings)
    rows = []
    for space in spaces:
        row = [space]
        for strategies in groups:
            own = [p for p in pairings if p.space == space and p.strategy == strategies[0]]
            row.append(_cell(own, evaluators, reasons))
        rows.append(row)
    header = ["space", *(", ".join(strategies) for strategies in groups)]
    running = sum(p.reason is None for p in pairings)
    heading = (
        f"Which evaluators run, of {', '.join(evaluators)}: {running:,} of {len(pairings):,} "
        "pairings of space, strategy and evaluator."
    )
    lines = [fill(heading, width), "", _table(header, rows, width), *_notes(reasons, width)]
    return "\n".join(lines)


def _alike(pairings: Sequence[Pairing]) -> list[list[str]]:
    """Return the strategies, in groups of which each answers alike everywhere."""
    answers: dict[str, list[str | None]] = {}
    for pairing in pairings:
        answers.setdefault(pairing.strategy, []).append(_general(pairing))
    groups: dict[tuple[str | None, ...], list[str]] = {}
    for strategy, answer in answers.items():
        groups.setdefault(tuple(answer), []).append(strategy)
    return list(groups.values())


def _general(pairing: Pairing) -> str | None:
    """Return the reason without the name of the space, so that spaces can share it."""
    if pairing.reason is None:
        return None
    return pairing.reason.replace(f"space '{pairing.space}'", "the space")


def _cell(pairings: Sequence[Pairing], evaluators: list[str], reasons: dict[str, int]) -> str:
    """Say which evaluators run, with the numbers of the reasons against the others."""
    numbers = {
        reasons.setdefault(reason, len(reasons) + 1) for p in pairings if (reason := _general(p))
    }
    marks = "".join(f" [{number}]" for number in sorted(numbers))
    runs = [p.evaluator for p in pairings if p.reason is None]
    others = [name for name in evaluators if name not in runs]
    if not runs:
        return f"-{marks}"
    if not others:
        return "all" if len(evaluators) > 1 else evaluators[0]
    but = f"all but {', '.join(others)}"
    return f"{but if len(others) < len(runs) else ', '.join(runs)}{marks}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    from io import StringIO

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(header[0], no_wrap=True)
    for name in header[1:]:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*map(Text, row))
    stream = StringIO()
    Console(file=stream, width=width, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _notes(reasons: dict[str, int], width: int) -> list[str]:
    notes = [""] if reasons else []
    for reason, number in reasons.items():
        mark = f"[{number}] "
        notes.append(fill(reason, width, initial_indent=mark, subsequent_indent=" " * len(mark)))
    return notes

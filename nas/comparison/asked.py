"""What was asked of a comparison, checked: its budget, its terms, what a folder was begun with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nas.benchmarks import Benchmark
from nas.comparison.contestants import Contestant
from nas.comparison.protocol import NOISE_FREE
from nas.comparison.simulate import Budget
from nas.errors import NasError

__all__ = [
    "BEFORE", "EVALUATIONS", "RULES", "begun_as", "budget_of", "described", "once",
    "require_counts", "require_times",
]  # fmt: skip

EVALUATIONS = 150
"""The budget of a repeat where none is given."""
RULES = 2
"""How strategies take part.

1, before: none derives defaults from the budget, and all are told again what they propose again.
"""
BEFORE: dict[str, Any] = {
    "protocol": NOISE_FREE, "rules": 1, "initial": 0, "objective": "", "limits": [],
}  # fmt: skip
"""What was done before there was a choice: folders from then do not say it."""


def begun_as(out: str | Path | None) -> dict[str, Any]:
    """Return the config of the folder that is continued; empty for a new or an unreadable one."""
    file = Path(out) / "config.json" if out is not None else None
    if file is None or not file.is_file():
        return {}
    try:
        return {**BEFORE, **json.loads(file.read_text(encoding="utf-8"))}
    except (OSError, TypeError, ValueError):
        return {}  # opening the folder says what is wrong with it


def budget_of(evaluations: int | None, seconds: float | None, workers: int) -> Budget:
    """Return the budget of a repeat; raises `NasError` where it is none."""
    if evaluations is not None and evaluations < 1:
        raise NasError(f"evaluations={evaluations}: at least 1 is needed")
    if seconds is not None and not seconds > 0:
        raise NasError(f"seconds={seconds}: expected simulated seconds above 0")
    if workers < 1:
        raise NasError(f"workers={workers}: at least 1 is needed")
    if evaluations is None and seconds is None:
        evaluations = EVALUATIONS
    return Budget(evaluations, seconds, workers)


def once(what: str, names: Iterable[str]) -> list[str]:
    """Return names; raises `NasError` if there is none, or one is there twice."""
    listed = list(names)
    twice = [name for name in listed if listed.count(name) > 1]
    if twice or not listed:
        raise NasError(f"{what} '{twice[0]}' is named twice" if twice else f"no {what} is named")
    return listed


def require_times(benchmark: Benchmark, budget: Budget) -> None:
    """Refuse a simulated clock where the table has no times."""
    if benchmark.problem.seconds or (budget.seconds is None and budget.workers == 1):
        return
    asked = f"workers={budget.workers}" if budget.workers > 1 else f"seconds={budget.seconds:g}"
    raise NasError(
        f"{asked}: '{benchmark.name}' has no recorded times of training, so there is no simulated "
        "clock; give a budget in evaluations, with one worker"
    )


def described(entered: Contestant) -> str:
    """Write a contestant with all its settings, as a config records it."""
    values = dataclasses.asdict(entered.settings) if entered.settings is not None else {}
    return " ".join([entered.name, *(f"{key}={value}" for key, value in values.items())])


def require_counts(repeats: int, processes: int | None, initial: int, budget: Budget) -> None:
    """Refuse numbers of which nothing can be made."""
    if repeats < 1 or (processes is not None and processes < 1):
        raise NasError(f"repeats={repeats}, processes={processes}: at least 1 of each is needed")
    most = budget.evaluations
    if initial < 0 or (most is not None and initial >= most):
        left = f"fewer than the {most} evaluations of a repeat" if most is not None else "0 or more"
        raise NasError(f"initial={initial}: expected {left}, of which they are a part")

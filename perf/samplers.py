"""What Optuna's samplers cost as strategies, beside Optuna on its own."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from statistics import median

import optuna
import torch

from nas.objective import Measurement, Objective
from nas.search_spaces import resolve_space
from nas.space import SearchSpace
from nas.strategies.optuna import OptunaSettings, OptunaStrategy
from nas.strategies.optuna_sampler import samplers
from nas.strategies.optuna_study import Trials
from perf.report import Column, Report

COLUMNS = (
    Column("space", -14),
    Column("sampler", -8),
    Column("evaluations", 11),
    Column("nas", 8, "ms to ask and tell"),
    Column("Optuna", 8),
    Column("ratio", 6),
)
SPACES = ("nas-bench-201", "darts")
SAMPLERS = ("tpe", "cmaes", "nsgaii", "random")

Searched = Callable[[SearchSpace, str, int], float]


def samplers_table(evaluations: int, repeats: int, report: Report) -> None:
    """Print what asking and telling take through nas, and in a plain study with the same decisions.

    Args:
        evaluations: How many a search has.
        repeats: How often each is timed, in turn with the other.
        report: Where to.
    """
    title = "Optuna's samplers: as strategies of nas, and in a plain study of Optuna, on one thread"
    notes = (
        "The same decisions and values, one sampler for all trials. The searches differ in their "
        "random numbers, for nas seeds each trial by its number; medians of seconds of the CPU."
    )
    report.table("samplers", title, COLUMNS, notes)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in SPACES:
            for sampler in SAMPLERS:
                _measure(resolve_space(name), sampler, evaluations, repeats, report)
    finally:
        torch.set_num_threads(threads)


def _measure(
    space: SearchSpace, sampler: str, evaluations: int, repeats: int, report: Report
) -> None:
    sides: tuple[Searched, Searched] = (_through_nas, _plain)
    for side in sides:
        side(space, sampler, min(evaluations, 15))  # imports, and what is made at the first use
    with report.doing(f"{space.name}, {sampler}"):
        pairs = [[side(space, sampler, evaluations) for side in sides] for _ in range(repeats)]
    ours, theirs = (1e3 * median(times) / evaluations for times in zip(*pairs, strict=True))
    ratio = median(a / b for a, b in pairs)
    cells = [space.name, sampler, f"{evaluations:,}", f"{ours:.3f}", f"{theirs:.3f}"]
    record = {"space": space.name, "sampler": sampler, "evaluations": evaluations}
    figures = {"nas_ms": ours, "optuna_ms": theirs, "ratio": ratio}
    report.row([*cells, f"{ratio:.2f}"], record | figures)


def _through_nas(space: SearchSpace, sampler: str, evaluations: int) -> float:
    strategy = OptunaStrategy(space, Objective(), 0, OptunaSettings(sampler))
    start = time.process_time()
    for _ in range(evaluations):
        [architecture] = strategy.ask(1)
        measurement = Measurement({"accuracy": _value(architecture.choices)})
        strategy.tell([(architecture, measurement)])
    return time.process_time() - start


def _plain(space: SearchSpace, sampler: str, evaluations: int) -> float:
    decisions = Trials(space, goals=1, limits=0, numbers=sampler == "cmaes").distributions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is experimental in Optuna
        chosen = samplers()[sampler](seed=0)  # type: ignore[call-arg]
        study = optuna.create_study(direction="maximize", sampler=chosen)
        start = time.process_time()
        for _ in range(evaluations):
            trial = study.ask(decisions)
            options = trial.params
            study.tell(trial, _value(tuple(options[name] for name in decisions)))
        return time.process_time() - start


def _value(choices: tuple[int, ...]) -> float:
    """Return what a search can learn, at no cost."""
    return float(sum((choice * 7 + column * 3) % 11 for column, choice in enumerate(choices)))

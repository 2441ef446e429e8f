"""A new table: architectures of a space, each trained from scratch on a task, once a seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks import Column, Problem, TableData
from nas.comparison.folder import ResultFolder, open_folder
from nas.comparison.install import install, require_name
from nas.comparison.judges import Workbench, described, make_evaluator
from nas.comparison.population import all_architectures, different_architectures
from nas.data import load_data
from nas.errors import NasError, unknown
from nas.evaluators import Evaluator
from nas.progress import Console, Progress
from nas.space import Architecture, SearchSpace
from nas.storage import seed_of
from nas.task import Task, check_scale
from nas.training import evaluate

__all__ = ["build"]

LINES = "trainings.jsonl"
_COSTS = ("params", "flops")
_MEASURED = (("valid", "accuracy"), ("valid", "loss"), ("test", "accuracy"), ("test", "loss"))
_GROUPS = ("evaluator", "network", "data")


def build(
    space: str,
    data: Any = "digits",
    *,
    evaluations: int | None = 100,
    seeds: int = 1,
    name: str | None = None,
    scale: str | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    force: bool = False,
    download: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a table, or continue one that was begun.

    Every architecture is trained by the evaluator `train` on the train split, as in a search, and
    measured on the valid and the test split. The valid accuracy is what a search on the table
    sees; the test accuracy of the same network is reported. What fails has no number.

    Args:
        space: Name of a registered space.
        data: What to train on; as in `nas.search`.
        evaluations: How many different architectures, drawn at random; None is all.
        seeds: Trainings of each.
        name: Of the table; None is `SPACE-DATA`.
        scale: "small" or "paper"; None is what suits the data.
        seed: Of every random choice.
        device: "auto", "cpu", "cuda" ...
        out: Folder of the record; None is `runs/build-NAME-...`.
        settings: Group -> setting -> value: "evaluator" (the training), "network", "data".
        force: Whether another table of this name may be replaced.
        download: Whether missing data may be fetched.
        progress: Where to report; None is standard error.

    Returns:
        The table's file, which `nas.benchmarks.home.open_benchmark` finds by its name.

    Raises:
        NasError: For everything that the caller can mend, and if every training failed.
    """
    progress = progress or Console()
    if seeds < 1 or (evaluations is not None and evaluations < 1):
        raise NasError(f"evaluations={evaluations}, seeds={seeds}: at least 1 of each is needed")
    check_scale(scale)
    for group in settings or {}:
        if group not in _GROUPS:
            raise unknown("group of settings", group, _GROUPS)
    groups = {group: dict(values) for group, values in (settings or {}).items()}
    resolved: SearchSpace = registry.get("search_spaces", space).factory()
    task = load_data(data, seed, device, download, groups.get("data", {}))
    table = require_name(name or f"{space}-{Path(task.name).stem}")
    bench = Workbench(resolved, task, scale or task.scale, seed, groups, Path(), progress)
    trainers = [
        make_evaluator("train", bench, _COSTS, seed_of(seed, "training", k)) for k in range(seeds)
    ]
    if getattr(trainers[0].settings, "halving_eta", 0):
        raise NasError(
            "evaluator.halving_eta: all trainings of a table have the same epochs; leave it at 0"
        )
    chosen = _chosen(resolved, evaluations, seed)
    config = {
        "space": space,
        "data": task.describe(),
        "training": described(trainers[0], "train"),
        "network": bench.network,
        "evaluations": evaluations or "all",
        "seeds": seeds,
        "seed": seed,
    }
    folder = open_folder(
        Path(out) if out is not None else None,
        f"build-{table}-s{seed}",
        lambda path: ResultFolder(path, config, LINES, ("evaluations", "seeds")),
    )
    with folder.locked():
        lines = _train_all(folder, trainers, chosen, progress)
        made = _table(table, space, task, chosen, trainers[0], seeds, lines)
        path = install(made, force)
    progress.note(f"table {table}: {path}")
    return path


def _chosen(space: SearchSpace, evaluations: int | None, seed: int) -> list[Architecture]:
    if evaluations is None:
        return all_architectures(space)
    return different_architectures(space, evaluations, seed_of(seed, "build"))


# -- training ---------------------------------------------------------------------------------

_Lines = dict[tuple[tuple[int, ...], int], dict[str, Any]]


def _train_all(
    folder: ResultFolder,
    trainers: Sequence[Evaluator],
    chosen: Sequence[Architecture],
    progress: Progress,
) -> _Lines:
    """Do the trainings that were not done yet; return all."""
    lines: _Lines = {(tuple(r["choices"]), r["training"]): r for r in folder.results()}
    wanted = [(a, k) for a in chosen for k in range(len(trainers))]
    left = [(a, k) for a, k in wanted if (a.choices, k) not in lines]
    with progress.bar("trainings", len(wanted), len(wanted) - len(left)) as bar:
        for architecture, k in left:
            line = _train(trainers[k], architecture)
            line |= {"choices": list(architecture.choices), "training": k}
            folder.append([line])
            lines[architecture.choices, k] = line
            bar.advance(**{m: v for m, v in line["metrics"].items() if m == "valid_accuracy"})
    errors = [lines[a.choices, k]["error"] for a, k in wanted if lines[a.choices, k]["error"]]
    if len(errors) == len(wanted):
        raise NasError(f"none of {len(wanted)} trainings came to an end: {errors[0]}")
    if errors:
        progress.warn(f"{len(errors)} of {len(wanted)} trainings failed: {errors[0]}")
    return lines


def _train(trainer: Evaluator, architecture: Architecture) -> dict[str, Any]:
    """Train one architecture and measure it on both splits."""
    [measured] = trainer([architecture])
    if not measured.ok:
        return {"metrics": {}, "seconds": measured.seconds, "error": measured.error}
    metrics = {f"valid_{name}": measured.metrics[name] for name in ("accuracy", "loss")}
    metrics |= {name: measured.metrics[name] for name in _COSTS}
    network = trainer.weights_of(architecture)
    tested = evaluate(network, trainer.context.task, "test")
    metrics |= {f"test_{name}": tested[name] for name in ("accuracy", "loss")}
    return {"metrics": metrics, "seconds": measured.seconds, "error": ""}


# -- the table --------------------------------------------------------------------------------


def _table(
    name: str,
    space: str,
    task: Task,
    chosen: Sequence[Architecture],
    trainer: Evaluator,
    seeds: int,
    lines: _Lines,
) -> TableData:
    settings: Any = trainer.settings
    dataset, epochs = Path(task.name).stem, int(settings.epochs)
    columns, arrays = [], {}

    def add(column: Column, values: NDArray[np.float64]) -> str:
        columns.append(column)
        arrays[column.name] = values
        return column.name

    def trained(metric: str) -> NDArray[np.float64]:
        rows = [[_number(lines[a.choices, k], metric) for k in range(seeds)] for a in chosen]
        values = np.array(rows)
        return values if seeds > 1 else values[:, 0]

    names = {}
    for split, metric in _MEASURED:
        share = metric == "accuracy"
        unit = "share" if share else ""
        column = Column(metric, dataset, split, epochs, seeds, unit, share)
        names[split, metric] = add(column, trained(f"{split}_{metric}"))
    device = str(task.device)
    column = Column("seconds", dataset, "train", epochs, seeds, "s", False, f"on {device}")
    seconds = add(column, trained("seconds"))
    costs = []
    for cost in _COSTS:
        every = [[_number(lines[a.choices, k], cost) for k in range(seeds)] for a in chosen]
        costs.append(add(Column(cost, dataset, maximise=False), _first(every)))
    problem = Problem(
        dataset,
        names["valid", "accuracy"],
        (names["test", "accuracy"], names["test", "loss"]),
        seconds,
        tuple(costs),
    )
    choices = np.array([a.choices for a in chosen], dtype=np.int64)
    facts = {"training": described(trainer, "train"), "network": dict(trainer.context.network)}
    source = f"trained here on {dataset}, {epochs} epochs, {seeds} seeds"
    return TableData(name, space, choices, columns, arrays, [problem], source, facts)


def _number(line: Mapping[str, Any], metric: str) -> float:
    if line["error"]:
        return math.nan
    value = line["seconds"] if metric == "seconds" else line["metrics"][metric]
    return float(value)


def _first(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return the first number of each row that there is: costs are the same for all trainings."""
    return np.array([next((v for v in row if not math.isnan(v)), math.nan) for row in rows])

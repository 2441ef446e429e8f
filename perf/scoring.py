"""Scoring many architectures with shared weights: one by one, and all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module

import numpy as np
import torch

from nas.evaluators.supernet import SupernetSettings, score_path
from nas.mutables.supernet import Supernet
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Path
from nas.task import Task
from perf.measure import interleaved
from perf.report import Column, Report

TOLERANCE = 1e-5
Scores = list[dict[str, float]]
Scorer = Callable[[Supernet, Sequence[Path], Task, str, SupernetSettings], Scores]

COLUMNS = (
    Column("batch norm", -11),
    Column("paths", 5),
    Column("one by one", 10, "architectures/s"),
    Column("together", 8),
    Column("faster", 6),
    Column("accuracy", 8, "largest difference"),
    Column("loss", 8),
)


def score_one_by_one(
    supernet: Supernet, paths: Sequence[Path], task: Task, split: str, settings: SupernetSettings
) -> Scores:
    """Score paths as if each were the only one."""
    return [score_path(supernet, path, task, split, settings) for path in paths]


def score_together() -> Scorer:
    """Return our way of scoring many paths; raises `ImportError` where there is none."""
    try:
        scorer: Scorer = import_module("nas.evaluators.scoring").score_paths
    except AttributeError as error:
        raise ImportError(str(error)) from error
    return scorer


def make_work(images: int, size: int, paths: int) -> tuple[Supernet, list[Path], Task]:
    """Return an untrained supernet of NAS-Bench-201, different random paths, and random images.

    Args:
        images: In each of train (of batch norm's statistics) and valid (of the scores).
        size: Side of an image in pixels.
        paths: How many.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2 * images + 10, 3, size, size), dtype=np.float32)
    y = np.arange(len(x)) % 10
    train, test = slice(None, -10), slice(-10, None)
    task = Task.from_arrays(x[train], y[train], x[test], y[test], name="random images")
    space = NASBench201()
    drawn = dict.fromkeys(space.sample(rng, 2 * paths))
    supernet = space.supernet(task.info, channels=8, cells=1)
    return supernet, [supernet.path(a) for a in list(drawn)[:paths]], task


def scoring_table(
    images: int, size: int, paths: int, device: torch.device, repeats: int, report: Report
) -> None:
    """Print how many architectures a second both ways score, a row for every kind of batch norm."""
    title = f"Scoring: random paths of nas-bench-201 on {images} images of {size}x{size}"
    notes = f"Medians of {repeats} repeats in turn. Scores may differ by at most {TOLERANCE:g}."
    report.table("scoring", title, COLUMNS, notes)
    try:
        together = score_together()
    except ImportError as reason:
        report.skipped("all rows", str(reason))
        return
    supernet, chosen, task = make_work(images, size, paths)
    work = (supernet.to(device), chosen, task.to(device), "valid")
    for batch_norm in ("recalibrate", "batch"):
        settings = SupernetSettings(batch_norm=batch_norm, calibration=images)
        ways: dict[str, Callable[[], Scores]] = {
            "one by one": partial(score_one_by_one, *work, settings),
            "together": partial(together, *work, settings),
        }
        with report.doing(f"scoring, batch norm: {batch_norm}"):
            report.status("scores")
            differences = largest_differences(*(way() for way in ways.values()))
            times = interleaved(ways, repeats, device, report.status)
        rates = {name: len(chosen) / timing.median for name, timing in times.items()}
        _row(batch_norm, len(chosen), rates, differences, report)


def _row(
    batch_norm: str,
    paths: int,
    rates: dict[str, float],
    differences: dict[str, float],
    report: Report,
) -> None:
    faster = rates["together"] / rates["one by one"]
    cells = [batch_norm, f"{paths}", *(f"{rate:,.1f}" for rate in rates.values())]
    cells += [f"{faster:.2f}x", *(f"{value:.1e}" for value in differences.values())]
    record = {"batch_norm": batch_norm, "paths": paths, "architectures_per_second": rates}
    record |= {"times_faster": faster, "largest_difference": differences}
    agree = all(value <= TOLERANCE for value in differences.values())
    problem = "" if agree else f"MISMATCH in scoring, batch norm {batch_norm}: see the row"
    report.row(cells, record, problem)


def largest_differences(a: Scores, b: Scores) -> dict[str, float]:
    """Return how far two lists of scores are apart, for every metric."""
    pairs = list(zip(a, b, strict=True))
    return {name: max(abs(x[name] - y[name]) for x, y in pairs) for name in ("accuracy", "loss")}

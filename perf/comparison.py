"""Ours against the reference: the same search, measured side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from perf.agreement import (
    CHECKED_PAIRS,
    TOLERANCES,
    Yardstick,
    exact_difference,
    floor,
    largest,
)
from perf.case import Case, Variation
from perf.measure import Profile, Timing, interleaved, profiled
from perf.report import Column, Report, mebibytes, short
from perf.steps import OurSearch, ReferenceSearch, Search, trajectory

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Figures:
    """What was measured of one side.

    Args:
        losses: Of the pairs of steps that were checked.
        timing: Of a pair of steps.
        profile: Of a pair of steps.
    """

    losses: tuple[float, ...]
    timing: Timing
    profile: Profile

    def record(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        times = {"median_ms": 1e3 * self.timing.median, "best_ms": 1e3 * self.timing.best}
        return {**times, **asdict(self.profile), "losses": list(self.losses)}

    @property
    def milliseconds(self) -> str:
        """Median and best, for a table."""
        return f"{short(1e3 * self.timing.median)} ({short(1e3 * self.timing.best)})"


def measure(
    searches: Mapping[str, Search],
    case: Case,
    device: torch.device,
    repeats: int,
    status: Callable[[str], None],
) -> dict[str, Figures]:
    """Check, profile and time searches that begin alike; the check is the warm-up too."""
    batches = case.batches(CHECKED_PAIRS, device)
    losses, profiles = {}, {}
    for name, search in searches.items():
        status(f"losses of {name}")
        losses[name] = tuple(trajectory(search, batches))
    works = {name: partial(search.step, *batches[0]) for name, search in searches.items()}
    for name, work in works.items():
        status(f"operators and memory of {name}")
        profiles[name] = profiled(work, device)
    times = interleaved(works, repeats, device, status)
    return {name: Figures(losses[name], times[name], profiles[name]) for name in searches}


@dataclass(frozen=True)
class Comparison:
    """A row.

    Args:
        case: What both sides do.
        precisions: Of the reference and of ours.
        reference: What was measured of it.
        ours: The same of ours.
        yardstick: What the losses are compared by.
    """

    case: Case
    precisions: tuple[str, str]
    reference: Figures
    ours: Figures
    yardstick: Yardstick

    @property
    def speedup(self) -> float:
        """How many times faster ours is, by the medians."""
        return self.reference.timing.median / self.ours.timing.median

    @property
    def images_per_second(self) -> float:
        """Images that ours trains on, those of the gates and those of the weights."""
        return 2 * self.case.batch / self.ours.timing.median

    @property
    def difference(self) -> float:
        """The largest difference between the losses of the pairs that were checked."""
        return largest(self.reference.losses, self.ours.losses)

    @property
    def problem(self) -> str:
        """What is wrong; empty where the losses agree."""
        precision = "bf16" if "bf16" in self.precisions else "fp32"
        what = f"{self.case}, {'/'.join(self.precisions)}"
        return self.yardstick.problem(what, self.difference, precision)

    def record(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return {
            **asdict(self.case),
            "precision": dict(zip(("reference", "ours"), self.precisions, strict=True)),
            "reference": self.reference.record(),
            "ours": self.ours.record(),
            "times_faster": self.speedup,
            "images_per_second": self.images_per_second,
            "largest_loss_difference": self.difference,
            "yardstick": asdict(self.yardstick),
            "paper_minutes": {
                side: self.case.paper_minutes(figures.timing.median)
                for side, figures in (("reference", self.reference), ("ours", self.ours))
            },
        }

    def cells(self) -> list[str]:
        """Return the row for a table of `columns`."""
        counts = [self.reference.profile.operators, self.ours.profile.operators]
        peaks = [self.reference.profile.peak_bytes, self.ours.profile.peak_bytes]
        return [
            self.case.name,
            "/".join(self.precisions),
            self.reference.milliseconds,
            self.ours.milliseconds,
            f"{self.speedup:.2f}x",
            *(f"{count:,}" for count in counts),
            f"{counts[0] / counts[1]:.1f}x",
            *map(mebibytes, peaks),
            f"{self.images_per_second:,.0f}",
            f"{self.difference:.0e}",
            f"{self.yardstick.exact:.0e}" if set(self.precisions) == {"fp32"} else "",
        ]

    def gpu_cells(self) -> list[str]:
        """Return what is added to a row of the paper's setting."""
        kernels = [self.reference.profile.kernels, self.ours.profile.kernels]
        minutes = [
            self.case.paper_minutes(figures.timing.median)
            for figures in (self.reference, self.ours)
        ]
        return [*(f"{k or 0:,}" for k in kernels), *(f"{m:,.1f}" for m in minutes)]


COLUMNS = (
    Column("search", -13),
    Column("ref./ours", -9, "precision"),
    Column("reference", 15, "ms a pair: median (best)"),
    Column("ours", 15),
    Column("faster", 6),
    Column("ref.", 7, "operator calls"),
    Column("ours", 7),
    Column("fewer", 5),
    Column("ref.", 6, "peak MiB"),
    Column("ours", 6),
    Column("a second", 8, "  images"),
    Column("here", 5, "loss diff."),
    Column("fp64", 5),
)
GPU_COLUMNS = (
    Column("ref.", 7, "kernel launches"),
    Column("ours", 7),
    Column("ref.", 7, "min., 50 epochs"),
    Column("ours", 7),
)


def compare(case: Case, device: torch.device, repeats: int, report: Report) -> list[Comparison]:
    """Measure one case in single precision, ours in bf16, and both in bf16."""
    with report.doing(str(case)):
        ours = {p: OurSearch(case, Variation(precision=p), device) for p in PRECISIONS}
        searches: dict[str, Search] = {f"ours in {p}": search for p, search in ours.items()}
        for precision in PRECISIONS:
            twin = ReferenceSearch(ours["fp32"], case, precision)
            searches[f"the reference in {precision}"] = twin
        found = measure(searches, case, device, repeats, report.status)
        report.status("losses without rounding")
        expected = found["the reference in fp32"].losses
        rounding = floor(case, OurSearch(case, Variation(), device), device, expected)
        rule = Yardstick(exact_difference(case, Variation(), device), rounding)
    return [
        Comparison(case, (p, q), found[f"the reference in {p}"], found[f"ours in {q}"], rule)
        for p, q in (("fp32", "fp32"), ("fp32", "bf16"), ("bf16", "bf16"))
    ]


def comparison_table(
    cases: Sequence[Case], device: torch.device, repeats: int, report: Report
) -> None:
    """Print how ours compares with the reference, a row for every case and precision."""
    gpu = device.type == "cuda"
    notes = (
        "A pair: one gate step and one weight step, first order, from the same weights and on the "
        "same images on both sides. Search: channels x cells of the supernet. Operator calls: "
        "by the program or autograd, not by other operators. Peak: tensors above those held "
        "before. Images: of both steps. "
        f"Loss diff.: largest difference of losses in {CHECKED_PAIRS} pairs of steps, as timed "
        f"(allowed: {TOLERANCES['fp32']:g}, in bf16 {TOLERANCES['bf16']:g}, or what rounding "
        f"explains) and in double precision (allowed: {TOLERANCES['fp64']:g})."
    )
    for batch in sorted({case.batch for case in cases}):
        some = [case for case in cases if case.batch == batch]
        sides = f"{some[0].size}x{some[0].size}"
        title = f"Search, ours against the reference: {batch} images of {sides} a step"
        report.table(f"search, batch {batch}", title, COLUMNS + GPU_COLUMNS * gpu, notes)
        for case in some:
            for row in compare(case, device, repeats, report):
                extra = row.gpu_cells() if gpu else []
                report.row([*row.cells(), *extra], row.record(), row.problem)
        notes = ""

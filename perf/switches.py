"""Our own switches against each other."""

from __future__ import annotations

from dataclasses import asdict

import torch

from nas.errors import NasError
from perf.agreement import CHECKED_PAIRS, Yardstick, exact_difference, floor, largest
from perf.case import Case, Variation
from perf.comparison import Figures, measure
from perf.report import Column, Report, mebibytes
from perf.steps import OurSearch, ReferenceSearch, Search, trajectory

VARIATIONS: dict[str, Variation] = {
    "plain": Variation({"execution": "plain"}),
    "plain, channels last": Variation({"execution": "plain"}, channels_last=True),
    "plain, bf16": Variation({"execution": "plain"}, precision="bf16"),
    "fused": Variation({"execution": "fused"}),
    "fused, bf16": Variation({"execution": "fused"}, precision="bf16"),
    "fused, recomputed": Variation({"execution": "fused", "checkpoint": True}),
}
"""What is measured, by name; the first one is what the others are compared with."""

COLUMNS = (
    Column("search", -13),
    Column("ours", -26),
    Column("median (best)", 15, "      ms a pair"),
    Column("faster", 6),
    Column("calls", 8, "operator"),
    Column("MiB", 6, "  peak"),
    Column("here", 5, "loss diff."),
    Column("fp64", 5),
)


def switches_table(cases: list[Case], device: torch.device, repeats: int, report: Report) -> None:
    """Print what every variation takes; losses are checked against the reference in fp32."""
    title = f"Switches: ours in several ways, batch {cases[0].batch}"
    notes = (
        "Faster: than the first row. Loss diff.: from the reference in fp32 in "
        f"{CHECKED_PAIRS} pairs of steps, and with both sides in double precision."
    )
    report.table("switches", title, COLUMNS, notes)
    for case in cases:
        _measure(case, device, repeats, report)


def _measure(case: Case, device: torch.device, repeats: int, report: Report) -> None:
    searches: dict[str, Search] = {}
    with report.doing(str(case)):
        for name, variation in VARIATIONS.items():
            try:
                searches[name] = OurSearch(case, variation, device)
            except NasError as reason:
                report.skipped(f"{case.name}, {name}", str(reason))
        if not searches:
            return
        report.status("losses of the reference")
        expected, rounding = _reference(case, VARIATIONS[next(iter(searches))], device)
        found = measure(searches, case, device, repeats, report.status)
    base = next(iter(found.values())).timing.median
    for name, figures in found.items():
        rule = Yardstick(exact_difference(case, VARIATIONS[name], device), rounding)
        _row(case, name, figures, base / figures.timing.median, expected, rule, report)


def _reference(case: Case, variation: Variation, device: torch.device) -> tuple[list[float], float]:
    """Return the reference's losses, from the weights that all begin with, and their floor."""
    ours = OurSearch(case, variation, device)
    reference = ReferenceSearch(ours, case)
    expected = trajectory(reference, case.batches(CHECKED_PAIRS, device))
    return expected, floor(case, ours, device, expected)


def _row(
    case: Case,
    name: str,
    figures: Figures,
    faster: float,
    expected: list[float],
    rule: Yardstick,
    report: Report,
) -> None:
    difference = largest(figures.losses, expected)
    cells = [
        case.name,
        name,
        figures.milliseconds,
        f"{faster:.2f}x",
        f"{figures.profile.operators:,}",
        mebibytes(figures.profile.peak_bytes),
        f"{difference:.0e}",
        f"{rule.exact:.0e}",
    ]
    record = {**asdict(case), "switches": name, **figures.record(), "times_faster": faster}
    record |= {"largest_loss_difference": difference, "yardstick": asdict(rule)}
    problem = rule.problem(f"{case}, {name}", difference, VARIATIONS[name].precision)
    report.row(cells, record, problem)

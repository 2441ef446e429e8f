"""The first layer on features that are mostly zeros: by their entries, against dense ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.search_spaces.graph.sparse_features import dropped, transformed
from perf.measure import interleaved
from perf.report import Column, Report

TOLERANCE = 1e-4
"""Largest difference of outputs and gradients over the largest of them, in single precision."""

COLUMNS = (
    Column("features", -34),
    Column("dense", 9, "    ms forward and backward"),
    Column("entries", 9),
    Column("faster", 8),
    Column("diff.", 8),
)


@dataclass(frozen=True)
class FeatureCase:
    """Features of nodes, and what they are transformed to.

    Args:
        nodes, columns: Of the features; the default is Cora's.
        share: Of entries that are not zero.
        hidden: Columns of the transform.
        dropout: Of the features.
    """

    hidden: int
    nodes: int = 2708
    columns: int = 1433
    share: float = 0.0127
    dropout: float = 0.6

    def __str__(self) -> str:
        return f"{self.nodes:,} x {self.columns:,}, {100 * self.share:.1f} %, to {self.hidden:,}"

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return features and a weight, the same ones at every call."""
        generator = torch.Generator().manual_seed(0)
        x = torch.rand(self.nodes, self.columns, generator=generator)
        weight = torch.randn(self.hidden, self.columns, generator=generator)
        return (x < self.share).float(), weight.requires_grad_()


def features_table(cases: tuple[FeatureCase, ...], repeats: int, report: Report) -> None:
    """Print a row for every case; on the CPU, the only place where entries are used."""
    title = "Features that are mostly zeros: dropout and first transform of a graph network"
    notes = (
        f"Medians of {repeats} repeats in turn. Dense: dropout of the matrix and a dense product. "
        "Diff.: the largest difference of outputs and gradients without dropout."
    )
    report.table("features", title, COLUMNS, notes)
    for case in cases:
        with report.doing(str(case)):
            _measure(case, repeats, report)


def _measure(case: FeatureCase, repeats: int, report: Report) -> None:
    apart = largest_difference(case)
    works = {name: _work(case, name, case.dropout) for name in ("dense", "entries")}
    cpu = torch.device("cpu")
    times = {n: t.median for n, t in interleaved(works, repeats, cpu, report.status).items()}
    faster = times["dense"] / times["entries"]
    cells = [str(case), *(f"{1e3 * t:.2f}" for t in times.values()), f"{faster:.1f}x"]
    record = {**asdict(case), "milliseconds": {n: 1e3 * t for n, t in times.items()}}
    record |= {"times_faster": faster, "largest_difference": apart}
    problem = "" if apart <= TOLERANCE else f"MISMATCH in features, {case}: {apart:.0e}"
    report.row([*cells, f"{apart:.0e}"], record, problem)


def _work(case: FeatureCase, name: str, dropout: float) -> Callable[[], list[Tensor]]:
    """Return a forward and a backward pass, which returns output and gradient."""
    x, weight = case.tensors()
    like = torch.randn(case.nodes, case.hidden, generator=torch.Generator().manual_seed(1))

    def run() -> list[Tensor]:
        if name == "dense":
            y = F.linear(F.dropout(x, dropout), weight)
        else:
            y = transformed(dropped(x, dropout, training=True), weight)
        return [y.detach(), *torch.autograd.grad(y, weight, like)]

    return run


def largest_difference(case: FeatureCase) -> float:
    """Return how far output and gradient are apart without dropout."""
    pairs = zip(*(_work(case, name, 0.0)() for name in ("dense", "entries")), strict=True)
    return max(float((one - other).abs().max() / one.abs().max()) for one, other in pairs)

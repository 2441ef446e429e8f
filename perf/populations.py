"""Populations of many architectures: to draw, mutate and encode them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from nas import registry
from nas.space import SearchSpace
from perf.report import Column, Report

COLUMNS = (
    Column("space", -18),
    Column("architectures", 13),
    Column("sample", 8, " seconds"),
    Column("mutate", 8),
    Column("encode", 8),
    Column("in all", 8),
    Column("one by one", 10),
    Column("faster", 8),
)
T = TypeVar("T")
_ONE_BY_ONE = 1000  # so many are timed one by one, and the time is multiplied


def populations_table(n: int, report: Report) -> None:
    """Print a row a space: n architectures at once, against one after the other."""
    title = f"Populations: {n:,} architectures drawn, each mutated, all encoded"
    notes = "One by one: through `sample(rng, 1)`, `mutate` and `encode([a])`, from a part of them."
    report.table("populations", title, COLUMNS, notes)
    for name, entry in registry.names("search_spaces").items():
        with report.doing(name):
            _measure(entry.factory(), n, report)


def _measure(space: SearchSpace, n: int, report: Report) -> None:
    rng = np.random.default_rng(0)
    space.encode_choices(space.mutate_choices(space.sample_choices(rng, 10), rng))
    sample, rows = _timed(lambda: space.sample_choices(rng, n))
    mutate, children = _timed(lambda: space.mutate_choices(rows, rng))
    encode, _ = _timed(lambda: space.encode_choices(children))
    few = min(n, _ONE_BY_ONE)
    singly = _timed(lambda: [_one(space, rng) for _ in range(few)])[0] * n / few
    times = {"sample": sample, "mutate": mutate, "encode": encode}
    total = sum(times.values())
    cells = [space.name, f"{n:,}", *(f"{t:.3f}" for t in times.values()), f"{total:.3f}"]
    cells += [f"{singly:.1f}", f"{singly / total:,.0f}x"]
    record = {"space": space.name, "architectures": n, "seconds": times, "one_by_one": singly}
    report.row(cells, record | {"times_faster": singly / total})


def _one(space: SearchSpace, rng: np.random.Generator) -> object:
    [architecture] = space.sample(rng, 1)
    return space.encode([space.mutate(architecture, rng)])


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result

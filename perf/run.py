"""Which tables are measured, and how large."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nas.costs.allocator import keep_freed_memory
from nas.task.device import find_device
from perf.case import STRATEGIES, Case
from perf.comparison import comparison_table
from perf.experts import ExpertCase, experts_table
from perf.features import FeatureCase, features_table
from perf.machine import describe, heading
from perf.memory import memory_table
from perf.populations import populations_table
from perf.report import Report
from perf.scoring import scoring_table
from perf.strategies import strategies_table
from perf.switches import switches_table
from perf.tables import tables_table

EXPERTS = (
    ExpertCase(8),
    ExpertCase(16),
    ExpertCase(16, k=2),
    ExpertCase(64),
    ExpertCase(64, tokens=64, dimension=64, hidden=256),
)
FEATURES = (FeatureCase(16), FeatureCase(64), FeatureCase(1024))
PAPER_BATCHES = {"darts": 64, "pc-darts": 256}


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Args:
        networks: (channels, cells) of the supernets.
        repeats: How often each is timed.
        paths: How many architectures are scored.
        batch: Images a step.
        size: Side of an image in pixels.
        lookups: How many architectures are looked up at once.
        evaluations: Budgets of strategies on a table; all but the first for the costliest only.
        population: How many architectures are drawn, mutated and encoded.
        experts: Layers of experts.
        features: Features of graphs, and their transforms.
        small_graph: Whether memory is counted on a graph of few nodes.
    """

    networks: tuple[tuple[int, int], ...]
    repeats: int
    paths: int
    batch: int = 32
    size: int = 32
    lookups: int = 20_000
    evaluations: tuple[int, ...] = (150,)
    population: int = 100_000
    experts: tuple[ExpertCase, ...] = EXPERTS
    features: tuple[FeatureCase, ...] = FEATURES
    small_graph: bool = False

    def cases(self, strategy: str) -> list[Case]:
        """Return the cases of a strategy, the largest network last."""
        return [Case(strategy, *network, self.batch, self.size) for network in self.networks]


SCALES = {
    "full": Scale(((8, 5), (16, 8)), repeats=7, paths=200, evaluations=(150, 500, 1000, 2000)),
    "quick": Scale(((8, 5),), repeats=3, paths=50),
    "tiny": Scale(
        ((4, 3),), 1, 5, batch=4, size=8, lookups=50, evaluations=(12,), population=20,
        experts=(ExpertCase(2, 8, 8, 8), ExpertCase(2, 8, 8, 8, k=2)),
        features=(FeatureCase(4, 30, 200),), small_graph=True,
    ),
}  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Measure what the options of the command line ask for; return the exit status."""
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()  # both sides profit, as they do in a search
    device = find_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    scale = SCALES["tiny" if options.tiny else "quick" if options.quick else "full"]
    repeats = options.repeats or scale.repeats
    machine = describe(device)
    report = Report(machine, options.json)
    print(heading(machine))
    strategies = [name for name in STRATEGIES if name in options.only]
    if strategies:
        cases = [case for name in strategies for case in scale.cases(name)]
        if device.type == "cuda" and not (options.quick or options.tiny):
            cases += [Case(name, 16, 8, PAPER_BATCHES[name]) for name in strategies]
        comparison_table(cases, device, repeats, report)
    if "switches" in options.only:
        largest = [scale.cases(name)[-1] for name in STRATEGIES]
        switches_table(largest, device, repeats, report)
    if "scoring" in options.only:
        scoring_table(8 * scale.batch, scale.size, scale.paths, device, repeats, report)
    if "tables" in options.only:
        tables_table(scale.lookups, repeats, report)
    if "strategies" in options.only:
        strategies_table(scale.evaluations, repeats, report)
    if "populations" in options.only:
        populations_table(scale.population, report)
    if "experts" in options.only:
        experts_table(scale.experts, device, repeats, report)
    if "features" in options.only:
        features_table(scale.features, repeats, report)
    if "memory" in options.only:
        memory_table(scale.small_graph, report)
    return conclude(report.problems)


def conclude(problems: Sequence[str]) -> int:
    """Say once more what does not agree; return the exit status."""
    for problem in problems:
        print(f"\n*** {problem} ***")
    return 1 if problems else 0

"""How a table answers: one training a query, or the mean of all trainings.

NAS-Bench-101 and 201 are meant to be queried as if each query were a training: the answer is one of
the trainings that the table has of an architecture, drawn at random, and asking again draws again
(`NASBench.query` draws one of three; `simulate_train_eval` of NAS-Bench-201 has `is_random=True`).
Every query costs. What is found is judged by the mean of all its trainings.

Sources: Ying et al., NAS-Bench-101, ICML 2019, arXiv:1902.09635; Dong & Yang,
NAS-Bench-201, ICLR 2020, arXiv:2001.00326; Lindauer & Hutter, Best Practices for Scientific
Research on Neural Architecture Search, JMLR 21, 2020, arXiv:1909.02453.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from nas.benchmarks import Benchmark
from nas.errors import unknown
from nas.objective import Measurement
from nas.space import Architecture
from nas.storage import seed_of

__all__ = ["COUNTED", "NOISE_FREE", "Trainings", "require_protocol"]

COUNTED, NOISE_FREE = "counted", "noise-free"


def require_protocol(name: str) -> str:
    """Return the name of a protocol, or raise `NasError` with the nearest match."""
    if name not in (COUNTED, NOISE_FREE):
        raise unknown("protocol", name, [COUNTED, NOISE_FREE])
    return name


class Trainings:
    """Answers with one training a query.

    Which one follows from the seed, the architecture and how often it was asked for: strategies
    that ask for the same architectures are answered alike (common random numbers), whatever else
    they ask for.

    Args:
        benchmark: Whose table answers.
        seed: Of the draws.
    """

    def __init__(self, benchmark: Benchmark, seed: int) -> None:
        self.benchmark, self.seed = benchmark, seed
        self.times: Counter[tuple[int, ...]] = Counter()

    def measure(self, architecture: Architecture) -> Measurement:
        """Draw a training of an architecture."""
        there = self.benchmark.trainings(architecture)
        if not there:
            return self.benchmark.measure(architecture)  # which says what is missing
        drawn = there[0] if len(there) == 1 else there[self._draw(architecture, len(there))]
        return self.benchmark.measure(architecture, drawn)

    def _draw(self, architecture: Architecture, n: int) -> int:
        table = self.benchmark.table
        key = tuple(map(int, table.choices[table.row(architecture)]))  # of all equal ones alike
        seed = seed_of(self.seed, "training", *key, self.times[key])
        self.times[key] += 1
        return int(np.random.default_rng(seed).integers(n))

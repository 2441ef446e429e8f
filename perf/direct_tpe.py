"""What Optuna's TPE finds without `nas` around it: `python -m perf.direct_tpe --help`.

One plain study with one sampler, asked and told as Optuna's manual does, with a category for each
decision of the space. It and `optuna:tpe` search the same tables, in repeats with the same seeds,
and their queries are answered alike: a difference is one between the strategy and its model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState
from scipy import stats

from nas.benchmarks import open_benchmark
from nas.comparison.facts import facts_of
from nas.comparison.job import Job, Make, run_job
from nas.comparison.protocol import COUNTED, NOISE_FREE
from nas.comparison.simulate import Budget
from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.space import Architecture, SearchSpace
from nas.strategies import Strategy

__all__ = ["DirectTPE", "final_regrets", "main"]

OURS = "optuna:tpe"


class DirectTPE(Strategy):
    """A study that is asked and told one trial after the other.

    Args:
        space: Which decisions there are; all are categories, active or not.
        objective: What is maximised, its sign turned where less is better.
        seed: Of the sampler.
        settings: Arguments of the sampler; None: its defaults.
    """

    def __init__(
        self, space: SearchSpace, objective: Objective, seed: int = 0, settings: Any = None
    ) -> None:
        super().__init__(space, objective, seed, settings)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32, **(settings or {}))
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.asked: dict[Architecture, list[optuna.Trial]] = {}

    def ask(self, n: int) -> list[Architecture]:
        return [self._ask() for _ in range(n)]

    def _ask(self) -> Architecture:
        """Ask until a proposal is valid; those that are not have failed."""
        while True:
            trial = self.study.ask()
            choices = tuple(
                trial.suggest_categorical(decision.name, range(len(decision.options)))
                for decision in self.space.decisions
            )
            architecture = Architecture(self.space.name, choices)
            if self.space.check(architecture) is None:
                self.asked.setdefault(architecture, []).append(trial)
                return architecture
            self.study.tell(trial, state=TrialState.FAIL)

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        for architecture, measurement in results:
            trial = self.asked[architecture].pop(0)
            if measurement.ok:
                self.study.tell(trial, self.objective.score(measurement))
            else:
                self.study.tell(trial, state=TrialState.FAIL)


def final_regrets(
    benchmark: str,
    repeats: int,
    *,
    evaluations: int = 150,
    seed: int = 0,
    protocol: str = COUNTED,
    make: Make | None = None,
) -> NDArray[np.float64]:
    """Return the regret at the end of every repeat, [repeats].

    Args:
        benchmark: `NAME` or `NAME:PROBLEM`.
        repeats: How many.
        evaluations: Of each.
        seed: Of all, as `nas bench run --seed`.
        protocol: "counted" or "noise-free".
        make: What makes the strategy; None: `optuna:tpe`.
    """
    facts = facts_of(benchmark, open_benchmark(benchmark))
    found = []
    for number in range(repeats):
        job = Job(benchmark, OURS, number, seed, Budget(evaluations), protocol=protocol)
        best = run_job(job, make).best[-1]
        found.append(facts.regret(facts.worst if best is None else best))
        print(f"\r{number + 1}/{repeats}", end="", file=sys.stderr, flush=True)
    print("\r", end="", file=sys.stderr)
    return np.array(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print mean regrets with their standard errors, and the difference of the pairs."""
    options = _parsed(arguments)
    try:
        both = {
            name: final_regrets(
                options.benchmark, options.repeats, evaluations=options.evaluations,
                seed=options.seed, protocol=options.protocol, make=make,
            )
            for name, make in ((OURS, None), ("Optuna's TPE directly", DirectTPE))
        }  # fmt: skip
    except NasError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    n = options.repeats
    print(f"{options.benchmark}: regret, mean of {n} repeats of {options.evaluations} evaluations")
    print(f"  {options.protocol}, seed {options.seed}; \u00b1 is the standard error")
    for name, regrets in both.items():
        print(f"  {name:<22} {_spread(regrets)}")
    first, second = both.values()
    p = 1.0 if np.array_equal(first, second) else stats.wilcoxon(first, second).pvalue
    print(f"  {'difference':<22} {_spread(first - second)}, signed-rank test p = {p:.3f}")
    return 0


def _spread(values: NDArray[np.float64]) -> str:
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{values.mean():.5f} \u00b1 {error:.5f}"


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m perf.direct_tpe", description=__doc__)
    add = parser.add_argument
    add("--benchmark", required=True, help="NAME or NAME:PROBLEM (see nas bench list)")
    add("--repeats", type=int, default=20)
    add("--evaluations", type=int, default=150)
    add("--seed", type=int, default=0)
    add("--protocol", choices=(COUNTED, NOISE_FREE), default=COUNTED)
    options = parser.parse_args(arguments)
    if options.repeats < 1 or options.evaluations < 1:
        parser.error("--repeats and --evaluations: at least 1 is needed")
    return options


if __name__ == "__main__":
    sys.exit(main())

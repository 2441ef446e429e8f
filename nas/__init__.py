"""Neural architecture search: search spaces, strategies and evaluators that combine freely."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nas.benchmarks.benchmark import Benchmark as Benchmark
    from nas.benchmarks.home import open_benchmark as open_benchmark
    from nas.errors import NasError as NasError
    from nas.evaluators.evaluator import Evaluator as Evaluator
    from nas.evaluators.evaluator import Measurement as Measurement
    from nas.export import export as export
    from nas.mutables import Elastic as Elastic
    from nas.mutables import OneOf as OneOf
    from nas.mutables import SomeOf as SomeOf
    from nas.objective import Objective as Objective
    from nas.optuna_sampler import as_optuna_sampler as as_optuna_sampler
    from nas.optuna_sampler import suggest as suggest
    from nas.rerank import rerank as rerank
    from nas.run import Run as Run
    from nas.run import load as load
    from nas.search import search as search
    from nas.search_spaces.module import ModuleSpace as ModuleSpace
    from nas.space import Architecture as Architecture
    from nas.space import Decision as Decision
    from nas.space import SearchSpace as SearchSpace
    from nas.strategies.strategy import Strategy as Strategy
    from nas.supernet import Supernet as Supernet
    from nas.task import Task as Task
    from nas.train import train as train

_HOME = {
    "Architecture": "nas.space",
    "Benchmark": "nas.benchmarks.benchmark",
    "Decision": "nas.space",
    "Elastic": "nas.mutables",
    "Evaluator": "nas.evaluators.evaluator",
    "Measurement": "nas.evaluators.evaluator",
    "ModuleSpace": "nas.search_spaces.module",
    "NasError": "nas.errors",
    "Objective": "nas.objective",
    "OneOf": "nas.mutables",
    "Run": "nas.run",
    "SearchSpace": "nas.space",
    "SomeOf": "nas.mutables",
    "Strategy": "nas.strategies.strategy",
    "Supernet": "nas.supernet",
    "Task": "nas.task",
    "as_optuna_sampler": "nas.optuna_sampler",
    "export": "nas.export",
    "load": "nas.run",
    "open_benchmark": "nas.benchmarks.home",
    "rerank": "nas.rerank",
    "search": "nas.search",
    "suggest": "nas.optuna_sampler",
    "train": "nas.train",
}

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import nas` stays free of torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'nas' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)


class _Package(ModuleType):
    """Keeps `nas.search` a function when the file `nas/search.py` is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

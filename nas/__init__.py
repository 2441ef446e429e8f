"""Neural architecture search: search spaces, strategies and evaluators that combine freely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.lazy import export_lazily

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nas.benchmarks import Benchmark as Benchmark
    from nas.benchmarks import open_benchmark as open_benchmark
    from nas.errors import NasError as NasError
    from nas.evaluators import Evaluator as Evaluator
    from nas.export import export as export
    from nas.found.rerank import rerank as rerank
    from nas.found.train import train as train
    from nas.integrations import as_optuna_sampler as as_optuna_sampler
    from nas.integrations import suggest as suggest
    from nas.mutables import Elastic as Elastic
    from nas.mutables import OneOf as OneOf
    from nas.mutables import SomeOf as SomeOf
    from nas.mutables import Supernet as Supernet
    from nas.objective import Measurement as Measurement
    from nas.objective import Objective as Objective
    from nas.run import Run as Run
    from nas.run import load as load
    from nas.search.search import search as search
    from nas.search_spaces import ModuleSpace as ModuleSpace
    from nas.space import Architecture as Architecture
    from nas.space import Decision as Decision
    from nas.space import SearchSpace as SearchSpace
    from nas.strategies import Strategy as Strategy
    from nas.task import Task as Task

_HOME = {
    "Architecture": "nas.space",
    "Benchmark": "nas.benchmarks",
    "Decision": "nas.space",
    "Elastic": "nas.mutables",
    "Evaluator": "nas.evaluators",
    "Measurement": "nas.objective",
    "ModuleSpace": "nas.search_spaces",
    "NasError": "nas.errors",
    "Objective": "nas.objective",
    "OneOf": "nas.mutables",
    "Run": "nas.run",
    "SearchSpace": "nas.space",
    "SomeOf": "nas.mutables",
    "Strategy": "nas.strategies",
    "Supernet": "nas.mutables",
    "Task": "nas.task",
    "as_optuna_sampler": "nas.integrations",
    "export": "nas.export",
    "load": "nas.run",
    "open_benchmark": "nas.benchmarks",
    "rerank": "nas.found.rerank",
    "search": "nas.search.search",
    "suggest": "nas.integrations",
    "train": "nas.found.train",
}

__all__ = sorted([*_HOME, "__version__"])

export_lazily(__name__, _HOME)


def __dir__() -> list[str]:
    return list(__all__)

"""What an evaluator is: it judges architectures."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nas.objective import Measurement, Objective
from nas.progress import Progress, Silent
from nas.space import Architecture, SearchSpace
from nas.storage import seed_everything, seed_of
from nas.timeouts import time_limit

if TYPE_CHECKING:
    from nas.task import Task, TaskInfo

__all__ = ["COSTS", "Context", "Evaluator", "Measurement", "costs_for"]

COSTS = ("params", "flops", "flops_per_token", "latency")
"""What any evaluator can say of the plain network: numbers of parameters and multiply-adds, these
also by token where examples consist of tokens, and milliseconds of one example's forward pass on
the task's device."""


def costs_for(info: TaskInfo) -> tuple[str, ...]:
    """Return those of `COSTS` that a network for a task has."""
    return COSTS if info.tokens else tuple(name for name in COSTS if name != "flops_per_token")


def _no_log(event: dict[str, Any]) -> None:
    del event


@dataclass
class Context:
    """What an evaluator works with.

    Args:
        space: Whose architectures are judged.
        task: The problem, with its data on the device.
        seed: Of every random choice.
        supernet: Options of `space.supernet`.
        network: Settings of `space.build`.
        folder: Where checkpoints go; None keeps none.
        progress: Where to report.
        log: Takes events such as {"event": "epoch", ...}.
        costs: Which of `COSTS` a measurement shall have beside what the evaluator measures.
        objective: What is searched for; None where it is no search that asks.
        timeout: Most seconds that one evaluation may take; None is any.
    """

    space: SearchSpace
    task: Task
    seed: int = 0
    supernet: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    progress: Progress = field(default_factory=Silent)
    log: Callable[[dict[str, Any]], None] = _no_log
    costs: tuple[str, ...] = ()
    objective: Objective | None = None
    timeout: float | None = None


class Evaluator(ABC):
    """Architectures -> measurements. A subclass that has settings names a dataclass `Settings`.

    Args:
        context: What to work with.
        settings: An instance of `Settings`.
    """

    Settings: type | None = None
    metrics: tuple[str, ...] = ()
    """Names of what `evaluate` returns, where they are known beforehand."""
    prepare_settings: tuple[str, ...] = ()
    """Settings that only `prepare` heeds."""
    shares_weights = False
    """Whether `weights_of` gives networks at the supernet's widths."""
    uses_data = True
    """Whether it looks at the examples of the task."""
    default_objective = "accuracy"
    """What is searched for where nothing else is said."""
    argument = ""
    """The setting that stands behind the colon in `NAME:VALUE`; empty: none does."""
    cost_metrics: tuple[str, ...] = ("params", "flops", "flops_per_token")
    """The metrics that `costs` gives: the same at every time, without an evaluation."""
    depends_on_seed: ClassVar[bool] = False
    """Whether what it measures with one seed cannot be compared with another seed's."""
    runs_networks: ClassVar[bool] = False
    """Whether it gives all that the task, and networks themselves, say of their outputs."""

    def __init__(self, context: Context, settings: Any = None) -> None:
        self.context = context
        self.settings = settings
        if self.uses_data:
            info = context.task.info
            self.metrics = self.metrics_for(context.space, info)
            known = costs_for(info)
            self.cost_metrics = tuple(name for name in self.cost_metrics if name in known)

    @classmethod
    def defaults(cls, scale: str, kind: str = "examples") -> dict[str, Any]:
        """Return settings that differ from the defaults.

        Args:
            scale: "small" or "paper".
            kind: Of the task, see `nas.task.TaskInfo`.
        """
        del scale, kind
        return {}

    @classmethod
    def metrics_for(cls, space: SearchSpace, info: TaskInfo) -> tuple[str, ...]:
        """Return `metrics` for a space and a task, as far as they are known beforehand."""
        more = (*info.metrics, *space.network_metrics) if cls.runs_networks else ()
        return tuple(dict.fromkeys([*cls.metrics, *more]))

    @classmethod
    def objective_for(cls, settings: Any) -> str:
        """Return what is searched for with these settings where nothing else is said."""
        del settings
        return cls.default_objective

    @classmethod
    def with_objective(cls, settings: Any, objective: Objective) -> Any:
        """Return the settings for a search with an objective; the same unless they depend on it."""
        del objective
        return settings

    @classmethod
    def require(cls, space: SearchSpace, settings: Any) -> None:
        """Raise `NasError` where it cannot judge this space, before a search is begun."""
        del space, settings

    def prepare(self) -> None:
        """Do once what all evaluations need, such as training a supernet. May be long."""
        return

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        """Learn from a result of the search, in its order; called for each, once.

        Also for results that a killed search had recorded and that are not evaluated again: what
        `evaluate` returns may depend on what was observed, never on what was evaluated.
        """
        del architecture, measurement

    @property
    def constant(self) -> bool:
        """Whether an architecture is judged the same whenever it is evaluated.

        Where it is not, a search evaluates what is proposed again, counts it, and at its end
        evaluates its leaders once more.
        """
        return True

    @property
    def hidden_metrics(self) -> frozenset[str]:
        """What is measured only to be reported, on test data: a search must not see it."""
        return frozenset()

    def final_scores(self, measurements: Sequence[Measurement]) -> list[float] | None:
        """Return what each measurement counts when a search takes its result; larger is better.

        None: what its objective says. Only for a search of what the evaluator names itself
        (`objective_for`).
        """
        del measurements
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return what `observe` has changed, as plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        del state

    @property
    def at_once(self) -> int:
        """How many architectures `evaluate_many` takes at best; 1: it gains nothing by more."""
        return 1

    def costs(
        self, architectures: Sequence[Architecture], names: Sequence[str] | None = None
    ) -> list[dict[str, float]]:
        """Return metrics named in `cost_metrics`, without an evaluation.

        Args:
            architectures: Whose.
            names: Which; None is all. What takes a forward pass is not done for nothing.
        """
        from nas.costs import count_flops, count_parameters

        context, found = self.context, []
        wanted, info = self.cost_metrics if names is None else names, context.task.info
        for architecture in architectures:
            network = context.space.build(architecture, info, **context.network)
            costs = {"params": float(count_parameters(network))}
            if {"flops", "flops_per_token"} & {*wanted}:
                costs["flops"] = float(count_flops(network, info))
                if info.tokens:
                    costs["flops_per_token"] = costs["flops"] / info.tokens
            found.append({name: costs[name] for name in wanted})
        return found

    def _costs(self, architecture: Architecture) -> dict[str, float]:
        """Return the costs that a measurement shall have."""
        from nas.costs import latency

        context, wanted = self.context, self.context.costs
        cost_metrics = [name for name in wanted if name in self.cost_metrics]
        found = self.costs([architecture], cost_metrics)[0] if cost_metrics else {}
        if "latency" in wanted and "latency" not in found:
            network = context.space.build(architecture, context.task.info, **context.network)
            network.to(context.task.device)
            found["latency"] = latency(network, context.task.info) * 1e3
        return {name: found[name] for name in wanted}

    @abstractmethod
    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        """Return the metrics of one architecture; may raise."""

    def evaluate_many(
        self, architectures: Sequence[Architecture]
    ) -> list[dict[str, float] | Exception]:
        """Return the metrics of each architecture, or what its evaluation raised.

        By default one is evaluated after the other. What is returned for one must not depend on
        which others there are.
        """
        return [self._tried(architecture) for architecture in architectures]

    def _tried(self, architecture: Architecture) -> dict[str, float] | Exception:
        self.seed(architecture)
        try:
            with time_limit(self.context.timeout):
                return self.evaluate(architecture)
        except Exception as error:  # whatever a candidate does, the search goes on
            return error

    def seed(self, architecture: Architecture) -> None:
        """Set all random numbers for the evaluation of one architecture."""
        seed_everything(seed_of(self.context.seed, "evaluate", architecture.choices))

    def weights_of(self, architecture: Architecture) -> Any:
        """Return a plain network with the weights that were judged; None where none are kept."""
        del architecture
        return None

    def __call__(self, architectures: Sequence[Architecture]) -> list[Measurement]:
        """Judge architectures; one that raises, diverges or lacks memory is a failed measurement.

        The random numbers of an evaluation depend on the seed and the architecture alone, not on
        what was evaluated before. Architectures that are evaluated at once share the time equally.
        Costs come first: of what breaks a limit by them nothing else is measured.
        """
        measurements: list[Measurement] = []
        for at in range(0, len(architectures), self.at_once):
            some = architectures[at : at + self.at_once]
            start = time.perf_counter()
            results = self._affordable_results(some) if self.context.costs else self._results(some)
            seconds = (time.perf_counter() - start) / len(some)
            measurements += [_measurement(result, seconds) for result in results]
        return measurements

    def _affordable_results(
        self, architectures: Sequence[Architecture]
    ) -> list[dict[str, float] | Exception]:
        """Return costs and metrics; of what is too dear, or has no costs to be told, no metrics."""
        found = {a: self._tried_costs(a) for a in dict.fromkeys(architectures)}
        left = [
            a for a, cost in found.items()
            if not isinstance(cost, Exception) and not self._is_too_dear(cost)
        ]  # fmt: skip
        for architecture, result in zip(left, self._results(left) if left else [], strict=True):
            costs = found[architecture]
            assert not isinstance(costs, Exception)
            found[architecture] = result if isinstance(result, Exception) else {**costs, **result}
        return [found[architecture] for architecture in architectures]

    def _results(self, architectures: Sequence[Architecture]) -> list[dict[str, float] | Exception]:
        limit = self.context.timeout and self.context.timeout * len(architectures)
        try:
            with time_limit(limit):
                results = self.evaluate_many(architectures)
        except Exception:  # not any one's fault: each has a try of its own
            results = [self._tried(architecture) for architecture in architectures]
        return results

    def _tried_costs(self, architecture: Architecture) -> dict[str, float] | Exception:
        """Return the costs that a measurement shall have, or what went wrong."""
        try:
            with time_limit(self.context.timeout):
                return self._costs(architecture)
        except Exception as error:
            return error

    def _is_too_dear(self, costs: dict[str, float] | Exception) -> bool:
        """Tell whether costs, as far as they are known, break a limit."""
        objective = self.context.objective
        if objective is None or isinstance(costs, Exception):
            return False
        told = (limit for limit in objective.limits if limit.metric in costs)
        return not all(limit.allows(costs[limit.metric]) for limit in told)


def _measurement(result: dict[str, float] | Exception, seconds: float) -> Measurement:
    if isinstance(result, Exception):
        reason = f"{type(result).__name__}: {result}".splitlines()[0]
        return Measurement({}, seconds, reason)
    broken = [name for name, value in result.items() if not math.isfinite(value)]
    if broken:
        return Measurement({}, seconds, f"{broken[0]} is {result[broken[0]]}")
    return Measurement(result, seconds)

"""The space of a user's own module: its mutables are the decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.search_spaces.own.data import OwnData
from nas.search_spaces.own.functions import ConditionOf, Reason
from nas.search_spaces.own.places import Place, graph_of, places_of
from nas.space import (
    Architecture,
    Choices,
    ConstraintFunction,
    Decision,
    Path,
    Scores,
    SearchSpace,
)

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["ModuleSpace"]

_MOST_DERIVED = 10_000
_MOST_COUNTED = 100_000
_EXAMPLES = 2  # with which it is seen how large images are inside a network
_WEAKEST = 1e-30


class ModuleSpace(SearchSpace):
    """Decisions, gates, supernet and extraction follow from a module written with mutables.

    Args:
        make: Makes the network with all its candidates: an `nn.Module` class, or a function. It is
            called with no arguments, or, if its first parameter is named `task`, with a `TaskInfo`.
            Its attributes `kind` (such as "nodes") and `default_data` (a source), if there are any,
            say which data it takes.
        name: Of the space; None takes the name of `make`.
        constraint: Says why a combination is not valid, from {decision: option} of the decisions
            that are active; None where it is. None takes the attribute `constraint` of `make`, such
            as a static method of the class.
    """

    def __init__(
        self,
        make: Callable[..., nn.Module],
        name: str | None = None,
        constraint: ConstraintFunction | None = None,
    ) -> None:
        self.make = make
        self.name = str(name or getattr(make, "__name__", type(make).__name__))
        self.description = "a module with mutables"
        constraint = constraint or getattr(make, "constraint", None)
        self._constraint = Reason(constraint, self.name) if constraint else None
        self._selections: dict[str, list[int | tuple[int, ...]]] = {}
        self.decisions = ()
        self._places: tuple[Place, ...] = ()
        self._functions: dict[int, ConditionOf] = {}
        self._data = OwnData(make, self)
        self._read(None)

    # -- the data -----------------------------------------------------------------------------

    @property
    def kind(self) -> str:  # type: ignore[override]
        """What the module says, or "examples"."""
        return self._data.kind

    @property
    def default_data(self) -> str:  # type: ignore[override]
        """What the module says, or the usual data of its kind if it runs on them."""
        return self._data.source

    @property
    def published_shapes(self) -> tuple[tuple[int, ...], int]:  # type: ignore[override]
        """Those of its data, or of images that it runs on."""
        return self._data.shapes

    def for_task(self, task: TaskInfo) -> ModuleSpace:
        """Return this space; `NasError` for a task of another kind than the module says."""
        self._data.require(getattr(task, "info", task))
        return self

    # -- the module ---------------------------------------------------------------------------

    def _read(self, task: TaskInfo | None) -> nn.Module:
        """Make the network and take the decisions from it."""
        from nas.mutables import mutables

        network = self._network(task)
        groups = mutables(network)
        if not groups:
            raise NasError(
                f"'{self.name}' has nothing to search: no OneOf, SomeOf or Elastic in it"
            )
        conditions = {
            label: next((m.when for m in group if m.when), None) for label, group in groups.items()
        }
        decisions = tuple(self._decisions(network, {n for n, when in conditions.items() if when}))
        if self.decisions and decisions != self.decisions:
            raise NasError(f"'{self.name}' has other mutables for this task than without it")
        if not self.decisions:
            self.decisions, self._places = decisions, places_of(network)
            self._selections = {label: group[0].selections() for label, group in groups.items()}
            for column, decision in enumerate(decisions):
                when = conditions[decision.name]
                if when:
                    self._functions[column] = ConditionOf(when, decisions, column)
        return network

    def _network(self, task: TaskInfo | None) -> nn.Module:
        from inspect import signature

        from torch import nn

        call = signature(self.make)
        wants_task = next(iter(call.parameters), None) == "task"
        arguments = [task or self._data.info] if wants_task else []
        try:
            call.bind(*arguments)
        except TypeError as error:
            raise NasError(f"'{self.name}' cannot be made without arguments: {error}") from error
        try:
            network = self.make(*arguments)
        except NasError:
            raise
        except Exception as error:
            from nas.mutables import fault

            raise NasError(f"'{self.name}' cannot be made: {fault(error)}") from error
        if not isinstance(network, nn.Module):
            raise NasError(f"'{self.name}' makes a {type(network).__name__}, not an nn.Module")
        return network

    def _decisions(self, network: nn.Module, functions: set[str]) -> list[Decision]:
        """Return the decisions, outer ones before those that hang on them.

        One with a condition that is a function, which may ask for all earlier ones, names them.
        """
        from dataclasses import replace

        found: dict[str, Decision] = {}
        conditions: dict[str, set[tuple[str, int]] | None] = {}
        for mutable, condition in _walk(network, None):
            label = mutable.label or ""
            found.setdefault(label, mutable.decision())
            known = conditions.setdefault(label, set())
            if condition is None:
                conditions[label] = None  # used somewhere without condition
            elif known is not None:
                known.update(pair for pair in condition if pair[0] != label)
        decisions: list[Decision] = []
        for label in _outer_first(conditions):
            when = _when(found, conditions[label])
            if label in functions and not when:
                when = tuple((earlier.name, earlier.options) for earlier in decisions)
            decisions.append(replace(found[label], when=when))
        return decisions

    # -- the space ----------------------------------------------------------------------------

    def _condition_holds(
        self, column: int, choices: Choices, mask: NDArray[np.bool_]
    ) -> NDArray[np.bool_] | bool:
        function = self._functions.get(column)
        return True if function is None else function.holds(choices, mask)

    def constraint(self, architecture: Architecture) -> str | None:
        return self._constraint(self.options(architecture)) if self._constraint else None

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        if self._constraint is None:
            return np.ones(len(choices), dtype=np.bool_)
        return super().feasible(choices)

    @property
    def size(self) -> int:
        if self._constraint is not None:
            raise NasError(f"space '{self.name}' has a constraint: its size is not known")
        if not self._functions:
            return super().size
        combinations = prod(self.cardinalities)
        if combinations > _MOST_COUNTED:
            raise NasError(
                f"space '{self.name}' has conditions that are functions: its size is not known"
            )
        rows = np.stack(np.unravel_index(np.arange(combinations), self.cardinalities), axis=1)
        return int(self.valid(rows.astype(np.int64)).sum())

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return the chosen options in the order of the module.

        What follows each other is a chain, what is added is side by side, and what is chosen
        inside an option follows it; a mutable that stands in several places is there as often.
        """
        row = self.to_array([architecture])
        pairs = zip(self.decisions, architecture.choices, self.active(row)[0], strict=True)
        chosen = {decision.name: choice for decision, choice, on in pairs if on}
        return graph_of(self._places, chosen, self.options(architecture))

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.mutables import collapse

        self._no_settings("network", settings)
        self.require(architecture)
        return collapse(self._read(task), self.path(architecture))

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        """Return the module itself, with gates.

        Args:
            task: The shapes of one problem.
            **options: `partial_channels` (PC-DARTS) and `edge_gates`, of which there are none.
        """
        from nas.search_spaces.own.partial import with_partial_channels
        from nas.search_spaces.own.supernetwork import OwnSupernet

        rest = dict(options)
        k, edge_gates = rest.pop("partial_channels", 1), rest.pop("edge_gates", False)
        self._no_settings("supernet", rest)
        network = self._read(task)
        if k != 1:
            example = getattr(task, "info", task).example(_EXAMPLES)
            network = with_partial_channels(network, example, k, self._refuse_partial)
        return OwnSupernet(network, self.path, edge_gates)

    def _refuse_partial(self, reason: str) -> NasError:
        return NasError(
            f"space '{self.name}' has no partial channels: {reason}; take a strategy without them "
            "(nas compat lists them), or --set partial_channels=1"
        )

    def _no_settings(self, group: str, settings: dict[str, Any]) -> None:
        for name in settings:
            raise NasError(f"{group}.{name}: space '{self.name}' has no such setting")

    def path(self, architecture: Architecture) -> Path:
        pairs = zip(self.decisions, architecture.choices, strict=True)
        return {decision.name: self._selections[decision.name][c] for decision, c in pairs}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every gate, or the strongest k of a k-of-n gate.

        Under a constraint: the valid architecture with the largest product of strengths.

        Raises:
            NasError: If none of the strongest architectures is valid.
        """
        strengths = [self._strengths(d.name, scores[d.name]) for d in self.decisions]
        for choices in islice(_strongest_first(strengths), _MOST_DERIVED):
            row = np.array([choices], dtype=np.int64)
            row[~self.active(row)] = 0
            [architecture] = self.from_array(row)
            if self.check(architecture) is None:
                return architecture
        raise NasError(
            f"none of the {_MOST_DERIVED} strongest architectures of '{self.name}' is valid"
        )

    def _strengths(self, name: str, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithm of how strong every option of a decision is."""
        logs = np.log(np.maximum(scores, _WEAKEST))
        selections = self._selections[name]
        return np.array([logs[[s] if isinstance(s, int) else list(s)].sum() for s in selections])


def _strongest_first(strengths: list[NDArray[np.float64]]) -> Iterator[tuple[int, ...]]:
    """Yield combinations of options in the order of decreasing sums of strengths."""
    order = [np.argsort(-s, kind="stable") for s in strengths]
    ranked = [s[o] for s, o in zip(strengths, order, strict=True)]

    def weight(ranks: tuple[int, ...]) -> float:
        return -sum(float(s[rank]) for s, rank in zip(ranked, ranks, strict=True))

    first = (0,) * len(strengths)
    heap, seen = [(weight(first), first)], {first}
    while heap:
        _, ranks = heappop(heap)
        yield tuple(int(o[rank]) for o, rank in zip(order, ranks, strict=True))
        for column, rank in enumerate(ranks):
            following = (*ranks[:column], rank + 1, *ranks[column + 1 :])
            if rank + 1 < len(order[column]) and following not in seen:
                seen.add(following)
                heappush(heap, (weight(following), following))


Condition = frozenset[tuple[str, int]]
"""Options of an outer mutable, by label and index, under which an inner one runs."""


def _walk(module: nn.Module, condition: Condition | None) -> Any:
    """Yield every mutable with the condition under which it runs, outer ones first."""
    from nas.mutables import Mutable

    if isinstance(module, Mutable):
        yield module, condition
        number = len(module.selections())
        for part, options in module.parts():
            inner = frozenset((module.label or "", option) for option in options)
            yield from _walk(part, condition if len(options) == number else inner)
        return
    for child in module.children():
        yield from _walk(child, condition)


def _outer_first(conditions: dict[str, set[tuple[str, int]] | None]) -> list[str]:
    """Order labels as in the module, but each after all those that its condition names."""
    order: list[str] = []
    waiting = dict(conditions)
    while waiting:
        ready = (n for n, c in waiting.items() if not any(p in waiting for p, _ in c or ()))
        label = next(ready, None)
        if label is None:
            raise NasError(
                f"mutables labelled {', '.join(sorted(waiting))} stand inside each other; give the "
                "inner ones labels of their own"
            )
        order.append(label)
        del waiting[label]
    return order


def _when(
    found: dict[str, Decision], conditions: set[tuple[str, int]] | None
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Turn conditions into the `when` of a decision."""
    options: dict[str, list[Any]] = {}
    for label, option in sorted(conditions or ()):
        options.setdefault(label, []).append(found[label].options[option])
    return tuple((label, tuple(chosen)) for label, chosen in options.items())

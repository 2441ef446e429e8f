"""Search spaces: pure Python and NumPy, no network is built here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from inspect import signature
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas.architecture import Architecture, Decision
from nas.errors import NasError, unknown

if TYPE_CHECKING:
    from torch import nn

    from nas.supernet import Supernet
    from nas.task import TaskInfo

__all__ = ["Architecture", "Choices", "Decision", "Path", "Scores", "SearchSpace"]

Choices = NDArray[np.int64]
"""A population: one row of option indices an architecture, shape [n, number of decisions]."""
Path = dict[str, "int | tuple[int, ...]"]
"""What a supernet runs for one architecture: gate -> option index (several for a k-of-n gate)."""
Scores = Mapping[str, NDArray[np.float64]]
"""The strength of every option of every gate: gate -> array [number of options]."""

_MAX_TRIES = 1000


@dataclass(frozen=True)
class _Condition:
    """A decision's `when` as column indices: any parent column with one of these options."""

    parents: tuple[tuple[int, tuple[int, ...]], ...] = field(default=())


class SearchSpace(ABC):
    """The decisions, which combinations are valid, how an architecture looks and is built.

    A subclass sets `name`, `description` and `decisions` and says how to draw (`graph`), build,
    share (`supernet`), run (`path`) and derive. Where not every combination is valid it overrides
    `constraint` and, for speed, `feasible`; where different rows are the same network, `canonical`.
    """

    name: str
    description: str
    decisions: tuple[Decision, ...]
    identity_ops: frozenset[str] = frozenset()
    """Labels in `graph` of operations that only pass their input on; too many are a collapse."""
    kind: ClassVar[str] = "examples"
    """The kind of task that its networks solve; see `nas.task.TaskInfo`."""
    default_data: ClassVar[str] = "digits"
    """The source of data where nothing else is said."""
    published_shapes: ClassVar[tuple[tuple[int, ...], int]] = ((3, 32, 32), 10)
    """Shape of an input, and number of outputs, that sizes are given for without a task."""
    supernet_paths: ClassVar[str] = "single"
    """What a step of its supernet's training runs where nothing else is said: "single",
    "sandwich" (where smaller sizes are parts of larger ones) or "progressive"."""
    network_metrics: ClassVar[tuple[str, ...]] = ()
    """What its networks say of themselves (`nas.measure.watching`) beside what a task measures."""

    def _take_options(self, **options: Any) -> None:
        """Name the space after arguments of its constructor that are not the default.

        A constructor with arguments calls this with them, so that `gnn` with three layers is
        `gnn:layers=3`, from which `nas.resolve` makes it again.
        """
        parameters = signature(type(self)).parameters
        given = [f"{n}={v}" for n, v in options.items() if v != parameters[n].default]
        if given:
            self.name = f"{self.name}:{','.join(given)}"

    def for_task(self, task: TaskInfo) -> SearchSpace:
        """Return the space of what makes sense for a task; this space unless it depends on it."""
        del task
        return self

    # -- what is in the space -----------------------------------------------------------------

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of options of every decision."""
        return tuple(len(decision.options) for decision in self.decisions)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {decision.name: column for column, decision in enumerate(self.decisions)}

    @cached_property
    def _conditions(self) -> tuple[_Condition, ...]:
        return tuple(self._condition(column) for column in range(len(self.decisions)))

    def _condition(self, column: int) -> _Condition:
        parents = []
        for name, options in self.decisions[column].when:
            parent = self._columns.get(name, column)
            if parent >= column:
                raise NasError(
                    f"space '{self.name}': decision '{self.decisions[column].name}' depends on "
                    f"'{name}', which is not an earlier decision"
                )
            indices = tuple(self.decisions[parent].index(option) for option in options)
            parents.append((parent, indices))
        return _Condition(tuple(parents))

    @property
    def size(self) -> int:
        """The exact number of architectures (conditions counted; override where constrained)."""
        return prod(self._count_group(group) for group in self._groups())

    def _groups(self) -> list[list[int]]:
        """Split the columns into groups that no condition connects."""
        graph: nx.Graph[int] = nx.Graph()
        graph.add_nodes_from(range(len(self.decisions)))
        for column, condition in enumerate(self._conditions):
            graph.add_edges_from((parent, column) for parent, _ in condition.parents)
        return [sorted(group) for group in nx.connected_components(graph)]

    def _count_group(self, group: Sequence[int]) -> int:
        """Count one group: enumerate the decisions that others hang on, multiply the rest."""
        parents = {p for column in group for p, _ in self._conditions[column].parents}
        row = np.zeros((1, len(self.decisions)), dtype=np.int64)
        total = 0
        controlling = sorted(parents)
        for choices in product(*(range(self.cardinalities[c]) for c in controlling)):
            row[0, controlling] = choices
            active = self.active(row)[0]
            if any(row[0, c] and not active[c] for c in controlling):
                continue
            total += prod(self.cardinalities[c] for c in group if c not in parents and active[c])
        return total

    def active(self, choices: Choices) -> NDArray[np.bool_]:
        """Tell which decisions matter, for a population [n, d]; returns a mask [n, d]."""
        mask = np.ones(choices.shape, dtype=np.bool_)
        for column, condition in enumerate(self._conditions):
            if condition.parents:
                mask[:, column] = False
            for parent, options in condition.parents:
                mask[:, column] |= mask[:, parent] & np.isin(choices[:, parent], options)
            mask[:, column] &= self._condition_holds(column, choices, mask)
        return mask

    def _condition_holds(
        self, column: int, choices: Choices, mask: NDArray[np.bool_]
    ) -> NDArray[np.bool_] | bool:
        """Tell where a decision is active as far as `when` cannot say: everywhere, or a mask [n].

        The columns of `mask`, what is active [n, d], before this one are final.
        """
        del column, choices, mask
        return True

    def constraint(self, architecture: Architecture) -> str | None:
        """Say why a combination of options is not valid; None where it is. Override to restrict."""
        del architecture
        return None

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        """Tell which rows of a population [n, d] meet `constraint`; returns a mask [n]."""
        if type(self).constraint is SearchSpace.constraint:
            return np.ones(len(choices), dtype=np.bool_)
        return np.array([self.constraint(a) is None for a in self.from_array(choices)], np.bool_)

    def check(self, architecture: Architecture) -> str | None:
        """Return None for a valid architecture of this space, otherwise the reason, in words."""
        if architecture.space != self.name:
            return f"it belongs to space '{architecture.space}', not to '{self.name}'"
        if len(architecture.choices) != len(self.decisions):
            return f"it has {len(architecture.choices)} choices; {len(self.decisions)} are needed"
        for decision, choice in zip(self.decisions, architecture.choices, strict=True):
            if not 0 <= choice < len(decision.options):
                last = len(decision.options) - 1
                return f"choice {choice} of '{decision.name}' is not in the range 0 to {last}"
        row = self.to_array([architecture])
        for column in np.flatnonzero((~self.active(row) & (row != 0))[0]):
            return f"'{self.decisions[column].name}' is inactive here and must be its first option"
        return self.constraint(architecture)

    def require(self, architecture: Architecture) -> Architecture:
        """Return the architecture if it is valid; raises `NasError` with the reason if not."""
        reason = self.check(architecture)
        if reason:
            raise NasError(f"not an architecture of space '{self.name}': {reason}")
        return architecture

    def canonical(self, architecture: Architecture) -> Architecture:
        """Map equal networks to one representative; the identity unless a space knows better."""
        return architecture

    def valid(self, choices: Choices) -> NDArray[np.bool_]:
        """Tell which rows of a population [n, d] are valid architectures; returns a mask [n]."""
        valid = self.feasible(choices)
        if self._conditional:
            valid = valid & ~((choices != 0) & ~self.active(choices)).any(1)
        return valid

    def keys(self, choices: Choices) -> NDArray[np.uint64]:
        """Return a number a row of a population [n, d], as [n]; equal networks have the same.

        Rows that `canonical` keeps apart have different ones (by chance alike: one pair in 2^64).
        """
        if type(self).canonical is not SearchSpace.canonical:
            choices = self.to_array([self.canonical(a) for a in self.from_array(choices)])
        if prod(self.cardinalities) < 2**63:
            weights = [prod(self.cardinalities[i + 1 :]) for i in range(len(self.cardinalities))]
            return (choices @ np.array(weights, dtype=np.int64)).astype(np.uint64)
        rows = np.ascontiguousarray(choices, dtype="<i8")
        digests = (blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
        return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)

    # -- populations --------------------------------------------------------------------------

    def to_array(self, architectures: Sequence[Architecture]) -> Choices:
        """Stack the choices of architectures: [n, d]."""
        rows = [architecture.choices for architecture in architectures]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self.decisions))

    def from_array(self, choices: Choices) -> list[Architecture]:
        """Turn a population [n, d] into architectures."""
        return [Architecture(self.name, tuple(row)) for row in choices.tolist()]

    def sample(self, rng: np.random.Generator, n: int) -> list[Architecture]:
        """Draw n valid architectures, each active decision uniformly over its options."""
        return self.from_array(self.sample_choices(rng, n))

    def sample_choices(self, rng: np.random.Generator, n: int) -> Choices:
        """Draw a population [n, d] as `sample` does."""
        found: list[Choices] = []
        missing = n
        for _ in range(_MAX_TRIES):
            rows = self._uniform(rng, missing)
            self._reset_inactive(rows)
            found.append(rows[self.feasible(rows)])
            missing -= len(found[-1])
            if missing <= 0:
                return np.concatenate(found)
        raise NasError(f"space '{self.name}': no valid architecture in {_MAX_TRIES} draws")

    def _uniform(self, rng: np.random.Generator, n: int) -> Choices:
        """Draw every decision uniformly, as [n, d]; several times faster than `rng.integers`."""
        return (rng.random((n, len(self.decisions))) * self.cardinalities).astype(np.int64)

    @cached_property
    def _conditional(self) -> bool:
        return any(decision.when for decision in self.decisions)

    def _reset_inactive(self, rows: Choices) -> None:
        if self._conditional:
            rows[~self.active(rows)] = 0

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """Return all valid architectures that differ in exactly one decision."""
        row = self.to_array([architecture])
        rows = []
        for column in np.flatnonzero(self.active(row)[0]):
            for option in range(self.cardinalities[column]):
                if option != row[0, column]:
                    rows.append(row[0].copy())
                    rows[-1][column] = option
        return self._valid_unique(rows, but=architecture)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one active decision to another option, uniformly; the result is valid."""
        if self._unrestricted:
            return self._mutate_unrestricted(architecture, rng)
        return self.from_array(self.mutate_choices(self.to_array([architecture]), rng))[0]

    @cached_property
    def _unrestricted(self) -> bool:
        """Whether every combination of options is valid."""
        return not self._conditional and type(self).constraint is SearchSpace.constraint

    @cached_property
    def _open_columns(self) -> tuple[int, ...]:
        return tuple(column for column, n in enumerate(self.cardinalities) if n > 1)

    def _mutate_unrestricted(
        self, architecture: Architecture, rng: np.random.Generator
    ) -> Architecture:
        """Do as `mutate` in plain Python, which is faster for one architecture."""
        columns, choices = self._open_columns, list(architecture.choices)
        if not columns:
            raise NasError(f"space '{self.name}': no valid mutation of {architecture.choices}")
        column = columns[int(rng.random() * len(columns))]
        n = self.cardinalities[column]
        choices[column] = (choices[column] + 1 + int(rng.random() * (n - 1))) % n
        return Architecture(self.name, tuple(choices))

    def mutate_choices(self, choices: Choices, rng: np.random.Generator) -> Choices:
        """Mutate every row of a population [n, d] as `mutate` does; returns a new one [n, d]."""
        children: Choices = choices.copy()
        left = np.arange(len(choices))
        for _ in range(_MAX_TRIES):
            rows = self._changed(choices[left], rng)
            valid = self.feasible(rows)
            children[left[valid]] = rows[valid]
            left = left[~valid]
            if not len(left):
                return children
        row = choices[left[0]] if len(left) else ()
        raise NasError(f"space '{self.name}': no valid mutation of {tuple(map(int, row))}")

    def _changed(self, rows: Choices, rng: np.random.Generator) -> Choices:
        """Change one decision of every row that can be changed, uniformly, whether valid or not."""
        columns = self._columns_to_change(rows, rng)
        counts = np.array(self.cardinalities)[columns]
        changed: Choices = rows.copy()
        at = np.arange(len(rows))
        shifts = 1 + (rng.random(len(rows)) * (counts - 1)).astype(np.int64)
        changed[at, columns] = (rows[at, columns] + shifts) % counts
        self._reset_inactive(changed)
        return changed

    def _columns_to_change(self, rows: Choices, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw an active decision with several options for every row; returns [n]."""
        several = np.array(self.cardinalities) > 1
        draws = rng.random(len(rows))
        if not self._conditional and several.any():
            at_once: NDArray[np.int64] = np.flatnonzero(several)
            return at_once[(draws * len(at_once)).astype(np.int64)]
        open_to_change = self.active(rows) & several
        for row in rows[~open_to_change.any(1)][:1]:
            raise NasError(f"space '{self.name}': no valid mutation of {tuple(row.tolist())}")
        ranks = (draws * open_to_change.sum(1)).astype(np.int64)
        columns: NDArray[np.int64] = (np.cumsum(open_to_change, 1) > ranks[:, None]).argmax(1)
        return columns

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Take every decision from one of two parents, uniformly; the result is valid."""
        parents = self.to_array([a, b])
        for _ in range(_MAX_TRIES):
            pick = rng.integers(0, 2, len(self.decisions))
            for child in self._valid_unique([parents[pick, np.arange(len(pick))]]):
                return child
        return a

    def _valid_unique(
        self, rows: Iterable[NDArray[np.int64]], but: Architecture | None = None
    ) -> list[Architecture]:
        """Reset inactive decisions, then keep each valid row once."""
        population = np.array(list(rows), dtype=np.int64).reshape(-1, len(self.decisions))
        self._reset_inactive(population)
        found = dict.fromkeys(self.from_array(population[self.feasible(population)]))
        return [architecture for architecture in found if architecture != but]

    def encode(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Return the one-hot encoding [n, sum of cardinalities]; inactive decisions are zero."""
        return self.encode_choices(self.to_array(architectures))

    def encode_choices(self, choices: Choices) -> NDArray[np.float64]:
        """Return the encoding of a population [n, d], as `encode` does."""
        active = self.active(choices)
        width = sum(self.cardinalities)
        offsets = np.cumsum((0, *self.cardinalities[:-1]))
        places = choices + (offsets + np.arange(len(choices))[:, None] * width)
        encoding = np.zeros(len(choices) * width)
        encoding[places[active] if self._conditional else places.ravel()] = 1.0
        return encoding.reshape(len(choices), width)

    # -- text ---------------------------------------------------------------------------------

    def options(self, architecture: Architecture) -> dict[str, Hashable]:
        """Return decision name -> chosen option, active decisions only."""
        active = self.active(self.to_array([architecture]))[0]
        rows = zip(self.decisions, architecture.choices, active, strict=True)
        return {decision.name: decision.options[choice] for decision, choice, on in rows if on}

    def format(self, architecture: Architecture) -> str:
        """Write an architecture in the field's notation (by default `name=option;...`)."""
        return ";".join(f"{name}={option}" for name, option in self.options(architecture).items())

    def parse(self, text: str) -> Architecture:
        """Read what `format` wrote; raises `NasError` that says where the text is wrong."""
        chosen: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            name, _, option = part.partition("=")
            if name not in self._columns:
                raise unknown(f"decision of space '{self.name}'", name, self._columns)
            if name in chosen:
                raise NasError(f"not an architecture of '{self.name}': '{name}' twice")
            names = {str(o): i for i, o in enumerate(self.decisions[self._columns[name]].options)}
            if option not in names:
                raise unknown(f"option of '{name}'", option, names)
            chosen[name] = names[option]
        architecture = Architecture(
            self.name, tuple(chosen.get(decision.name, 0) for decision in self.decisions)
        )
        self.require(architecture)
        missing = [name for name in self.options(architecture) if name not in chosen]
        if missing:
            raise NasError(f"not an architecture of '{self.name}': no option for '{missing[0]}'")
        return architecture

    # -- networks -----------------------------------------------------------------------------

    @abstractmethod
    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return the architecture as a graph.

        Every node has `op` (its label) and `kind` ("input", "op", "node" for a state that joins
        operations, "output"); nodes of a space with several cells also have `cell`.
        """

    @abstractmethod
    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        """Build the plain network with fresh weights.

        Args:
            architecture: A valid architecture of this space.
            task: The shapes of one problem; a `Task` serves as well as its `info`.
            **settings: Widths, depths and the like; see `network_defaults`.
        """

    @abstractmethod
    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        """Build the module that holds the shared weights of every architecture.

        Args:
            task: The shapes of one problem.
            **options: See `supernet_defaults`; `NasError` for what this space cannot do.
        """

    @abstractmethod
    def path(self, architecture: Architecture) -> Path:
        """Return which option of every gate the supernet runs for one architecture."""

    @abstractmethod
    def derive(self, scores: Scores) -> Architecture:
        """Return the architecture with the strongest options; the other way round from `path`."""

    def network_defaults(self, scale: str) -> dict[str, Any]:
        """Return the settings of `build` at a scale ("small" or "paper")."""
        del scale
        return {}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        """Return the options of `supernet` at a scale ("small" or "paper")."""
        del scale
        return {}

    def catalogue(self) -> dict[str, Architecture]:
        """Return published architectures of this space by name."""
        return {}


ConstraintFunction = Callable[[dict[str, Hashable]], "str | None"]
"""A constraint as a plain function: chosen options by decision -> None or the reason against."""

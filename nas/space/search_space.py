"""Search spaces: pure Python and NumPy, no network is built here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas.space.architecture import Architecture, Decision
from nas.space.decisions import Choices
from nas.space.notation import Notation
from nas.space.populations import Populations

if TYPE_CHECKING:
    from torch import nn

    from nas.task import TaskInfo

__all__ = [
    "Architecture",
    "Choices",
    "ConstraintFunction",
    "Decision",
    "Path",
    "Scores",
    "SearchSpace",
]

Path = dict[str, "int | tuple[int, ...]"]
"""What a supernet runs for one architecture: gate -> option index (several for a k-of-n gate)."""
Scores = Mapping[str, NDArray[np.float64]]
"""The strength of every option of every gate: gate -> array [number of options]."""

ConstraintFunction = Callable[[dict[str, Hashable]], "str | None"]
"""A constraint as a plain function: chosen options by decision -> None or the reason against."""


class SearchSpace(Populations, Notation):
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
    """What its networks say of themselves (`nas.costs.watching`) beside what a task measures."""

    def _take_options(self, **options: Any) -> None:
        """Name the space after arguments of its constructor that are not the default.

        A constructor with arguments calls this with them, so that `gnn` with three layers is
        `gnn:layers=3`, from which `nas.search_spaces` makes it again.
        """
        parameters = signature(type(self)).parameters
        given = [f"{n}={v}" for n, v in options.items() if v != parameters[n].default]
        if given:
            self.name = f"{self.name}:{','.join(given)}"

    def for_task(self, task: TaskInfo) -> SearchSpace:
        """Return the space of what makes sense for a task; this space unless it depends on it."""
        del task
        return self

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
    def supernet(self, task: TaskInfo, **options: Any) -> nn.Module:
        """Build the module that holds the shared weights of every architecture.

        Args:
            task: The shapes of one problem.
            **options: See `supernet_defaults`; `NasError` for what this space cannot do.

        Returns:
            A `nas.mutables.Supernet`; this package does not know the class (`supernet_of` does).
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

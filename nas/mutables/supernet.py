"""The module that holds the shared weights of every architecture of a space."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from nas.errors import NasError, unknown
from nas.mutables.collapse import collapse, mutables
from nas.mutables.mutable import Gate, Scalars, Selection, executed
from nas.space import Architecture, Path, SearchSpace

if TYPE_CHECKING:
    from nas.task import TaskInfo

__all__ = ["Supernet", "supernet_of"]


class Supernet(nn.Module):
    """A network written with mutables, run with weights over its gates or along one path.

    Args:
        network: The network; its mutables give the gates.
        path: Architecture -> path: the space's `path`; it may name more gates than there are.
        standalone: Makes the plain network, with fresh weights, whose parameters bear the names
            that the collapsed network's have. None: the collapsed network itself is the plain one.
    """

    def __init__(
        self,
        network: nn.Module,
        path: Callable[[Architecture], Path],
        standalone: Callable[[Architecture], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self._mutables = mutables(network)
        self._path = path
        self._standalone = standalone
        self.gates: dict[str, Gate] = {
            label: group[0].gate() for label, group in self._mutables.items()
        }

    def path(self, architecture: Architecture) -> Path:
        """Return the path of an architecture through the gates that this supernet has."""
        return {
            gate: index for gate, index in self._path(architecture).items() if gate in self.gates
        }

    def forward(self, x: Tensor, weights: Mapping[str, Selection]) -> Tensor:
        """Run the shared weights.

        Args:
            x: A batch, [B, ...].
            weights: For every gate an option index, the indices of a k-of-n gate (both run only
                what they name), or a tensor of weights [options]; weights of exactly zero are not
                executed.

        Returns:
            What the network returns: logits [B, classes], or (logits, auxiliary logits).

        Raises:
            NasError: If a gate is missing or unknown.
        """
        with self.selected(weights):
            output: Tensor = self.network(x)
        return output

    @contextmanager
    def selected(self, weights: Mapping[str, Selection]) -> Iterator[None]:
        """Set what every mutable runs, for the time of a `with` block."""
        for name in weights:
            if name not in self.gates:
                raise unknown("gate", name, self.gates)
        missing = self.gates.keys() - weights.keys()
        if missing:
            raise NasError(f"no weights for gate '{min(missing)}'")
        try:
            self._select(weights)
            yield
        finally:
            self._select({})

    def _select(self, weights: Mapping[str, Selection]) -> None:
        active = executed(weights)
        for label, group in self._mutables.items():
            selection = weights.get(label)
            scalars = Scalars(selection) if isinstance(selection, Tensor) else None
            for mutable in group:
                mutable.select(selection, active.get(label, ()), scalars)

    def extract(self, architecture: Architecture) -> nn.Module:
        """Return the standalone network of an architecture, with the shared weights copied in.

        Args:
            architecture: A valid architecture of the space.

        Returns:
            A plain network that computes what `supernet(x, path(architecture))` computes.
        """
        path = self.path(architecture)
        network = copy.deepcopy(self.network)
        collapsed = collapse(network, path)
        if self._standalone is None:
            return collapsed
        plain = self._standalone(architecture).to(next(iter(self.parameters())))
        plain.load_state_dict(collapsed.state_dict())
        return plain.train(self.training)


def supernet_of(space: SearchSpace, task: TaskInfo, **options: Any) -> Supernet:
    """Make the supernet of a space.

    Args:
        space: Its space.
        task: The shapes of one problem.
        **options: See `SearchSpace.supernet_defaults`.

    Raises:
        NasError: For what the space cannot do, or if what it makes is no `Supernet`.
    """
    made = space.supernet(task, **options)
    if not isinstance(made, Supernet):
        raise NasError(f"space '{space.name}' made a {type(made).__name__}, not a nas.Supernet")
    return made

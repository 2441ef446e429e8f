"""What every mutable is: a module that runs what a selection says."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.space import Decision

__all__ = [
    "Condition",
    "Gate",
    "Mutable",
    "Node",
    "Scalars",
    "Selection",
    "executed",
    "is_zero",
    "named",
    "total",
]

Selection = int | tuple[int, ...] | Tensor
"""What a mutable runs: an option index, the indices of a k-of-n choice, or weights [options]."""

Condition = Callable[[dict[str, Hashable]], bool]
"""Whether a decision matters, from the options of earlier decisions that do, by name."""


@dataclass(frozen=True)
class Node:
    """Where edges come together of which an architecture keeps a number.

    An edge into it is absent because others are stronger, never by choosing its absent option.

    Args:
        name: Unique within the supernet; that of the node's own gate over its inputs, if any.
        keep: How many edges stay.
    """

    name: str
    keep: int


@dataclass(frozen=True)
class Gate:
    """A place in a supernet where weights over candidates enter.

    Args:
        name: Unique within the supernet; mutables with one label share a gate.
        options: What the weights are over, by name.
        choose: How many options an architecture keeps.
        ordered: Whether the options lie on a scale.
        absent: The option that gives only zeros, where there is one.
        node: Of the gate of an edge: where it leads, if edges compete there; None: whether the
            edge is absent is a choice among the options like any other.
    """

    name: str
    options: tuple[str, ...]
    choose: int = 1
    ordered: bool = False
    absent: int | None = None
    node: Node | None = None


class Scalars:
    """A tensor of weights [options] taken apart, once for all mutables of a gate."""

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights

    @cached_property
    def values(self) -> tuple[Tensor, ...]:
        """One scalar tensor an option."""
        return self._weights.unbind()


class Mutable(nn.Module):
    """A module of which an architecture fixes something.

    Args:
        label: The name of the gate. Mutables with the same label are decided together. None:
            the module's place in the network becomes the label.
        when: Says, from {name: option} of the earlier decisions that are active, whether this one
            is. Where it is not the first option is taken. None: always, as far as the mutable runs.
    """

    def __init__(self, label: str | None, when: Condition | None = None) -> None:
        super().__init__()
        self.label = label
        self.when = when
        self.selection: Selection | None = None
        self.active: tuple[int, ...] = ()  # the options that the selection executes
        self._scalars: Scalars | None = None

    def select(
        self,
        selection: Selection | None,
        active: tuple[int, ...],
        scalars: Scalars | None = None,
    ) -> None:
        """Set what the next forward passes run.

        Args:
            selection: See `Selection`.
            active: The options that it executes; see `executed`.
            scalars: Of a tensor of weights, the same for all mutables of a gate.
        """
        self.selection, self.active, self._scalars = selection, active, scalars

    @property
    def weights(self) -> tuple[Tensor, ...] | None:
        """One scalar an option, or None for a path."""
        return None if self._scalars is None else self._scalars.values

    @abstractmethod
    def gate(self) -> Gate:
        """Describe the gate of this mutable."""

    @abstractmethod
    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        """Return the plain module of one selection (nested mutables are left in it)."""

    @abstractmethod
    def decision(self) -> Decision:
        """Describe the decision of this mutable; its options are the selections of a path."""

    @abstractmethod
    def selections(self) -> list[int | tuple[int, ...]]:
        """Return what a path selects for every option of the decision."""

    @abstractmethod
    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        """Return each module inside with the options of the decision under which it runs."""

    def scaled(self, outputs: list[Tensor]) -> list[Tensor]:
        """Multiply the outputs of the active options by their weights, if there are weights."""
        weights = self.weights
        if weights is None:
            return outputs
        return [weights[i] * y for i, y in zip(self.active, outputs, strict=True)]

    def current(self) -> Selection:
        """Return the selection of this forward pass."""
        if self.selection is None:
            raise NasError(
                f"mutable '{self.label or type(self).__name__}' has nothing selected: run the "
                "network through its supernet, as supernet(x, weights)"
            )
        return self.selection


def named(candidates: Sequence[nn.Module] | Mapping[str, nn.Module], what: str) -> nn.ModuleDict:
    """Give candidates names: their keys, or position and class."""
    if not isinstance(candidates, Mapping):
        candidates = {f"{i}_{type(c).__name__}": c for i, c in enumerate(candidates)}
    if not candidates:
        raise NasError(f"{what} needs at least one candidate")
    try:
        return nn.ModuleDict(candidates)
    except (KeyError, TypeError) as error:  # names with dots or of PyTorch's own, not a module
        raise NasError(f"{what}: {error.args[0]}") from error


def executed(selections: Mapping[str, Selection]) -> dict[str, tuple[int, ...]]:
    """Return the options that selections execute: all but those of weight exactly zero."""
    found: dict[str, tuple[int, ...]] = {}
    tensors = {name: w for name, w in selections.items() if isinstance(w, Tensor)}
    if tensors:  # read together: on a GPU every read waits for it
        with torch.no_grad():
            values = iter(torch.cat(list(tensors.values())).tolist())
        for name, tensor in tensors.items():
            row = [next(values) for _ in range(len(tensor))]
            found[name] = tuple(i for i, value in enumerate(row) if value != 0.0)
    for name, selection in selections.items():
        if not isinstance(selection, Tensor):
            found[name] = selection if isinstance(selection, tuple) else (selection,)
    return found


def is_zero(module: nn.Module) -> bool:
    """Tell whether a module marks itself, by `is_zero = True`, as giving only zeros."""
    return bool(getattr(module, "is_zero", False))


def total(terms: list[Tensor], label: str | None) -> Tensor:
    """Add what the active options give; raises `NasError` where there are none."""
    if not terms:
        raise NasError(f"mutable '{label}': all weights are zero")
    return torch.stack(terms).sum(0) if len(terms) > 2 else sum(terms[1:], terms[0])

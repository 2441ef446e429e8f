"""The modules that supernets, built-in ones and users' own, are written with.

A mutable runs with its `selection`: an option index (a path: only that option is executed), or a
tensor of weights, one an option (a mixture: the weighted sum of the options' outputs). An option
of weight exactly zero is never executed, so a one-hot tensor costs what a path costs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nas.elastic import ELASTIC, ElasticKind
from nas.errors import NasError, unknown
from nas.space import Decision

__all__ = ["Elastic", "Gate", "Mutable", "OneOf", "Selection", "SomeOf", "collapse", "mutables"]

Selection = int | tuple[int, ...] | Tensor
"""What a mutable runs: an option index, the indices of a k-of-n choice, or weights [options]."""


@dataclass(frozen=True)
class Gate:
    """A place in a supernet where weights over candidates enter.

    Args:
        name: Unique within the supernet; mutables with one label share a gate.
        options: What the weights are over, by name.
        choose: How many options an architecture keeps.
        ordered: Whether the options lie on a scale.
        absent: The option that gives only zeros, where there is one.
    """

    name: str
    options: tuple[str, ...]
    choose: int = 1
    ordered: bool = False
    absent: int | None = None


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
    """

    def __init__(self, label: str | None) -> None:
        super().__init__()
        self.label = label
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


def _named(candidates: Sequence[nn.Module] | Mapping[str, nn.Module], what: str) -> nn.ModuleDict:
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


class OneOf(Mutable):
    """A choice of one module among several.

    Args:
        candidates: The modules, in order; a mapping gives the options its keys as names. All take
            the same input and give outputs of one shape.
        label: See `Mutable`.
    """

    def __init__(
        self,
        candidates: Sequence[nn.Module] | Mapping[str, nn.Module],
        label: str | None = None,
    ) -> None:
        super().__init__(label)
        self.candidates = _named(candidates, "OneOf")

    def gate(self) -> Gate:
        zeros = [i for i, module in enumerate(self.candidates.values()) if is_zero(module)]
        absent = zeros[0] if zeros else None
        return Gate(self.label or "", tuple(self.candidates), absent=absent)

    def decision(self) -> Decision:
        return Decision(self.label or "", tuple(self.candidates))

    def selections(self) -> list[int | tuple[int, ...]]:
        return list(range(len(self.candidates)))

    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        return [(module, (i,)) for i, module in enumerate(self.candidates.values())]

    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        assert isinstance(selection, int)
        return list(self.candidates.values())[selection]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Run the selected candidate, or the sum over i of weight[i] * candidate[i](*inputs)."""
        self.current()
        weights = self.weights
        candidates = list(self.candidates.values())
        if weights is None:
            output: Tensor = candidates[self.active[0]](*inputs)
            return output
        nonzero = [i for i in self.active if not is_zero(candidates[i])]
        return _total(
            [weights[i] * candidates[i](*inputs) for i in nonzero or self.active], self.label
        )

    def is_off(self) -> bool:
        """Tell whether all that the selection executes are candidates that give zeros."""
        candidates = list(self.candidates.values())
        return all(is_zero(candidates[i]) for i in self.active)


def _total(terms: list[Tensor], label: str | None) -> Tensor:
    if not terms:
        raise NasError(f"mutable '{label}': all weights are zero")
    return torch.stack(terms).sum(0) if len(terms) > 2 else sum(terms[1:], terms[0])


class Sum(nn.Module):
    """Run several modules on one input and add what they give.

    Args:
        modules: The modules by name.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.candidates = nn.ModuleDict(modules)

    def forward(self, *inputs: Tensor) -> Tensor:
        outputs = [module(*inputs) for module in self.candidates.values()]
        total: Tensor = sum(outputs[1:], outputs[0])
        return total


class SomeOf(Mutable):
    """A choice of `choose` modules among several; the output is the sum of those chosen.

    Args:
        candidates: As for `OneOf`.
        choose: How many an architecture keeps.
        label: See `Mutable`.
    """

    def __init__(
        self,
        candidates: Sequence[nn.Module] | Mapping[str, nn.Module],
        choose: int,
        label: str | None = None,
    ) -> None:
        super().__init__(label)
        self.candidates = _named(candidates, "SomeOf")
        if not 1 <= choose <= len(self.candidates):
            raise NasError(f"SomeOf: choose={choose}; allowed is 1 to {len(self.candidates)}")
        self.choose = choose

    def gate(self) -> Gate:
        return Gate(self.label or "", tuple(self.candidates), self.choose)

    def decision(self) -> Decision:
        names = list(self.candidates)
        options = ("+".join(names[i] for i in chosen) for chosen in self._combinations())
        return Decision(self.label or "", tuple(options))

    def _combinations(self) -> list[tuple[int, ...]]:
        return list(combinations(range(len(self.candidates)), self.choose))

    def selections(self) -> list[int | tuple[int, ...]]:
        return list(self._combinations())

    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        sets = self._combinations()
        return [
            (module, tuple(option for option, chosen in enumerate(sets) if i in chosen))
            for i, module in enumerate(self.candidates.values())
        ]

    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        assert isinstance(selection, tuple)
        names = list(self.candidates)
        total = Sum({names[i]: self.candidates[names[i]] for i in selection})
        total.training = total.candidates.training = self.training
        return total

    def forward(self, *inputs: Tensor) -> Tensor:
        """Run the sum of the selected candidates, or the sum of all with their weights."""
        self.current()
        candidates = list(self.candidates.values())
        outputs = [candidates[i](*inputs) for i in self.active]
        return _total(self.scaled(outputs), self.label)


class Elastic(Mutable):
    """A choice of one inner size of a block; smaller sizes use a part of the weights.

    The block's outer shapes stay the same, so that it fits wherever the block does. Give exactly
    one size with its options:

    * `width`: of a `Sequential` that starts and ends with `Linear` or `Conv2d`, the features
      between them; in between may stand whatever treats every feature alone.
    * `kernel_size`: of one `Conv2d` with "same" padding, the side of its kernel (its centre).
    * `depth`: of a `Sequential`, how many of its modules run.

    Args:
        module: The block at its largest size.
        label: See `Mutable`.
        **sizes: One of the above with its options, such as `width=(16, 32, 64)`.
    """

    def __init__(self, module: nn.Module, label: str | None = None, **sizes: Sequence[int]) -> None:
        super().__init__(label)
        if len(sizes) != 1:
            raise NasError(f"Elastic needs exactly one of {', '.join(ELASTIC)}; got {len(sizes)}")
        [(name, options)] = sizes.items()
        if name not in ELASTIC:
            raise unknown("elastic size", name, ELASTIC)
        self.module = module
        self.kind: ElasticKind = ELASTIC[name]
        self.size = name
        self.sizes = tuple(sorted(options))
        self.kind.require(module, self.sizes)

    def gate(self) -> Gate:
        return Gate(self.label or "", tuple(map(str, self.sizes)), ordered=True)

    def decision(self) -> Decision:
        return Decision(self.label or "", self.sizes, ordered=True)

    def selections(self) -> list[int | tuple[int, ...]]:
        return list(range(len(self.sizes)))

    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        if self.size != "depth":
            return []
        assert isinstance(self.module, nn.Sequential)
        return [
            (module, tuple(i for i, size in enumerate(self.sizes) if size > position))
            for position, module in enumerate(self.module)
        ]

    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        assert isinstance(selection, int)
        small = self.kind.extract(self.module, self.sizes[selection])
        small.training = self.module.training
        return small

    def forward(self, x: Tensor) -> Tensor:
        """Run the selected size, or the sum over sizes of weight * block of that size."""
        self.current()
        outputs = [self.kind.run(self.module, self.sizes[i], x) for i in self.active]
        return _total(self.scaled(outputs), self.label)


@runtime_checkable
class Collapsible(Protocol):
    """A module around mutables that looks different once they are decided."""

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the module to go on with; mutables in it are replaced afterwards."""


def mutables(network: nn.Module) -> dict[str, list[Mutable]]:
    """Collect the mutables of a network by label, in the order of its modules.

    A mutable without a label is given its place in the network as label.

    Raises:
        NasError: If two mutables share a label but not the same options.
    """
    found: dict[str, list[Mutable]] = {}
    for name, module in network.named_modules():
        if isinstance(module, Mutable):
            module.label = module.label or name or type(module).__name__
            found.setdefault(module.label, []).append(module)
    for label, group in found.items():
        gates = {mutable.gate() for mutable in group}
        if len(gates) > 1:
            raise NasError(f"mutables labelled '{label}' have different options: {gates}")
    return found


def collapse(module: nn.Module, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
    """Replace every mutable inside a module by what a path selects, in place.

    Args:
        module: A network, or part of one, written with mutables.
        path: Label -> selection.

    Returns:
        The module (another one if it is a mutable itself), without any mutable in it.
    """
    return _collapse(module, path, {})


def _collapse(
    module: nn.Module,
    path: Mapping[str, int | tuple[int, ...]],
    done: dict[nn.Module, nn.Module],
) -> nn.Module:
    """Collapse a module once, however many places of the network hold it."""
    if module not in done:
        done[module] = _collapsed(module, path, done)
    return done[module]


def _collapsed(
    module: nn.Module,
    path: Mapping[str, int | tuple[int, ...]],
    done: dict[nn.Module, nn.Module],
) -> nn.Module:
    if isinstance(module, Mutable):
        return _collapse(module.chosen(path[module.label or ""]), path, done)
    if isinstance(module, Collapsible):
        module = module.collapsed(path)
    for name, child in list(module._modules.items()):
        if child is not None:
            module._modules[name] = _collapse(child, path, done)
    return module

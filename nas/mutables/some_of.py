"""A choice of some modules, whose outputs are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables.mutable import Condition, Gate, Mutable, named, total
from nas.space import Decision

__all__ = ["SomeOf", "Sum"]


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
        added: Tensor = sum(outputs[1:], outputs[0])
        return added


class SomeOf(Mutable):
    """A choice of `choose` modules among several; the output is the sum of those chosen.

    Args:
        candidates: As for `OneOf`.
        choose: How many an architecture keeps.
        label: See `Mutable`.
        when: See `Mutable`.
    """

    def __init__(
        self,
        candidates: Sequence[nn.Module] | Mapping[str, nn.Module],
        choose: int,
        label: str | None = None,
        when: Condition | None = None,
    ) -> None:
        super().__init__(label, when)
        self.candidates = named(candidates, "SomeOf")
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
        return total(self.scaled(outputs), self.label)

"""A choice of one module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from nas.mutables.mutable import Condition, Gate, Mutable, is_zero, named, total
from nas.space import Decision

__all__ = ["OneOf"]


class OneOf(Mutable):
    """A choice of one module among several.

    Args:
        candidates: The modules, in order; a mapping gives the options its keys as names. All take
            the same input and give outputs of one shape.
        label: See `Mutable`.
        when: See `Mutable`.
    """

    def __init__(
        self,
        candidates: Sequence[nn.Module] | Mapping[str, nn.Module],
        label: str | None = None,
        when: Condition | None = None,
    ) -> None:
        super().__init__(label, when)
        self.candidates = named(candidates, "OneOf")

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
        return total(
            [weights[i] * candidates[i](*inputs) for i in nonzero or self.active], self.label
        )

    def is_off(self) -> bool:
        """Tell whether all that the selection executes are candidates that give zeros."""
        candidates = list(self.candidates.values())
        return all(is_zero(candidates[i]) for i in self.active)

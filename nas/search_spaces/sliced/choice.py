"""Choices that run nothing themselves: the network asks them what is selected."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.mutables import Gate, Mutable
from nas.space import Decision

__all__ = ["Choice", "Size", "chosen"]

Option = TypeVar("Option", bound=Hashable)


class Choice(Mutable, Generic[Option]):
    """A choice among values.

    Args:
        decision: The decision that it is the gate of.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.name)
        self._decision = decision
        self.options: tuple[Option, ...] = decision.options  # type: ignore[assignment]

    def gate(self) -> Gate:
        decision = self._decision
        return Gate(decision.name, tuple(map(str, decision.options)), ordered=decision.ordered)

    def decision(self) -> Decision:
        return self._decision

    def selections(self) -> list[int | tuple[int, ...]]:
        return list(range(len(self.options)))

    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        return []

    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        del selection
        return nn.Identity()

    def mix(self, run: Callable[[Option], Tensor]) -> Tensor:
        """Run what is selected, or the sum of weight * run(option) over the active options."""
        self.current()
        outputs = self.scaled([run(self.options[i]) for i in self.active])
        total: Tensor = sum(outputs[1:], outputs[0])
        return total


class Size(Choice[int]):
    """A choice of how many of some features, or of how large a kernel, is used.

    A mixture is computed at the largest size, and each feature weighs what the sizes that have it
    weigh together (Wan et al., FBNetV2, CVPR 2020, arXiv:2004.05565, sec. 3.1).
    """

    @property
    def largest(self) -> int:
        """The largest option that runs."""
        self.current()
        return self.options[max(self.active)]

    def masked(self, x: Tensor, sizes: Sequence[int] | None = None) -> Tensor:
        """Weigh the features of a mixture; on a path all weigh 1.

        Args:
            x: Features [B, size, ...] at the largest active size.
            sizes: What every option stands for here, ascending; None: the options themselves.
        """
        if not isinstance(self.selection, Tensor):
            return x
        mask = self.by_feature(self.selection, sizes)
        return x * mask.view(1, -1, *(1 for _ in x.shape[2:]))

    def by_feature(self, weights: Tensor, sizes: Sequence[int] | None = None) -> Tensor:
        """Return what the sizes that have a feature weigh together, [largest active size].

        Args:
            weights: Of the options, [number of options].
            sizes: As for `masked`.
        """
        sizes, totals = sizes or self.options, self._totals(weights)
        steps = (high - low for low, high in zip((0, *sizes), sizes, strict=False))
        return torch.cat([total.expand(step) for total, step in zip(totals, steps, strict=False)])

    def masked_kernel(self, weight: Tensor) -> Tensor:
        """Weigh the rings of a kernel [..., k, k], k the largest active size, in the same way."""
        if not isinstance(self.selection, Tensor):
            return weight
        rows = [
            F.pad(self.selection[i].expand(size, size), [(self.largest - size) // 2] * 4)
            for i, size in enumerate(self.options[: max(self.active) + 1])
        ]
        return weight * torch.stack(rows).sum(0)

    def _totals(self, weights: Tensor) -> Tensor:
        """Return for every option the weight of those that are at least as large."""
        return weights[: max(self.active) + 1].flip(0).cumsum(0).flip(0)


def chosen(
    choices: Mapping[str, Choice[Option]], path: Mapping[str, int | tuple[int, ...]]
) -> dict[str, Option]:
    """Return name -> option of a path."""
    found = {}
    for name, choice in choices.items():
        index = path[choice.label or ""]
        assert isinstance(index, int)
        found[name] = choice.options[index]
    return found

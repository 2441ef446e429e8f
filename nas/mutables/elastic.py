"""A choice of an inner size of a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from nas.elastic import ELASTIC, OTHER_WORDS, ElasticKind
from nas.errors import NasError, unknown
from nas.mutables.mutable import Condition, Gate, Mutable, total
from nas.space import Decision

__all__ = ["Elastic"]


class Elastic(Mutable):
    """A choice of one inner size of a block; smaller sizes use a part of the weights.

    The block's outer shapes stay the same, so that it fits wherever the block does. Give exactly
    one size with its options:

    * `width`: of a `Sequential` with at least two layers (`Linear`, ungrouped convolutions), the
      features or channels between the first and the last of them; in between may stand whatever
      treats every feature alone.
    * `kernel_size`: of one convolution with "same" padding, the side of its kernel (its centre).
    * `depth`: of a `Sequential`, how many of its modules run.
    * `heads`: of an `nn.MultiheadAttention`, or of a block that holds exactly one, how many heads
      run. The embedding and the features of a head stay.
    * `experts`: of a layer of experts such as `nas.search_spaces.moe.MoELayer`, how many there are.

    Args:
        module: The block at its largest size.
        label: See `Mutable`.
        when: See `Mutable`.
        **sizes: One of the above with its options, such as `width=(16, 32, 64)`.
    """

    def __init__(
        self,
        module: nn.Module,
        label: str | None = None,
        when: Condition | None = None,
        **sizes: Sequence[int],
    ) -> None:
        super().__init__(label, when)
        if len(sizes) != 1:
            raise NasError(f"Elastic needs exactly one of {', '.join(ELASTIC)}; got {len(sizes)}")
        [(name, options)] = sizes.items()
        if name in OTHER_WORDS:
            raise NasError(f"Elastic {name}=...: write {OTHER_WORDS[name]}=...")
        if name not in ELASTIC:
            raise unknown("elastic size", name, ELASTIC)
        self.kind: ElasticKind = ELASTIC[name]
        self.size = name
        self.sizes = tuple(sorted(options))
        self.kind.require(module, self.sizes)
        self.module = self.kind.prepared(module)

    def gate(self) -> Gate:
        return Gate(self.label or "", tuple(map(str, self.sizes)), ordered=True)

    def decision(self) -> Decision:
        return Decision(self.label or "", self.sizes, ordered=True)

    def selections(self) -> list[int | tuple[int, ...]]:
        return list(range(len(self.sizes)))

    def parts(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        return self.kind.parts(self.module, self.sizes)

    def chosen(self, selection: int | tuple[int, ...]) -> nn.Module:
        assert isinstance(selection, int)
        small = self.kind.extract(self.module, self.sizes[selection])
        small.training = self.module.training
        return small

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Run the selected size, or the sum over sizes of weight * block of that size.

        Of a block that returns several tensors, as attention does, each is such a sum.
        """
        self.current()
        outputs = [self.kind.run(self.module, self.sizes[i], *inputs, **named) for i in self.active]
        if not outputs or isinstance(outputs[0], Tensor):
            return total(self.scaled(outputs), self.label)
        return tuple(map(self._sum, zip(*outputs, strict=True)))

    def _sum(self, outputs: tuple[Tensor | None, ...]) -> Tensor | None:
        given = [y for y in outputs if y is not None]
        if not given:
            return None
        if len({y.shape for y in given}) > 1:
            raise NasError(
                f"mutable '{self.label}': a mixture of sizes gives tensors of different shapes, "
                f"{[tuple(y.shape) for y in given]}; of attention ask for averaged weights, or none"
            )
        return total(self.scaled(given), self.label)

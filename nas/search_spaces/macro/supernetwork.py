"""The network of NAS-Bench-Macro with every layer a choice: what `Supernet` wraps."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from nas.mutables import OneOf
from nas.search_spaces.macro.network import MacroStack, make_block


class MacroSupernetwork(MacroStack):
    """`MacroNetwork` with a choice at every layer, labelled as the space's decisions.

    Args:
        labels: Of every layer.
        operations: The candidates of every layer, names of `BLOCKS`.
        stages, input_channels, classes, channels, head: As for `MacroNetwork`.
    """

    def __init__(
        self,
        labels: Sequence[str],
        operations: Sequence[str],
        stages: Sequence[int],
        input_channels: int,
        classes: int,
        channels: int,
        head: int,
    ) -> None:
        self.labels, self.operations = list(labels), list(operations)
        super().__init__(stages, input_channels, classes, channels, head)

    def make_layer(self, number: int, c_in: int, c_out: int, stride: int) -> nn.Module:
        candidates = {name: make_block(name, c_in, c_out, stride) for name in self.operations}
        return OneOf(candidates, label=self.labels[number])

"""What there is to export."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.errors import NasError

if TYPE_CHECKING:
    from torch import nn

    from nas.space import Architecture, SearchSpace
    from nas.task import TaskInfo

__all__ = ["Request"]


@dataclass(frozen=True)
class Request:
    """A found network, its inputs, and where it comes from.

    Args:
        network: The plain network.
        input_shape: Of one example, without the batch.
        space: The search space, where known.
        architecture: What was found in it, where known.
        info: Of the task, where known.
    """

    network: nn.Module | None
    input_shape: tuple[int, ...]
    space: SearchSpace | None = None
    architecture: Architecture | None = None
    info: TaskInfo | None = None

    @property
    def kind(self) -> str:
        """Of the task; where it is not known, of images and vectors."""
        return "examples" if self.info is None else self.info.kind

    def frozen_network(self, to: str) -> nn.Module:
        """Return a copy of the network, on the CPU and in evaluation mode.

        Args:
            to: The format, for the error message.

        Raises:
            NasError: If there is no network, or one with something still undecided in it.
        """
        from nas.mutables import Mutable

        if self.network is None:
            raise NasError(f"export to {to} needs a network")
        for name, module in self.network.named_modules():
            if isinstance(module, Mutable):
                raise NasError(
                    f"export to {to}: '{name or type(module).__name__}' is still undecided "
                    f"({type(module).__name__}); export what supernet.extract(architecture) returns"
                )
        try:
            return copy.deepcopy(self.network).cpu().eval()
        except Exception as error:  # whatever an attribute may raise
            raise NasError(f"export to {to}: the network cannot be copied: {error}") from error

    def running_network(self, to: str) -> nn.Module:
        """Return what `frozen_network` does, but to be called with tensors also for graphs."""
        from nas.export.graph_inputs import on_tensors

        return on_tensors(self.frozen_network(to), self.kind)

    def decided(self, to: str) -> tuple[SearchSpace, Architecture]:
        """Return space and architecture, which some formats cannot do without."""
        if self.space is None or self.architecture is None:
            raise NasError(f"export to {to} needs the search space and the architecture")
        return self.space, self.space.require(self.architecture)

    def notation(self) -> str | None:
        """Return the architecture in its space's notation, where both are known."""
        if self.space is None or self.architecture is None:
            return None
        return self.space.format(self.architecture)

"""How many experts a layer has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

from torch import nn

from nas.elastic.kind import ElasticKind, require_sizes
from nas.errors import NasError

__all__ = ["ElasticExperts", "HasExperts"]


@runtime_checkable
class HasExperts(Protocol):
    """A layer of experts that runs with its first ones."""

    def most_experts(self) -> int:
        """Return how many experts there are."""

    def run_experts(self, experts: int, *inputs: Any, **named: Any) -> Any:
        """Do as `forward` does, with the first experts and the router's columns of them only."""

    def cut_experts(self, experts: int) -> nn.Module:
        """Return a plain layer with copies of the weights that `run_experts` runs."""

    def refuses_experts(self, sizes: Sequence[int]) -> str | None:
        """Say why the layer cannot run with all these numbers of experts; None if it can."""


class ElasticExperts(ElasticKind):
    """The first experts of a layer that can be cut, such as `nas.search_spaces.moe.MoELayer`."""

    def require(self, module: nn.Module, sizes: Sequence[int]) -> None:
        if not isinstance(module, HasExperts):
            raise NasError(
                "Elastic experts needs a layer of experts, such as nas.search_spaces.moe.MoELayer, "
                f"not {type(module).__name__}"
            )
        require_sizes("experts", sizes, module.most_experts())
        reason = module.refuses_experts(sizes)
        if reason:
            raise NasError(f"Elastic experts={tuple(sizes)}: {reason}")

    def run(self, module: nn.Module, size: int, *inputs: Any, **named: Any) -> Any:
        return cast("HasExperts", module).run_experts(size, *inputs, **named)

    def extract(self, module: nn.Module, size: int) -> nn.Module:
        return cast("HasExperts", module).cut_experts(size)

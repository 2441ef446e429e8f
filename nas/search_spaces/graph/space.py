"""What the spaces of graph networks have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nas.errors import NasError, unknown
from nas.search_spaces.sliced.groups import GroupSettings
from nas.settings import require_ranges, setting
from nas.space import SearchSpace

if TYPE_CHECKING:
    from nas.task import TaskInfo

__all__ = ["POOLS", "GraphNetworkSettings", "GraphSpace", "HiddenSettings"]

POOLS = ("mean", "max", "sum")
KINDS = ("nodes", "graphs")


@dataclass
class GraphNetworkSettings(GroupSettings):
    """Settings that networks on graphs have in common."""

    dropout: float = setting(0.6, "share of the features that is dropped in training")
    pool: str = setting("mean", "how the nodes of a graph are joined: mean, max or sum")

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise unknown(f"{self.group}.pool", self.pool, POOLS)
        require_ranges(self, self.group, {"dropout": (0 <= self.dropout < 1, "0 to below 1")})


@dataclass
class HiddenSettings(GraphNetworkSettings):
    """Settings of networks whose states all have as many features."""

    hidden: int = setting(64, "features of every state")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, self.group, {"hidden": (self.hidden >= 1, "at least 1")})


class GraphSpace(SearchSpace):
    """Networks that classify the nodes of a graph, or graphs."""

    kind: ClassVar[str] = "nodes"
    default_data: ClassVar[str] = "digits-graph"

    def features(self, task: TaskInfo) -> int:
        """Return the number of features of a node; raises `NasError` where there is no graph."""
        if task.kind not in KINDS:
            raise NasError(
                f"space '{self.name}' needs a graph (data: digits-graph, npz:FILE ...); the task "
                f"is of kind '{task.kind}' with inputs of shape {list(task.input_shape)}"
            )
        return task.input_shape[0]

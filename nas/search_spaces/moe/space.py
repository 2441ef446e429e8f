"""The space of token networks whose feed-forward blocks may be mixtures of experts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.errors import NasError
from nas.search_spaces.moe.decisions import (
    CAUSAL_ROUTERS,
    ROUTERS,
    WIDTHS,
    block_decisions,
    count_block,
)
from nas.search_spaces.sliced.groups import GroupSettings, fill_group
from nas.settings import require_ranges, setting
from nas.space import Architecture, Choices, Path, Scores, SearchSpace

if TYPE_CHECKING:
    from torch import nn

    from nas.mutables import Supernet
    from nas.task import TaskInfo

__all__ = ["MoE", "MoESequence", "MoESettings"]

_KINDS = ("tokens", "sequence")


@dataclass
class MoESettings(GroupSettings):
    """Settings of the network, and of the supernet."""

    width: int = setting(64, "dimension of tokens")
    heads: int = setting(4, "heads of the attention")
    expansion: int = setting(4, "hidden units of dense blocks, as a multiple of width")

    def __post_init__(self) -> None:
        divides = self.heads >= 1 and self.width % self.heads == 0
        ranges = {
            "width": (self.width >= 4 and self.width % 4 == 0, "a multiple of 4"),
            "heads": (divides, f"a divisor of width={self.width}"),
            "expansion": (self.expansion >= 1, "at least 1"),
        }
        require_ranges(self, self.group, ranges)


@registry.register(
    "search_spaces",
    "moe",
    "a small transformer; every feed-forward block dense or a mixture of experts (causal routers)",
    "Fedus et al., Switch Transformers, JMLR 2022, arXiv:2101.03961",
)
class MoE(SearchSpace):
    """Every block is dense or has experts; of those router, number, width, k and the like.

    All routers decide token by token, so that causal language models can use them; `moe-sequence`
    has those besides that look at the whole sequence.

    Args:
        blocks: Of the transformer.
    """

    name = "moe"
    description = "feed-forward blocks of a small transformer: dense, or experts with 7 routers"
    kind: ClassVar[str] = "tokens"
    default_data: ClassVar[str] = "stdlib"
    supernet_paths: ClassVar[str] = "sandwich"
    network_metrics: ClassVar[tuple[str, ...]] = ("max_load",)
    routers: ClassVar[tuple[str, ...]] = CAUSAL_ROUTERS

    def __init__(self, blocks: int = 4) -> None:
        if blocks < 1:
            raise NasError(f"space '{self.name}': blocks={blocks}; at least 1 is needed")
        self._take_options(blocks=blocks)
        names = [f"block{i}" for i in range(1, blocks + 1)]
        self.blocks = {name: block_decisions(name, self.routers) for name in names}
        self.decisions = tuple(d for block in self.blocks.values() for d in block.values())

    # -- validity -----------------------------------------------------------------------------

    def constraint(self, architecture: Architecture) -> str | None:
        chosen = self.options(architecture)
        for name in self.blocks:
            k, experts = chosen.get(f"{name}.k"), chosen.get(f"{name}.experts")
            if isinstance(k, int) and isinstance(experts, int) and k > experts:
                return f"{name} has {experts} experts, fewer than k={k}"
        return None

    def feasible(self, choices: Choices) -> NDArray[np.bool_]:
        active = self.active(choices)
        feasible = np.ones(len(choices), dtype=np.bool_)
        for name, block in self.blocks.items():
            k, experts = self._columns[f"{name}.k"], self._columns[f"{name}.experts"]
            ks, numbers = (np.array(block[n].options) for n in ("k", "experts"))
            feasible &= ~active[:, k] | (ks[choices[:, k]] <= numbers[choices[:, experts]])
        return feasible

    @property
    def size(self) -> int:
        return int(count_block(self.routers) ** len(self.blocks))

    # -- graph --------------------------------------------------------------------------------

    def graph(self, architecture: Architecture) -> nx.DiGraph[str]:
        """Return a chain of blocks; one of experts is a router, the experts and a shared one."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("input", op="input", kind="input")
        chosen, last = self.options(architecture), "input"
        for block in self.blocks:
            own = {
                name.partition(".")[2]: option
                for name, option in chosen.items()
                if name.startswith(f"{block}.")
            }
            last = _draw_block(graph, block, own, last)
        graph.add_node("output", op="output", kind="output")
        graph.add_edge(last, "output")
        return graph

    # -- networks -----------------------------------------------------------------------------

    def build(self, architecture: Architecture, task: TaskInfo, **settings: Any) -> nn.Module:
        from nas.search_spaces.moe.network import TokenNetwork

        shapes = self._shapes(task, settings, "network")
        chosen = self._values(self.require(architecture), shapes["hidden"])
        config = {"blocks": chosen, **shapes}
        network = TokenNetwork(**config)
        network.config = config
        return network

    def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
        from nas.mutables import Supernet
        from nas.search_spaces.moe.supernetwork import TokenSupernetwork
        from nas.search_spaces.sliced.options import without_cells

        rest = without_cells(options, self.name, "its blocks follow one another")
        shapes = self._shapes(task, rest, "supernet")
        network = TokenSupernetwork(list(self.blocks.values()), _hidden(shapes["hidden"]), **shapes)
        return Supernet(network, self.path, lambda a: self.build(a, task, **rest))

    def _shapes(self, task: TaskInfo, settings: dict[str, Any], group: str) -> dict[str, Any]:
        chosen = fill_group(MoESettings, settings, group)
        info = self._require_kind(task)
        return {
            "tokens": info.input_shape[0],
            "outputs": info.outputs,
            "features": 0 if info.kind == "tokens" else info.input_shape[1],
            "width": chosen.width,
            "heads": chosen.heads,
            "hidden": chosen.expansion * chosen.width,
        }

    def _require_kind(self, task: TaskInfo) -> TaskInfo:
        """Return the shapes of a task; `NasError` for one that has no tokens."""
        info: TaskInfo = getattr(task, "info", task)
        if info.kind not in _KINDS:
            raise NasError(
                f"space '{self.name}' needs text or sequences of vectors (data: stdlib, "
                f"text:PATH, digits-patches); this task is of kind '{info.kind}'"
            )
        return info

    def _values(self, architecture: Architecture, hidden: int) -> list[dict[str, Any]]:
        """Return what every block is made with; `TokenNetwork` says how."""
        found: list[dict[str, Any]] = []
        rows = iter(zip(self.decisions, architecture.choices, strict=True))
        for block in self.blocks.values():
            own = {name: next(rows) for name in block}
            chosen = {name: decision.options[choice] for name, (decision, choice) in own.items()}
            if chosen.pop("layer") == "dense":
                found.append({})
                continue
            chosen["hidden"] = _hidden(hidden)[WIDTHS.index(chosen.pop("width"))]
            chosen["shared"] = chosen["shared"] == "yes"
            found.append(chosen)
        return found

    def network_defaults(self, scale: str) -> dict[str, Any]:
        if scale == "paper":
            return {"width": 512, "heads": 8, "expansion": 4}
        return {"width": 32, "heads": 2, "expansion": 2}

    def supernet_defaults(self, scale: str) -> dict[str, Any]:
        return self.network_defaults(scale)

    def path(self, architecture: Architecture) -> Path:
        return {d.name: c for d, c in zip(self.decisions, architecture.choices, strict=True)}

    def derive(self, scores: Scores) -> Architecture:
        """Take the strongest option of every decision; of k and experts the strongest valid pair.

        That is the pair with the largest product of strengths.
        """
        choices: list[int] = []
        for block in self.blocks.values():
            row = {name: int(scores[d.name].argmax()) for name, d in block.items()}
            router = str(block["router"].options[row["router"]])
            if ROUTERS[router].k:
                products = np.outer(scores[block["experts"].name], scores[block["k"].name])
                numbers, ks = (np.array(block[name].options) for name in ("experts", "k"))
                products[ks[None, :] > numbers[:, None]] = -1.0
                best = np.unravel_index(int(products.argmax()), products.shape)
                row["experts"], row["k"] = int(best[0]), int(best[1])
            choices += row.values()
        array = np.array([choices], dtype=np.int64)
        self._reset_inactive(array)
        return self.from_array(array)[0]


@registry.register(
    "search_spaces",
    "moe-sequence",
    "as moe, for classifying sequences: also routers that look at the whole sequence",
    "Puigcerver et al., From Sparse to Soft Mixtures of Experts, ICLR 2024, arXiv:2308.00951",
)
class MoESequence(MoE):
    """`MoE` with expert choice, soft mixtures and SMEAR besides; for classification only."""

    name = "moe-sequence"
    description = "feed-forward blocks of a small transformer: dense, or experts with 10 routers"
    kind: ClassVar[str] = "sequence"
    default_data: ClassVar[str] = "digits-patches"
    routers: ClassVar[tuple[str, ...]] = tuple(ROUTERS)

    def for_task(self, task: TaskInfo) -> SearchSpace:
        self._require_kind(task)
        return self

    def _require_kind(self, task: TaskInfo) -> TaskInfo:
        info = super()._require_kind(task)
        if info.kind == "tokens":
            leaks = "; ".join(
                f"{name}: {facts.leak}" for name, facts in ROUTERS.items() if facts.leak
            )
            raise NasError(
                f"space '{self.name}' has routers that would see the tokens to be predicted "
                f"({leaks}); for text take the space 'moe'"
            )
        return info


def _hidden(dense: int) -> list[int]:
    """Return the hidden units of an expert for every option of `width`."""
    return [max(1, round(ratio * dense)) for ratio in WIDTHS]


def _draw_block(graph: nx.DiGraph[str], block: str, own: dict[str, Any], last: str) -> str:
    """Add a block to the graph behind node `last`; return its last node."""
    graph.add_node(block, op="sum", kind="node", label=block)
    if own["layer"] == "dense":
        ops = {f"{block}.dense": "dense"}
    else:
        details = [f"{name} {own[name]}" for name in ("k", "capacity", "auxiliary") if name in own]
        experts = f"{own['experts']} expert{'s' if own['experts'] > 1 else ''}"
        ops = {
            f"{block}.router": ", ".join([own["router"], *details]),
            f"{block}.experts": f"{experts}, width {own['width']}",
        }
    chain = [last, *ops, block]
    if own.get("shared") == "yes":
        ops[f"{block}.shared"] = f"shared, width {own['width']}"
        graph.add_edges_from([(last, f"{block}.shared"), (f"{block}.shared", block)])
    graph.add_nodes_from((name, {"op": op, "kind": "op"}) for name, op in ops.items())
    graph.add_edges_from(pairwise(chain))
    return block

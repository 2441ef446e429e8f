"""The token network with every feed-forward block a choice: what `Supernet` wraps.

Expert weights are held once, at the largest number and width. A smaller choice is a slice of them,
and of the router's columns; every kind of router has parameters of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from nas.mutables import Gate
from nas.search_spaces.moe.experts import Experts, FeedForward
from nas.search_spaces.moe.layer import MoELayer, make_router
from nas.search_spaces.moe.network import DenseLayer, TokenNetwork
from nas.search_spaces.moe.routers.autonomy import AutonomyRouter
from nas.search_spaces.moe.routers.router import Gating, Router
from nas.search_spaces.moe.size import Choices, Size, distribution, mixed
from nas.search_spaces.sliced.choice import Choice
from nas.space import Decision

__all__ = ["MoEChoice", "SizeGate", "TokenSupernetwork"]


class SizeGate(Choice[Any]):
    """A gate that runs nothing itself: the block asks it what is selected.

    Args:
        decision: Of the space.
        values: What the options stand for; None is what they are.
        absent: The option that gives only zeros, where there is one.
    """

    def __init__(
        self, decision: Decision, values: Sequence[Any] | None = None, absent: int | None = None
    ) -> None:
        super().__init__(decision)
        self.absent = absent
        self.values = tuple(values or decision.options)

    def gate(self) -> Gate:
        return replace(super().gate(), absent=self.absent)

    @property
    def choices(self) -> Choices:
        """The values that run, with their weights."""
        self.current()
        weights = self.weights
        return tuple((self.values[i], weights[i] if weights else None) for i in self.active)

    def total(self) -> float | Tensor:
        """The value of a path, or the sum of weight * value."""
        terms = [value if weight is None else weight * value for value, weight in self.choices]
        total: float | Tensor = sum(terms[1:], terms[0])
        return total


class MoEChoice(nn.Module):
    """A feed-forward block, dense or of experts, with all that can be chosen about it.

    A path runs exactly the plain layer of its sizes. A mixture runs every kind of router once, at
    the largest sizes: experts, hidden units and choices count by the total weight of the sizes that
    have them, and capacity is that of the mean number of experts and k. Experts run once for all
    routers that weigh their outputs. The gate of `auxiliary` has no say in the task's own loss, so
    that gradients alone draw it towards zero.

    Args:
        decisions: Of the block, by their names without the block's: layer, router, experts, width
            (with numbers of hidden units), k, capacity, shared, auxiliary.
        dimension: Of tokens.
        hidden: Units of the dense block.
        widths: Hidden units of experts, for the options of `width`.
        tokens: Of a sequence.
        names: How many different numbers tokens have; 0: they are vectors.
    """

    def __init__(
        self, decisions: Mapping[str, Decision], dimension: int, hidden: int,
        widths: Sequence[int], tokens: int, names: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.arguments: dict[str, Any] = {"dimension": dimension, "tokens": tokens, "names": names}
        self.gates = nn.ModuleDict()
        for name, decision in decisions.items():
            absent = 0 if name in ("shared", "auxiliary") else None
            values = widths if name == "width" else None
            self.gates[name] = SizeGate(decision, values, absent)
        numbers, largest = self._gate("experts").values, max(widths)
        self.dense = DenseLayer(dimension, hidden)
        self.experts = Experts(max(numbers), dimension, largest)
        self.shared = FeedForward(dimension, largest)
        shape = (dimension, max(numbers), largest, tokens, names or tokens, min(numbers))
        self.routers = nn.ModuleDict(
            {name: make_router(name, *shape) for name in self._gate("router").values}
        )

    def _gate(self, name: str) -> SizeGate:
        gate = self.gates[name]
        assert isinstance(gate, SizeGate)
        return gate

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        """Run tokens [B, T, d], named by int64 [B, T]."""
        total: Tensor | None = None
        for name, weight in self._gate("layer").choices:
            y = mixed(self.dense(x) if name == "dense" else self._mixture(x, ids), weight)
            total = y if total is None else total + y
        assert total is not None
        return total

    def _mixture(self, x: Tensor, ids: Tensor) -> Tensor:
        """Run the experts that are selected."""
        size = self._size()
        total = torch.zeros_like(x)
        gated: list[tuple[Gating, Tensor | None]] = []
        for router, weight in self._routers():
            if isinstance(router, Gating) and not isinstance(router, AutonomyRouter):
                gated.append((router, weight))
            else:
                total = total + mixed(router.run(x, ids, self.experts, size), weight)
        if gated:  # they weigh outputs of the same experts, which run once
            gates = sum(mixed(router(x, ids, size, self.experts), w) for router, w in gated)
            assert isinstance(gates, Tensor)
            capacity = gated[0][0].room(x.shape[1], size) if len(gated) == 1 else None
            total = total + self.experts.routed(x, gates, size, capacity)
        for value, weight in self._gate("shared").choices:
            if value == "yes":
                total = total + mixed(self.shared(x, size.width), weight)
        return total

    def _routers(self) -> Iterator[tuple[Router, Tensor | None]]:
        gate = self._gate("router")
        for name, weight in gate.choices:
            router = self.routers[str(name)]
            assert isinstance(router, Router)
            yield router, weight

    def _size(self) -> Size:
        names = ("experts", "k", "capacity")
        experts, k, capacity = (distribution(self._gate(name).choices) for name in names)
        width, auxiliary = self._gate("width").choices, self._gate("auxiliary").total()
        return Size(experts, width, k, capacity, auxiliary)

    @torch.no_grad()
    def sort_hidden(self) -> None:
        """Put the strongest hidden units of all experts first; the function stays the same."""
        order = self.experts.sort_hidden("smear" in self.routers)  # which averages their weights
        for router in self.routers.values():
            if isinstance(router, AutonomyRouter):  # its second factor leads to the same units
                router.up.copy_(router.up.gather(2, order.unsqueeze(1).expand_as(router.up)))
        self.shared.sort_hidden()

    # -- one choice ---------------------------------------------------------------------------

    def collapsed(self, path: Mapping[str, int | tuple[int, ...]]) -> nn.Module:
        """Return the plain block of a path, with copies of the weights that it runs."""
        chosen: dict[str, Any] = {}
        for name in self.gates:
            index = path[self._gate(name).label or ""]
            assert isinstance(index, int)
            chosen[name] = self._gate(name).values[index]
        if chosen.pop("layer") == "dense":
            return self.dense
        plain = MoELayer(**self.arguments, **layer_arguments(chosen)).to(self.experts.w1)
        wide, own = self.state_dict(), f"routers.{chosen['router']}."
        plain.load_state_dict(
            {
                name: _part(wide[name.replace("router.", own, 1)], tensor)
                for name, tensor in plain.state_dict().items()
            }
        )
        return plain.train(self.training)


def layer_arguments(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Turn what is chosen of a block of experts into arguments of `MoELayer`."""
    same = {name: chosen[name] for name in ("router", "experts", "k", "capacity", "auxiliary")}
    return {**same, "hidden": chosen["width"], "shared": chosen["shared"] == "yes"}


def _part(tensor: Tensor, like: Tensor) -> Tensor:
    """Return the first entries of a tensor, as many as another one has."""
    return tensor[tuple(slice(0, size) for size in like.shape)]


class TokenSupernetwork(TokenNetwork):
    """`TokenNetwork` with a choice of every feed-forward block.

    Args:
        decisions: Of every block; see `MoEChoice`.
        widths: Hidden units of experts, for the options of `width`.
        **shapes: As for `TokenNetwork`.
    """

    def __init__(
        self, decisions: Sequence[Mapping[str, Decision]], widths: Sequence[int], **shapes: Any
    ) -> None:
        self.decisions, self.widths = list(decisions), list(widths)
        super().__init__(blocks=[{} for _ in decisions], **shapes)

    def make_layer(self, number: int) -> nn.Module:
        decisions, shape = self.decisions[number], (self.width, self.hidden)
        return MoEChoice(decisions, *shape, self.widths, self.tokens, self.names)

    def sort_hidden(self) -> None:
        """Put the strongest hidden units of all experts first; see `Experts.sort_hidden`."""
        for module in self.modules():
            if isinstance(module, MoEChoice):
                module.sort_hidden()

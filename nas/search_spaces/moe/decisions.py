"""What can be chosen of a block, and which combinations are valid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

from nas.space import Decision

__all__ = ["CAUSAL_ROUTERS", "ROUTERS", "WIDTHS", "RouterFacts", "block_decisions", "count_block"]


@dataclass(frozen=True)
class RouterFacts:
    """What the space has to know of a router.

    Args:
        k: Whether it chooses a number of experts a token.
        capacity: Whether its experts have limited room.
        auxiliary: Whether it has an auxiliary loss.
        leak: Why it cannot be used in a causal model; empty where it can.
    """

    k: bool = False
    capacity: bool = False
    auxiliary: bool = False
    leak: str = ""


_TOKEN_CHOICE = RouterFacts(k=True, capacity=True, auxiliary=True)

ROUTERS = {
    "top-k": _TOKEN_CHOICE,
    "noisy-top-k": _TOKEN_CHOICE,
    "hyper": _TOKEN_CHOICE,
    "compete": _TOKEN_CHOICE,
    "autonomy": _TOKEN_CHOICE,
    "hash": RouterFacts(capacity=True),
    "kan": RouterFacts(),
    "expert-choice": RouterFacts(
        capacity=True, leak="its experts take the best tokens of the whole sequence"
    ),
    "soft": RouterFacts(leak="its slots are averages over the whole sequence"),
    "smear": RouterFacts(leak="it merges experts by the mean of the whole sequence"),
}
"""By their options; those that leak come last, so that others have one index everywhere."""
CAUSAL_ROUTERS = tuple(name for name, facts in ROUTERS.items() if not facts.leak)

EXPERTS = (1, 2, 4, 8)
K = (1, 2, 4)
WIDTHS = (0.25, 0.5, 1.0, 2.0)
"""Hidden units of an expert, as a multiple of the dense block's."""
CAPACITIES = (1.0, 1.25, 2.0)
AUXILIARY = (0.0, 1e-3, 1e-2)


def block_decisions(block: str, routers: tuple[str, ...]) -> dict[str, Decision]:
    """Return the decisions of a block by their short names.

    Args:
        block: Its name, such as `block1`.
        routers: Options of `router`.
    """
    of_experts = ((f"{block}.layer", ("moe",)),)

    def having(fact: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        able = tuple(name for name in routers if getattr(ROUTERS[name], fact))
        return ((f"{block}.router", able),)

    def decision(name: str, options: tuple[object, ...], when: object) -> Decision:
        return Decision(f"{block}.{name}", options, name in _ORDERED, when)  # type: ignore[arg-type]

    return {
        "layer": decision("layer", ("dense", "moe"), ()),
        "router": decision("router", routers, of_experts),
        "experts": decision("experts", EXPERTS, of_experts),
        "width": decision("width", WIDTHS, of_experts),
        "k": decision("k", K, having("k")),
        "capacity": decision("capacity", CAPACITIES, having("capacity")),
        "shared": decision("shared", ("no", "yes"), of_experts),
        "auxiliary": decision("auxiliary", AUXILIARY, having("auxiliary")),
    }


_ORDERED = {"experts", "width", "k", "capacity", "auxiliary"}


@lru_cache
def count_block(routers: tuple[str, ...]) -> int:
    """Return how many valid choices a block has."""
    total = 1  # dense
    for facts in (ROUTERS[name] for name in routers):
        sizes = sum(k <= e for e, k in product(EXPERTS, K)) if facts.k else len(EXPERTS)
        rest = [len(WIDTHS), 2]
        rest += [len(CAPACITIES)] * facts.capacity + [len(AUXILIARY)] * facts.auxiliary
        total += sizes * prod(rest)
    return total

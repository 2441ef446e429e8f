"""What a layer of experts runs for nothing: places that no token takes.

All experts are two batched matrix products of one shape, so that those who have few tokens run on
empty places, and without a limit of capacity every expert on every token. Of a sequence of T
tokens with k experts each, k * T places are needed: 2 k d h multiply-accumulates a token.
"""

from __future__ import annotations

from nas.search_spaces.moe.experts import Experts
from nas.search_spaces.moe.routers.autonomy import AutonomyRouter
from nas.search_spaces.moe.routers.hashed import HashRouter
from nas.search_spaces.moe.routers.router import Router, TokenChoice
from nas.search_spaces.moe.size import Size, largest

__all__ = ["idle_multiply_adds"]


def idle_multiply_adds(
    router: Router, experts: Experts, size: Size, sequences: int, tokens: int
) -> int:
    """Return how many multiply-accumulates of a pass its result does not need.

    Only routers by which every token takes its experts leave places empty: the slots of others are
    full, and all experts of a dense mixture have a say in every token.

    Args:
        router: The layer's.
        experts: The layer's.
        size: What runs; one value of each size.
        sequences: In the batch.
        tokens: Of a sequence.
    """
    if not isinstance(router, (TokenChoice, HashRouter)):
        return 0
    e = size.most_experts
    k = min(largest(size.k), e) if isinstance(router, TokenChoice) else 1
    room = router.room(tokens, size)
    places = e * (tokens if room is None else room)
    _, dimension, _ = experts.w1.shape
    inputs = router.up.shape[1] if isinstance(router, AutonomyRouter) else dimension
    each = (inputs + dimension) * size.most_width
    return sequences * max(0, places - k * tokens) * each

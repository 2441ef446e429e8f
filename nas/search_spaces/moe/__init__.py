"""Mixtures of experts: the search space, and its routers and layers for use on their own.

    from nas.search_spaces.moe import MoELayer, TopKRouter

Torch is imported with the first of these, not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nas.search_spaces.moe.space import MoE, MoESequence, MoESettings

_LAZY = {
    "AutonomyRouter": "routers.autonomy",
    "CompeteRouter": "routers.compete",
    "Experts": "experts",
    "ExpertChoiceRouter": "routers.expert_choice",
    "FeedForward": "experts",
    "HashRouter": "routers.hashed",
    "HyperRouter": "routers.hyper",
    "KANRouter": "routers.kan",
    "MoELayer": "layer",
    "NoisyTopKRouter": "routers.noisy_top_k",
    "SmearRouter": "routers.smear",
    "SoftRouter": "routers.soft",
    "TokenNetwork": "network",
    "TopKRouter": "routers.top_k",
    "expert_loads": "loads",
    "with_auxiliary": "auxiliary",
}
"""Name -> the module below this one that has it."""

__all__ = ["MoE", "MoESequence", "MoESettings", *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})

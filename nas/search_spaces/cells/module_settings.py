"""The settings of networks and supernets of modules (TransNAS-Bench-101)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas.search_spaces.cells.settings import STEMS, SuperCellSettings
from nas.settings import require_ranges, setting

__all__ = ["CellModuleSettings", "ModuleSettings", "ModuleSupernetSettings"]


def _require(settings: Any, where: str) -> None:
    ranges = {
        "channels": (
            settings.channels > 0 and settings.channels % 2 == 0,
            "an even number above 0",
        ),
        "blocks": (settings.blocks > 0, "at least 1"),
        "stem": (settings.stem in STEMS, " or ".join(STEMS)),
    }
    parts = getattr(settings, "partial_channels", 1)
    fits = parts > 0 and settings.channels % max(parts, 1) == 0
    ranges["partial_channels"] = (fits, f"a divisor of {where}.channels={settings.channels}")
    require_ranges(settings, where, ranges)


@dataclass
class ModuleSettings:
    """Settings of `BasicModuleNetwork`."""

    channels: int = setting(64, "channels before the modules")
    blocks: int = setting(2, "blocks a module")
    stem: str = setting("imagenet", "imagenet (resolution / 4 before the modules), or cifar")

    def __post_init__(self) -> None:
        _require(self, "network")


@dataclass
class CellModuleSettings(ModuleSettings):
    """Settings of `CellModuleNetwork`."""

    affine: bool = setting(True, "scale and shift in the cells' batch norm")
    partial_channels: int = setting(1, "operations see every k-th part of the channels")


@dataclass
class ModuleSupernetSettings(SuperCellSettings):
    """Settings of `ModuleSupernetwork`."""

    channels: int = setting(64, "channels before the modules")
    blocks: int = setting(2, "blocks a module")
    stem: str = setting("imagenet", "imagenet (resolution / 4 before the modules), or cifar")

    def __post_init__(self) -> None:
        _require(self, "supernet")
        super().__post_init__()

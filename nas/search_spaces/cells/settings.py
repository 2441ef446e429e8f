"""The settings of networks and supernets of cells."""

from __future__ import annotations

from dataclasses import dataclass

from nas.errors import NasError, unknown
from nas.settings import setting

STEMS = ("cifar", "imagenet")
EXECUTIONS = ("fused", "plain")


def _require_positive(group: str, **values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise NasError(f"{group}.{name}={value}: at least 1 is needed")


def _require_split(channels: int, partial_channels: int) -> None:
    if partial_channels < 1 or channels % partial_channels:
        raise NasError(
            f"network.partial_channels={partial_channels}: must divide network.channels={channels}"
        )


@dataclass
class CellNetworkSettings:
    """Settings of `CellNetwork`."""

    channels: int = setting(36, "channels of the first cells' nodes")
    layers: int = setting(20, "number of cells")
    stem: str = setting("cifar", "cifar, or imagenet (resolution / 8 before the cells)")
    auxiliary: bool = setting(False, "an auxiliary head at two thirds of the depth")
    affine: bool = setting(True, "scale and shift in the cells' batch norm")
    pool_norm: bool = setting(False, "batch norm after pooling, as in the supernet")
    partial_channels: int = setting(1, "operations see every k-th part of the channels")

    def __post_init__(self) -> None:
        _require_positive("network", channels=self.channels, layers=self.layers)
        _require_split(self.channels, self.partial_channels)
        if self.stem not in STEMS:
            raise unknown("network.stem", self.stem, STEMS)


@dataclass
class SuperCellSettings:
    """Settings of the cells of any supernet."""

    affine: bool = setting(False, "scale and shift in the cells' batch norm")
    partial_channels: int = setting(1, "operations see every k-th part of the channels")
    edge_gates: bool = setting(False, "a gate over the inputs of every node")
    execution: str = setting("fused", "fused, or plain: one operation on one edge after the other")
    checkpoint: bool = setting(
        False, "compute each cell again in the backward pass: less memory, more time"
    )

    def __post_init__(self) -> None:
        if self.execution not in EXECUTIONS:
            raise unknown("supernet.execution", self.execution, EXECUTIONS)


@dataclass
class CellSupernetSettings(SuperCellSettings):
    """Settings of a supernet of stacked normal and reduction cells."""

    channels: int = setting(16, "channels of the first cells' nodes")
    layers: int = setting(8, "number of cells")
    stem: str = setting("cifar", "cifar, or imagenet (resolution / 8 before the cells)")

    def __post_init__(self) -> None:
        _require_positive("supernet", channels=self.channels, layers=self.layers)
        if self.layers < 3:
            raise NasError(
                f"supernet.layers={self.layers}: at least 3 are needed, for there are two "
                "reduction cells"
            )
        if self.stem not in STEMS:
            raise unknown("supernet.stem", self.stem, STEMS)
        super().__post_init__()


@dataclass
class DenseNetworkSettings:
    """Settings of `DenseNetwork`."""

    channels: int = setting(16, "channels of the first stage")
    cells: int = setting(5, "cells a stage")
    affine: bool = setting(True, "scale and shift in the cells' batch norm")
    partial_channels: int = setting(1, "operations see every k-th part of the channels")

    def __post_init__(self) -> None:
        _require_positive("network", channels=self.channels, cells=self.cells)
        _require_split(self.channels, self.partial_channels)


@dataclass
class DenseSupernetSettings(SuperCellSettings):
    """Settings of a supernet of NAS-Bench-201 cells."""

    channels: int = setting(16, "channels of the first stage")
    cells: int = setting(5, "cells a stage")

    def __post_init__(self) -> None:
        _require_positive("supernet", channels=self.channels, cells=self.cells)
        super().__post_init__()

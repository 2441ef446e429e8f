"""The contracts, over modules of a user with functions, heads and partial channels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pytest
from torch import Tensor, nn

pytest.register_assert_rewrite("nas.testing")

from nas.mutables import Elastic, OneOf, SomeOf  # noqa: E402
from nas.search_spaces.module import ModuleSpace  # noqa: E402
from nas.space import SearchSpace  # noqa: E402
from nas.testing import SpaceContract, SupernetContract  # noqa: E402


def conv(kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    layer = nn.Conv2d(8, 8, kernel, stride, kernel // 2, groups=groups)
    return nn.Sequential(layer, nn.BatchNorm2d(8), nn.ReLU())


class Conditional(nn.Module):
    """Conditions that are functions beside those of nesting, a constraint, a repeated label."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        act = {"relu": nn.ReLU(), "tanh": nn.Tanh()}
        self.first = OneOf({"conv": conv(3), "skip": nn.Identity()}, label="first")
        self.act = OneOf(act, label="act", when=self.is_conv)
        deep = nn.Sequential(conv(1), OneOf(act, label="act"), OneOf([conv(1), conv(3)], "inner"))
        self.deep = Elastic(deep, label="deep", depth=(1, 2, 3))
        heads = nn.TransformerEncoderLayer(8, 4, 16, dropout=0.0, batch_first=True)
        self.heads = Elastic(heads, "heads", lambda o: "inner" not in o, heads=(1, 2, 4))
        self.classifier = nn.Linear(8, 10)

    @staticmethod
    def is_conv(options: dict[str, Hashable]) -> bool:
        return options["first"] == "conv"

    @staticmethod
    def constraint(options: dict[str, Hashable]) -> str | None:
        return "too plain" if options["first"] == "skip" and options["deep"] == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.deep(self.act(self.first(self.stem(x))))
        return self.classifier(self.heads(x[:, :, ::2, ::2].flatten(2).transpose(1, 2)).mean(1))


class TestConditionalModule(SpaceContract, SupernetContract):
    networks = 4
    matching_settings: Mapping[str, Any] = {}

    def make_space(self) -> SearchSpace:
        return ModuleSpace(Conditional)


class Edges(nn.Module):
    """Choices as PC-DARTS needs them: same channels, the same or half the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        inner = OneOf({"one": conv(1), "three": conv(3)}, label="inner")
        self.same = OneOf(
            {"conv": conv(3), "deep": nn.Sequential(inner, nn.PReLU()), "skip": nn.Identity()},
            label="same",
        )
        self.halve = OneOf(
            {"depthwise": conv(5, 2, groups=8), "pool": nn.MaxPool2d(3, 2, 1)}, label="halve"
        )
        self.some = SomeOf([conv(1), conv(3), nn.Identity()], choose=2, label="some")
        self.classifier = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.some(self.halve(self.same(self.stem(x)))).mean((2, 3)))


class TestPartialChannels(SupernetContract):
    supernet_options: Mapping[str, Any] = {"partial_channels": 4, "edge_gates": True}

    def make_space(self) -> SearchSpace:
        return ModuleSpace(Edges)

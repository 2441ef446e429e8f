"""The contracts, over every registered search space and over modules of a user."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from torch import Tensor, nn

pytest.register_assert_rewrite("nas.testing")

from nas import registry  # noqa: E402
from nas.mutables import Elastic, OneOf, SomeOf  # noqa: E402
from nas.search_spaces.module import ModuleSpace  # noqa: E402
from nas.space import SearchSpace  # noqa: E402
from nas.task import TaskInfo  # noqa: E402
from nas.testing import SpaceContract, SupernetContract  # noqa: E402
from nas.testing.contract import TASKS  # noqa: E402

Options = Mapping[str, Any]

CELLS = {"channels": 4, "layers": 3}
DENSE = {"channels": 4, "cells": 1}
BUILD: dict[str, Options] = {
    "darts": CELLS,
    "nasnet": CELLS,
    "nas-bench-201": DENSE,
}
"""Small settings of `build`; a space without an entry takes its own for scale "small"."""

VARIANTS: tuple[Options, ...] = (
    {},
    {"channels": 8, "partial_channels": 4, "edge_gates": True},
    {"channels": 8, "partial_channels": 2, "edge_gates": True, "affine": True},
)
GRAPH = {"hidden": 8}
SUPERNETS: dict[str, list[Options]] = {
    "darts": [CELLS | variant for variant in VARIANTS],
    "nas-bench-201": [DENSE | variant for variant in VARIANTS],
    "nas-bench-graph": [GRAPH],
    "gnn": [{}, {"shrink": 4, "separate": ("attention",)}],
    "gnn-micro": [GRAPH, GRAPH | {"cells": 3}],
    "gnn-mp": [GRAPH],
    "gnn-edges": [{"hidden": 6, "edge_hidden": 4, "cells": 2}],
}
"""Options of `supernet`; a space without an entry takes its own for scale "small"."""

TASK_VARIANTS: dict[str, list[TaskInfo]] = {
    "nas-bench-graph": [TASKS["graphs"]],
    "gnn": [TASKS["graphs"]],
    "gnn-micro": [TASKS["graphs"]],
    "gnn-mp": [replace(TASKS["nodes"], edge_features=2), replace(TASKS["graphs"], edge_features=1)],
}
"""More tasks that supernets are tested on, beside that of the space's kind."""

ALWAYS: dict[str, Options] = {"darts": {"pool_norm": True}}
"""What `build` needs besides to give the networks that a supernet extracts."""


def matching(name: str, options: Options) -> Options | None:
    """Return the settings of `build` that match a supernet's options."""
    if name not in SUPERNETS or "shrink" in options:
        return None
    if registry.get("search_spaces", name).factory.kind == "nodes":
        return options
    same = {key: value for key, value in options.items() if key != "edge_gates"}
    return {"affine": False, **same, **ALWAYS.get(name, {})}


def registered() -> list[type]:
    """Make the test classes of every registered space: one of it, one a set of options."""
    classes = []
    for name, entry in registry.names("search_spaces").items():
        space: SearchSpace = entry.factory()
        build = BUILD.get(name, space.network_defaults("small"))
        common = {
            "make_space": lambda _, make=entry.factory: make(),
            "network_settings": build,
            "canonical_is_exact": name != "nas-bench-201",
        }
        for i, options in enumerate(SUPERNETS.get(name, [space.supernet_defaults("small")])):
            own = {
                "supernet_options": options,
                "matching_settings": matching(name, options),
                "networks": 2 if i == 0 else 1,
            }
            if i == 0:
                classes.append(type(f"Test_{name}", (SpaceContract,), common | own))
            label = "_".join(f"{key}_{value}" for key, value in options.items())
            classes.append(type(f"Test_{name}_{label}", (SupernetContract,), common | own))
        classes += other_tasks(name, common)
    return classes


def other_tasks(name: str, common: Mapping[str, Any]) -> list[type]:
    """Make the test classes of a space on other tasks."""
    classes = []
    for i, task in enumerate(TASK_VARIANTS.get(name, [])):
        own = {
            "make_task": lambda _, task=task: task,
            "supernet_options": SUPERNETS[name][0],
            "matching_settings": matching(name, SUPERNETS[name][0]),
            "networks": 1,
        }
        bases = (SpaceContract, SupernetContract)
        classes.append(type(f"Test_{name}_task_{i}", bases, {**common, "samples": 20} | own))
    return classes


globals().update({cls.__name__: cls for cls in registered()})


def test_which_spaces_have_a_supernet() -> None:
    """Other tests skip a supernet that is refused; these are not to be skipped."""
    for name, options in SUPERNETS.items():
        space = registry.get("search_spaces", name).factory()
        for chosen in options:
            assert space.supernet(TASKS[space.kind], **chosen).gates


# -- modules of a user ------------------------------------------------------------------------


def conv(kernel: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, kernel, padding=kernel // 2), nn.BatchNorm2d(4))


class Net(nn.Module):
    """Every kind of mutable, some inside others."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        inner = OneOf({"one": conv(1), "three": conv(3)}, label="inner")
        self.block = OneOf(
            {"conv": conv(3), "deep": nn.Sequential(inner, nn.ReLU()), "skip": nn.Identity()},
            label="block",
        )
        self.mix = SomeOf([conv(1), conv(3), nn.AvgPool2d(3, 1, 1)], choose=2)
        wide = [nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1)]
        self.wide = Elastic(nn.Sequential(*wide), width=(2, 4, 8))
        self.kernel = Elastic(nn.Conv2d(4, 4, 5, padding=2), kernel_size=(1, 3, 5))
        nested = OneOf([conv(1), nn.Tanh()], label="nested")
        self.deep = Elastic(nn.Sequential(conv(1), nested, conv(3)), depth=(1, 2, 3))
        self.classifier = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        for part in (self.stem, self.block, self.mix, self.wide, self.kernel, self.deep):
            x = part(x)
        return self.classifier(x.mean((2, 3)))


class TestModule(SpaceContract, SupernetContract):
    networks = 8
    matching_settings: Mapping[str, Any] = {}

    def make_space(self) -> SearchSpace:
        return ModuleSpace(Net)

    def test_size(self) -> None:
        block, mix, width, kernel, depth = 2 + 2, 3, 3, 3, 1 + 2 * 2
        assert self.make_space().size == block * mix * width * kernel * depth


def narrow_where_deep(options: dict[str, Hashable]) -> str | None:
    return "too large" if options["deep"] == 3 and options["wide"] == 8 else None


class TestConstrainedModule(SpaceContract):
    def make_space(self) -> SearchSpace:
        return ModuleSpace(Net, name="small-net", constraint=narrow_where_deep)

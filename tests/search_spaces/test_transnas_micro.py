"""TransNAS-Bench-101, cells: published facts, the notation, networks, the supernet."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.transnas_micro import OPERATIONS, TransNASMicro
from nas.space import Architecture, SearchSpace
from nas.task import TaskInfo
from nas.testing import SpaceContract, SupernetContract

SPACE = TransNASMicro()
SMALL = {"channels": 4, "blocks": 1, "stem": "cifar"}
PUBLISHED = {"channels": 64, "blocks": 2, "stem": "imagenet"}


class TestTransNASMicro(SpaceContract, SupernetContract):
    network_settings: Mapping[str, Any] = SMALL
    supernet_options: Mapping[str, Any] = SMALL
    matching_settings: Mapping[str, Any] | None = {**SMALL, "affine": False}
    samples = 100
    networks = 1

    def make_space(self) -> SearchSpace:
        return TransNASMicro()


class TestPartialChannels(SupernetContract):
    """What PC-DARTS asks for; cells that widen do without partial channels."""

    supernet_options: Mapping[str, Any] = {
        **SMALL, "channels": 8, "affine": True, "partial_channels": 4, "edge_gates": True,
    }  # fmt: skip
    matching_settings: Mapping[str, Any] | None = {**SMALL, "channels": 8, "partial_channels": 4}
    networks = 1

    def make_space(self) -> SearchSpace:
        return TransNASMicro()


class TestRecomputed(SupernetContract):
    supernet_options: Mapping[str, Any] = {**SMALL, "checkpoint": True, "stem": "imagenet"}
    networks = 1

    def make_space(self) -> SearchSpace:
        return TransNASMicro()


# -- published facts ------------------------------------------------------------------------------


def test_size() -> None:
    assert SPACE.size == len(list(product(range(4), repeat=6))) == 4_096


def test_the_papers_example() -> None:
    """Node 1 skips from 0, node 2 adds nothing and a 1x1 convolution, node 3 three of 3x3."""
    a = SPACE.parse("64-41414-1_02_333")
    assert SPACE.operations(a) == [
        "skip_connect", "none", "nor_conv_1x1", "nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3",
    ]  # fmt: skip
    assert SPACE.format(a) == "64-41414-1_02_333"


def test_published_shapes() -> None:
    """Resolution / 4 before the modules and / 8 in them; channels from 64 to 512."""
    with torch.device("meta"):
        network = SPACE.build(
            SPACE.parse("64-41414-3_33_333"), TaskInfo((3, 224, 224), 75), **PUBLISHED
        )
        x = network.stem(torch.zeros(2, 3, 224, 224))
        assert x.shape == (2, 64, 56, 56)
        shapes = []
        for block in network.blocks:
            x = block(x)
            shapes.append((x.shape[1], x.shape[2]))
    stages = [(128, 28), (128, 28), (256, 14), (256, 14), (512, 7)]
    assert shapes == [stage for stage in stages for _ in range(2)]
    assert network.classifier.in_features == 512


def parameters(text: str) -> int:
    with torch.device("meta"):
        network = SPACE.build(SPACE.parse(text), TaskInfo((3, 64, 64), 75), **PUBLISHED)
    return sum(p.numel() for p in network.parameters())


def test_parameters_count_up() -> None:
    """By hand: stem 3*32*9 + 2*32 + 32*64*9 + 2*64, classifier 512*75 + 75; then cell by cell."""
    outside = 3 * 32 * 9 + 64 + 32 * 64 * 9 + 128 + 512 * 75 + 75
    widening = [(64, 128), (128, 256), (256, 512)]
    keeping = [128, 128, 128, 256, 256, 256, 512]
    assert parameters("64-41414-0_00_000") == outside
    only_input = sum(a * b * 9 + 2 * b for a, b in widening)
    assert parameters("64-41414-0_00_300") == outside + only_input + sum(
        c * c * 9 + 2 * c for c in keeping
    )
    later = sum(b * b + 2 * b for _, b in widening) + sum(c * c + 2 * c for c in keeping)
    assert parameters("64-41414-0_00_002") == outside + later
    skips = sum(a * b + 2 * b for a, b in widening)  # two convolutions of half the width
    assert parameters("64-41414-0_00_100") == outside + skips
    assert parameters("64-41414-0_01_000") == outside


# -- notation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", "64-41414-1_02_33", "64-41414-1_02_334", "64-1234-basic", "32-41414-1_02_333",
        "64-4141-1_02_333", "64-41414-1_02_3333", "|none~0|", "64-41414-" + "1" * 10_000,
    ],
)  # fmt: skip
def test_parse_says_what_is_expected(text: str) -> None:
    with pytest.raises(NasError, match=r"'transnas-micro': .* such as 64-41414-1_02_333") as error:
        SPACE.parse(text)
    assert len(str(error.value)) < 300


# -- networks -------------------------------------------------------------------------------------


def test_a_skip_between_inner_states_passes_on() -> None:
    """Weights are given by the order of the modules that both have."""
    networks = []
    for text in ("64-41414-3_01_001", "64-41414-3_00_010"):
        torch.manual_seed(0)
        networks.append(SPACE.build(SPACE.parse(text), TaskInfo((3, 8, 8), 5), **SMALL).eval())
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(networks[0](x), networks[1](x))


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@pytest.mark.parametrize("size", [8, 9, 33])
def test_any_size_of_image(stem: str, size: int) -> None:
    for a in SPACE.sample(np.random.default_rng(size), 3):
        network = SPACE.build(a, TaskInfo((1, size, size), 4), channels=4, blocks=1, stem=stem)
        assert network(torch.randn(2, 1, size, size)).shape == (2, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 5}, "{}.channels=5: expected an even number above 0"),
        ({"blocks": 0}, "{}.blocks=0: expected at least 1"),
        ({"stem": "none"}, "{}.stem='none': expected cifar or imagenet"),
        ({"channels": 6, "partial_channels": 4}, "{}.partial_channels=4: expected a divisor of"),
        ({"layers": 3}, "unknown setting of {} 'layers'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    a = Architecture("transnas-micro", (0,) * 6)
    with pytest.raises(NasError, match=message.format("network")):
        SPACE.build(a, TaskInfo((3, 8, 8), 2), **settings)
    with pytest.raises(NasError, match=message.format("supernet")):
        SPACE.supernet(TaskInfo((3, 8, 8), 2), **settings)


def test_the_operations_are_those_of_the_notation() -> None:
    assert OPERATIONS == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")

"""Once-for-all: published facts, parts of the supernet, progressive shrinking."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.errors import NasError
from nas.search_spaces.mobile import supernetwork
from nas.search_spaces.mobile.network import divisible
from nas.search_spaces.mobilenet import DEPTHS, EXCITED, WIDTHS, MobileNet
from nas.search_spaces.sliced.layers import batch_norm
from nas.space import Architecture, SearchSpace
from nas.task import TaskInfo
from nas.testing import SpaceContract, SupernetContract

SPACE = MobileNet()
IMAGENET = TaskInfo((3, 224, 224), 1000)
DIGITS = TaskInfo((1, 8, 8), 10)
TINY = {"stem": "cifar", "scale": 0.25, "dropout": 0.0}


class TestMobileNet(SpaceContract, SupernetContract):
    network_settings = TINY
    supernet_options = TINY
    matching_settings: Mapping[str, Any] | None = TINY
    samples = 100
    networks = 1

    def make_space(self) -> SearchSpace:
        return MobileNet()


class TestMobileNetWithDropout(SupernetContract):
    supernet_options = TINY | {"dropout": 0.3}
    networks = 1

    def make_space(self) -> SearchSpace:
        return MobileNet()


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def uniform(kernel: int, expansion: int, depth: int, width: float = 1.0) -> Architecture:
    parts = [f"width={width}"]
    for stage in range(1, 6):
        parts += [f"depth{stage}={depth}", f"se{stage}={'yes' if stage in EXCITED else 'no'}"]
        for place in range(1, depth + 1):
            parts.append(f"kernel{stage}.{place}={kernel}")
            parts.append(f"expansion{stage}.{place}={expansion}")
    return SPACE.parse(";".join(parts))


# -- published facts ------------------------------------------------------------------------------


def test_size() -> None:
    """Sec. 3.1: ((3 x 3)^2 + (3 x 3)^3 + (3 x 3)^4)^5, about 2 x 10^19."""
    paper = sum(9**depth for depth in DEPTHS) ** 5
    assert 2e19 < paper < 2.2e19
    assert SPACE.size == paper * 2**5 * len(WIDTHS)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ofa-mbv3-w1.0-largest", 7_664_760),
        ("ofa-mbv3-w1.0-smallest", 3_410_792),
        ("ofa-mbv3-w1.2-largest", 10_701_632),
        ("ofa-mbv3-w1.2-smallest", 4_602_456),
    ],
)
def test_parameters_are_those_of_the_published_code(name: str, count: int) -> None:
    """Counted in mit-han-lab/once-for-all, `get_active_subnet` of `ofa_mbv3_d234_e346_k357`."""
    with torch.device("meta"):
        assert parameters(SPACE.build(SPACE.catalogue()[name], IMAGENET)) == count


def test_the_catalogue() -> None:
    assert SPACE.catalogue()["ofa-mbv3-w1.0-largest"] == uniform(7, 6, 4)
    assert SPACE.catalogue()["ofa-mbv3-w1.2-smallest"] == uniform(3, 3, 2, width=1.2)


@pytest.mark.parametrize(
    ("channels", "expected"), [(3, 8), (12, 16), (19.2, 24), (132, 136), (10, 16), (44, 48)]
)
def test_channels_are_multiples_of_eight(channels: float, expected: int) -> None:
    assert divisible(channels) == expected


# -- the supernet's mixtures ----------------------------------------------------------------------


def supernet() -> Any:
    torch.manual_seed(0)
    return SPACE.supernet(DIGITS, **TINY).eval()


def mixed(net: Any, a: Architecture, name: str, *weights: float) -> dict[str, Any]:
    return {**net.path(a), name: torch.tensor(weights)}


def test_a_mixture_of_depths_is_the_sum_of_the_outputs() -> None:
    net, x = supernet(), torch.randn(4, 1, 8, 8)
    stage = net.network.largest.stages[1]
    h = torch.randn(4, 8, 8, 8)
    a = uniform(5, 4, 4)
    outputs = []
    for weights in ((1.0, 0, 0), (0, 0, 1.0), (0.4, 0, 0.6)):
        with net.selected(mixed(net, a, "depth2", *weights)):
            outputs.append(net.network._stage(stage, h, 2))
    assert torch.allclose(outputs[2], 0.4 * outputs[0] + 0.6 * outputs[1], atol=1e-6)
    assert net(x, net.path(a)).shape == (4, 10)


@pytest.mark.parametrize("name", ["kernel2.2", "expansion2.2"])
def test_mixtures_inside_a_block_are_sums_before_the_next_norm(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the two linear layers: what the depthwise or the last convolution gives."""
    net, h = supernet(), torch.randn(4, 16, 8, 8)
    block, a = net.network.largest.stages[1][1], uniform(7, 6, 4)
    layer = block.depth.norm if name.startswith("kernel") else block.project.norm
    assert h.shape[1] == net.network.channels[1][3]
    seen: list[torch.Tensor] = []

    def spy(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
        if norm is layer:
            seen.append(x)
        return batch_norm(norm, x)

    monkeypatch.setattr(supernetwork, "batch_norm", spy)
    for weights in ((1.0, 0, 0), (0, 0, 1.0), (0.3, 0, 0.7)):
        selection = {**mixed(net, a, name, *weights), "se2": 0}
        with net.selected(selection):
            net.network._block(block, h, 3, "2.2")
    assert torch.allclose(seen[2], 0.3 * seen[0] + 0.7 * seen[1], atol=1e-5)


def test_smaller_networks_are_parts_of_the_largest() -> None:
    net = supernet()
    large, small = net.extract(uniform(7, 6, 4)), net.extract(uniform(3, 3, 2))
    wide, narrow = (n.stages[2][1] for n in (large, small))
    c = narrow.depth.conv.weight.shape[0]
    assert torch.equal(narrow.depth.conv.weight, wide.depth.conv.weight[:c, :, 2:5, 2:5])
    assert torch.equal(narrow.project.conv.weight, wide.project.conv.weight[:, :c])


# -- progressive shrinking ------------------------------------------------------------------------


def test_shrinking_opens_options_and_never_closes_one() -> None:
    stages = [SPACE.shrinking(stage) for stage in range(SPACE.shrinking_stages)]
    for before, after in pairwise(stages):
        assert before != after
        assert all(set(before[name]) <= set(after[name]) for name in before)
    assert stages[-1] == {d.name: d.options for d in SPACE.decisions}


def test_shrinking_starts_with_the_largest_network() -> None:
    rows = SPACE.sample_shrunk(np.random.default_rng(0), 5, 0)
    assert SPACE.from_array(rows) == [SPACE.catalogue()["ofa-mbv3-w1.2-largest"]] * 5


@pytest.mark.parametrize("stage", range(7))
def test_samples_of_a_stage_are_open_at_it(stage: int) -> None:
    opened = SPACE.shrinking(stage)
    rows = SPACE.sample_shrunk(np.random.default_rng(0), 200, stage)
    assert SPACE.valid(rows).all()
    for a in SPACE.from_array(rows):
        assert all(option in opened[name] for name, option in SPACE.options(a).items())


def test_unknown_stages_are_refused() -> None:
    with pytest.raises(NasError, match="stage 7 of shrinking: allowed is 0 to 6"):
        SPACE.shrinking(7)


# -- what is refused ------------------------------------------------------------------------------


def test_vectors_are_refused() -> None:
    with pytest.raises(NasError, match="'mobilenet' needs images"):
        SPACE.supernet(TaskInfo((5,), 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"scale": 0.0}, "scale=0.0"), ({"dropout": 1.0}, "dropout=1.0"), ({"stem": "x"}, "stem")],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        SPACE.supernet(DIGITS, **settings)


def test_a_stage_is_named_by_what_it_opens() -> None:
    before = SPACE.shrinking(0)
    assert SPACE.shrinking_name(0) == "full"
    for stage in range(1, SPACE.shrinking_stages):
        now = SPACE.shrinking(stage)
        opened = {name for name in now if now[name] != before[name] and name[:2] != "se"}
        assert {name.rstrip("0123456789.") for name in opened} == {SPACE.shrinking_name(stage)}
        before = now

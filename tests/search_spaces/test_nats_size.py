"""NATS-Bench, sizes: published facts, the notation, networks, the supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.nats_size import LAYERS, WIDTHS, NATSSize
from nas.space import Architecture, SearchSpace
from nas.task import TaskInfo
from nas.testing import SpaceContract, SupernetContract

SPACE = NATSSize()
CELL = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)


class TestNATSSize(SpaceContract, SupernetContract):
    matching_settings: Mapping[str, Any] | None = {}
    samples = 100
    networks = 1

    def make_space(self) -> SearchSpace:
        return NATSSize()


# -- published facts ------------------------------------------------------------------------------


def test_size() -> None:
    assert SPACE.size == 8**5 == 32_768
    assert WIDTHS == (8, 16, 24, 32, 40, 48, 56, 64)


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("width", [8, 64])
def test_equal_widths_are_the_cell_of_nas_bench_201(width: int) -> None:
    """Stem, three cells and the ends are those; blocks between keep the width here."""
    cells, info = NASBench201(), TaskInfo((3, 32, 32), 10)
    with torch.device("meta"):
        same = cells.build(cells.parse(CELL), info, channels=width, cells=1)
        sized = SPACE.build(SPACE.parse(":".join([str(width)] * 5)), info)
    shapes = [[tuple(p.shape) for p in n.cells[0].parameters()] for n in (same,)]
    for layer in (0, 2, 4):
        assert [tuple(p.shape) for p in sized.layers[layer].parameters()] == shapes[0]
    block = 2 * width * width * 9 + 4 * width + width * width
    cell = sum(p.numel() for p in same.cells[0].parameters())
    ends = width * 27 + 2 * width + 2 * width + 10 * width + 10
    assert parameters(sized) == 3 * cell + 2 * block + ends


def test_parameters_count_up() -> None:
    """By hand; a skip is a convolution and batch norm where the width changes."""
    a, b, c, d, e = 8, 16, 24, 32, 40

    def conv(c_in: int, c_out: int, kernel: int = 3) -> int:
        return c_in * c_out * kernel**2 + 2 * c_out

    def cell(c_in: int, c_out: int) -> int:
        project = conv(c_in, c_out, 1) if c_in != c_out else 0
        return 2 * conv(c_in, c_out) + 3 * conv(c_out, c_out) + project

    def block(c_in: int, c_out: int) -> int:
        return conv(c_in, c_out) + conv(c_out, c_out) + c_in * c_out

    with torch.device("meta"):
        network = SPACE.build(SPACE.parse("8:16:24:32:40"), TaskInfo((3, 32, 32), 10))
    layers = cell(a, a) + block(a, b) + cell(b, c) + block(c, d) + cell(d, e)
    assert parameters(network) == conv(3, a) + layers + 2 * e + 10 * e + 10


# -- notation -------------------------------------------------------------------------------------


def test_notation() -> None:
    a = SPACE.parse("8:16:24:32:40")
    assert a == Architecture("nats-size", (0, 1, 2, 3, 4)) == SPACE.parse(" 8:16: 24:32:40\n")
    assert SPACE.format(a) == "8:16:24:32:40"
    assert SPACE.options(a)["reduction2"] == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 5 widths such as"),
        ("8:8:8:8", "expected 5 widths such as"),
        ("8:8:8:8:8:8", "expected 5 widths such as"),
        ("8:8:8:8:9", "unknown width of 'cell3' '9'"),
        ("8:-8:8:8:8", "unknown width of 'reduction1' '-8'"),
        (":" * 10_000, "expected 5 widths such as"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(NasError, match=message) as error:
        SPACE.parse(text)
    assert len(str(error.value)) < 300


def test_graph() -> None:
    graph = SPACE.graph(SPACE.parse("8:16:24:32:40"))
    ops = [data["op"] for _, data in graph.nodes(data=True)]
    assert ops == [
        "input",
        "cell 8",
        "reduction 16",
        "cell 24",
        "reduction 32",
        "cell 40",
        "output",
    ]


# -- networks -------------------------------------------------------------------------------------


def test_derive_takes_the_strongest_width() -> None:
    scores = {layer: np.eye(8)[i + 1] for i, layer in enumerate(LAYERS)}
    assert SPACE.format(SPACE.derive(scores)) == "16:24:32:40:48"


def test_settings_are_refused() -> None:
    info = TaskInfo((3, 8, 8), 2)
    with pytest.raises(NasError, match=r"network\.channels: space 'nats-size' has no such setting"):
        SPACE.build(SPACE.parse("8:8:8:8:8"), info, channels=4)
    with pytest.raises(NasError, match=r"supernet\.cells: space 'nats-size' has no such setting"):
        SPACE.supernet(info, cells=4)
    for options in ({"partial_channels": 4}, {"edge_gates": True}):
        with pytest.raises(
            NasError, match=r"has no partial channels or edge gates.*take a strategy"
        ):
            SPACE.supernet(info, **options)
    assert SPACE.supernet(info, partial_channels=1, edge_gates=False).gates.keys() == set(LAYERS)

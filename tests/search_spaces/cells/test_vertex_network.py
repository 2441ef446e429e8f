"""The network of NAS-Bench-101: channels of vertices, cells, stacks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.search_spaces.cells.vertex_network import VertexCell, VertexNetwork, vertex_channels

Matrix = list[list[int]]
LINE: Matrix = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
FORK: Matrix = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
TRIDENT: Matrix = [
    [0, 1, 1, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0],
]  # fmt: skip
JOINED: Matrix = [
    [0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0],
]  # fmt: skip
SPLIT: Matrix = [
    [0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0],
]  # fmt: skip
CROSSED: Matrix = [
    [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0],
]  # fmt: skip
C3, C1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"


@pytest.mark.parametrize(
    ("matrix", "c_in", "c_out", "channels"),
    [
        (LINE, 8, 8, [8, 8, 8, 8]),
        (LINE, 8, 16, [8, 16, 16, 16]),
        (LINE, 16, 8, [16, 8, 8, 8]),
        ([[0, 1], [0, 0]], 1, 5, [1, 5]),
        (JOINED, 8, 16, [8, 16, 16, 16, 16]),
        (FORK, 8, 16, [8, 8, 8, 16]),
        (FORK, 8, 15, [8, 8, 7, 15]),
        (TRIDENT, 8, 8, [8, 3, 3, 2, 8]),
        (TRIDENT, 8, 15, [8, 5, 5, 5, 15]),
        (SPLIT, 8, 9, [8, 5, 5, 4, 9]),
        (CROSSED, 8, 15, [8, 8, 7, 7, 15]),
    ],
)
def test_published_channels(matrix: Matrix, c_in: int, c_out: int, channels: list[int]) -> None:
    """The examples of the published code (nasbench/tests/model_builder_test.py)."""
    assert vertex_channels(c_in, c_out, matrix) == channels


def cell(matrix: Matrix, *ops: str, c_in: int = 4, c_out: int = 7) -> VertexCell:
    made = VertexCell(matrix, ["input", *ops, "output"], c_in, c_out, 0.1)
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.bias)
    return made.eval()


def images() -> torch.Tensor:
    return torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))


def test_the_output_concatenates() -> None:
    made, x = cell(FORK, C3, POOL), images()
    first = made.vertices[0](made.projections["1"](x))
    second = made.vertices[1](made.projections["2"](x))
    assert first.shape[1] == 4 and second.shape[1] == 3
    assert torch.allclose(made(x), torch.cat([first, second], 1))


def test_a_direct_edge_is_added_after_concatenation() -> None:
    matrix = [[0, 1, 1, 1], *FORK[1:]]
    made, x = cell(matrix, C3, C1), images()
    parts = [made.vertices[i](made.projections[str(i + 1)](x)) for i in (0, 1)]
    assert torch.allclose(made(x), torch.cat(parts, 1) + made.projections["3"](x))


def test_what_is_wider_loses_its_last_channel() -> None:
    """In CROSSED vertex 1 has four channels, vertices 2 and 3 have three."""
    made, x = cell(CROSSED, C3, C1, POOL), images()
    assert made.channels == [4, 4, 3, 3, 7]
    first = made.vertices[0](made.projections["1"](x))
    second = made.vertices[1](first[:, :3])
    third = made.vertices[2](second + made.projections["3"](x))
    assert torch.allclose(made(x), torch.cat([first, third], 1))


def test_nothing_but_a_direct_edge() -> None:
    made, x = cell([[0, 1], [0, 0]]), images()
    assert torch.equal(made(x), made.projections["1"](x)) and not len(made.vertices)


def test_pooling_has_no_weights_and_keeps_the_size() -> None:
    made = cell(LINE, POOL, POOL)
    assert {name.split(".")[0] for name, _ in made.named_parameters()} == {"projections"}
    assert made(images()).shape == (2, 7, 6, 6)


def test_stacks() -> None:
    made = VertexNetwork(FORK, ["input", C3, C1, "output"], 1, 5, channels=6, stacks=3, cells=2)
    shapes = []
    for layer in made.layers:
        layer.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    assert made(torch.randn(2, 1, 9, 9)).shape == (2, 5)
    assert shapes == [
        (6, 9, 9), (6, 9, 9), (6, 9, 9),
        (6, 5, 5), (12, 5, 5), (12, 5, 5),
        (12, 3, 3), (24, 3, 3), (24, 3, 3),
    ]  # fmt: skip


def test_momentum_is_that_of_all_batch_norm() -> None:
    made = VertexNetwork(FORK, ["input", C3, C1, "output"], 1, 5, channels=6, momentum=0.25)
    assert {m.momentum for m in made.modules() if isinstance(m, nn.BatchNorm2d)} == {0.25}


def test_an_unknown_operation_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown operation 'conv5x5'"):
        cell(LINE, C3, "conv5x5")

"""The network of stacked cells: shapes, where cells reduce, heads, drop path."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nas.search_spaces.cells.genotypes import DARTS_GENOTYPES, NASNET_GENOTYPES
from nas.search_spaces.cells.network import Cell, CellNetwork, Genotype, PreparedCell
from nas.search_spaces.cells.operations import FactorizedReduce, ReLUConvBN

SKIP = Genotype(
    [("skip_connect", 0), ("skip_connect", 1)], [2], [("skip_connect", 0), ("skip_connect", 1)], [2]
)


def network(genotype: Genotype = DARTS_GENOTYPES["DARTS_V2"], **settings: Any) -> CellNetwork:
    settings = {"channels": 4, "layers": 3, **settings}
    return CellNetwork(genotype, 3, settings.pop("input_size", 16), 10, **settings)


def widths(made: CellNetwork) -> list[int]:
    """Return the channels of the nodes of every cell."""
    return [cell.prepare1.conv.out_channels for cell in made.cells]


@pytest.mark.parametrize("name", [*DARTS_GENOTYPES, *NASNET_GENOTYPES])
def test_published_genotypes_run(name: str) -> None:
    genotype = {**DARTS_GENOTYPES, **NASNET_GENOTYPES}[name]
    output = network(genotype)(torch.randn(2, 3, 16, 16))
    assert output.shape == (2, 10)


@pytest.mark.parametrize(
    ("layers", "reductions"),
    [(1, [0]), (2, [0, 1]), (3, [1, 2]), (5, [1, 3]), (8, [2, 5]), (20, [6, 13])],
)
def test_cells_reduce_at_a_third_and_two_thirds(layers: int, reductions: list[int]) -> None:
    with torch.device("meta"):
        made = network(SKIP, layers=layers)
    expected, width = [], 4
    for layer in range(layers):
        width *= 2 if layer in reductions else 1
        expected.append(width)
    assert widths(made) == expected


def test_reduction_halves_the_resolution() -> None:
    made = network(layers=6)
    sizes = []
    for cell in made.cells:
        cell.register_forward_hook(lambda _, __, y: sizes.append(y.shape[-1]))
    made(torch.randn(2, 3, 16, 16))
    assert sizes == [16, 16, 8, 8, 4, 4]


def test_after_a_reduction_the_older_input_is_halved() -> None:
    made = network(layers=6)
    kinds = [type(cell.prepare0) for cell in made.cells]
    assert [kind is FactorizedReduce for kind in kinds] == [False, False, False, True, False, True]
    assert {type(cell.prepare1) for cell in made.cells} == {ReLUConvBN}


def test_images_need_not_be_square_or_even() -> None:
    assert network()(torch.randn(2, 3, 15, 9)).shape == (2, 10)


def test_imagenet_stem_reduces_by_eight() -> None:
    made = network(stem="imagenet", channels=8)
    sizes = []
    made.cells[0].register_forward_hook(lambda _, x, y: sizes.extend([x[0].shape, x[1].shape]))
    assert made(torch.randn(2, 3, 64, 64)).shape == (2, 10)
    assert sizes == [(2, 8, 16, 16), (2, 8, 8, 8)]


# -- one cell ---------------------------------------------------------------------------------


def test_a_node_adds_and_a_cell_concatenates() -> None:
    pairs = [("skip_connect", 0), ("skip_connect", 1), ("skip_connect", 0), ("skip_connect", 2)]
    s0, s1 = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    first, second = s0 + s1, s0 + (s0 + s1)
    cell = Cell(pairs, [2, 3], 4, False, True, False, 1)
    assert torch.equal(cell(s0, s1), torch.cat([first, second], 1))
    assert torch.equal(
        Cell(pairs, [3, 0], 4, False, True, False, 1)(s0, s1), torch.cat([second, s0], 1)
    )


def test_only_edges_from_the_inputs_have_stride() -> None:
    pairs = [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 1), ("sep_conv_3x3", 2)]
    cell = Cell(pairs, [2, 3], 4, True, True, False, 1)
    strides = [edge.first.depthwise.stride[0] for edge in cell.edges]
    assert strides == [2, 2, 2, 1]


# -- heads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 28, 32])
def test_auxiliary_head_in_training_only(size: int) -> None:
    made = network(layers=6, auxiliary=True, input_size=size)
    x = torch.randn(2, 3, size, size)
    logits, auxiliary = made.train()(x)
    assert logits.shape == auxiliary.shape == (2, 10)
    assert made.eval()(x).shape == (2, 10)
    with_head = {name.split(".")[0] for name, _ in made.named_parameters()}
    without = {name.split(".")[0] for name, _ in network(layers=6).named_parameters()}
    assert with_head - without == {"auxiliary_head"}


def test_auxiliary_head_of_the_paper() -> None:
    """At 8 x 8, as CIFAR gives it, the pooling has stride 3 and leaves 2 x 2."""
    made = network(layers=6, auxiliary=True, input_size=32)
    pool = made.auxiliary_head.features[1]
    assert isinstance(pool, nn.AvgPool2d) and (pool.kernel_size, pool.stride) == (5, 3)


# -- settings ---------------------------------------------------------------------------------


def test_affine_is_that_of_the_cells() -> None:
    made = network(affine=False)
    affine = [m.affine for c in made.cells for m in c.modules() if isinstance(m, nn.BatchNorm2d)]
    assert set(affine) == {False}
    assert made.stem[0][1].affine


def test_pool_norm_adds_statistics_but_no_parameters() -> None:
    plain, normed = network(), network(pool_norm=True)
    assert plain.state_dict().keys() < normed.state_dict().keys()
    assert dict(plain.named_parameters()).keys() == dict(normed.named_parameters()).keys()


def test_drop_path() -> None:
    torch.manual_seed(0)
    made = network()
    x = torch.randn(4, 3, 16, 16)

    def differs() -> bool:
        return not torch.equal(made(x), made(x))

    assert not differs()
    made.set_drop_path(0.5)
    assert all(cell.cell.drop_path == 0.5 for cell in made.cells if isinstance(cell, PreparedCell))
    assert differs()
    assert not made.eval().training and not differs()


def test_drop_path_spares_identities() -> None:
    made = network(SKIP, layers=5)
    torch.manual_seed(0)
    cell = made.cells[0].cell
    s0, s1 = torch.randn(8, 4, 8, 8), torch.randn(8, 4, 8, 8)
    made.set_drop_path(0.9)
    assert torch.equal(cell(s0, s1), s0 + s1)

"""Networks on tables: size, embeddings, the supernet's parts, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.drawing import text
from nas.errors import NasError
from nas.search_spaces.tables.network import TableNetwork
from nas.search_spaces.tabular import DEPTHS, EMBEDDINGS, WIDTHS, Tabular
from nas.space import SearchSpace
from nas.task import TaskInfo
from nas.testing import SpaceContract, SupernetContract

SPACE = Tabular()
MIXED = TaskInfo((5,), 3, kind="table", categories=(0, 4, 0, 2, 7))
NUMBERS = TaskInfo((6,), 2)


class TestMixedTable(SpaceContract, SupernetContract):
    matching_settings: Mapping[str, Any] | None = {}
    samples = 200
    networks = 6

    def make_space(self) -> SearchSpace:
        return Tabular()

    def make_task(self) -> TaskInfo:
        return MIXED

    def make_batch(self) -> Tensor:
        x = MIXED.example(8)
        assert isinstance(x, Tensor)
        return x.double()


class TestVectors(SpaceContract, SupernetContract):
    matching_settings: Mapping[str, Any] | None = {}
    samples = 100
    networks = 3

    def make_space(self) -> SearchSpace:
        return Tabular().for_task(NUMBERS)

    def make_task(self) -> TaskInfo:
        return NUMBERS


# -- the space ------------------------------------------------------------------------------------


def test_size() -> None:
    widths = len(WIDTHS) + sum(2 * len(WIDTHS) ** depth for depth in DEPTHS[1:])
    assert SPACE.size == widths * len(EMBEDDINGS) * 3 * 4 * 5
    assert Tabular(categorical=False).size * len(EMBEDDINGS) == SPACE.size


def test_the_embedding_is_chosen_only_where_there_are_categories() -> None:
    for task, options in ((MIXED, len(EMBEDDINGS)), (NUMBERS, 1)):
        [embedding] = [d for d in SPACE.for_task(task).decisions if d.name == "embedding"]
        assert len(embedding.options) == options


def test_architectures_of_numbers_are_also_those_of_mixed_tables() -> None:
    numbers = SPACE.for_task(NUMBERS)
    for a in numbers.sample(np.random.default_rng(0), 50):
        assert "embedding" not in numbers.format(a)
        assert SPACE.parse(numbers.format(a)) == a
        assert SPACE.check(a) is None


def test_the_network_of_tabnas_on_criteo_has_41153_parameters() -> None:
    """1,027 inputs and one logit (METHODS: 41,153)."""
    criteo = TaskInfo((1027,), 1)
    network = SPACE.build(SPACE.catalogue()["tabnas-criteo"], criteo)
    assert sum(p.numel() for p in network.parameters()) == 41_153


@pytest.mark.parametrize(
    "task", [TaskInfo((1, 8, 8), 10), TaskInfo((7, 3), 2, kind="sequence")], ids=["images", "seq"]
)
def test_other_tasks_are_refused(task: TaskInfo) -> None:
    a = SPACE.sample(np.random.default_rng(0), 1)[0]
    for call in (lambda: SPACE.build(a, task), lambda: SPACE.supernet(task)):
        with pytest.raises(NasError, match=r"needs a table or vectors .* shape \["):
            call()


def test_categories_are_refused_by_a_space_of_numbers() -> None:
    with pytest.raises(NasError, match="made for numbers only"):
        Tabular(categorical=False).supernet(MIXED)


def test_partial_channels_are_refused() -> None:
    with pytest.raises(NasError, match="no partial channels"):
        SPACE.supernet(MIXED, partial_channels=4)


def test_graph_of_a_residual_network() -> None:
    row = "depth=2;width1=8;width2=16;residual=yes;embedding=4;normalisation=layer"
    graph = SPACE.graph(SPACE.parse(f"{row};activation=gelu;dropout=0.1"))
    assert sorted(graph.predecessors("add2")) == ["dropout1", "dropout2"]
    assert graph.nodes["linear2"]["op"] == "linear 16"
    assert "sum 2 = #5 + #9" in text(graph)


# -- the network ----------------------------------------------------------------------------------


def network(**changes: Any) -> TableNetwork:
    torch.manual_seed(0)
    settings = {"columns": 5, "categories": [0, 4, 0, 2, 7], "classes": 3, "widths": [8, 16, 8]}
    return TableNetwork(**{**settings, "embedding": 4, **changes}).eval()


def test_a_category_is_looked_up_in_its_own_column() -> None:
    """The embedding of a code of one column has no part in another column's."""
    net = network(widths=[8])
    x = torch.tensor([[0.3, 3.0, -0.2, 1.0, 6.0]])
    net(x).sum().backward()
    rows = net.columns.embedding.weight.grad.abs().sum(1).nonzero().flatten()
    assert rows.tolist() == [3, 4 + 1, 6 + 6]


def test_a_smaller_embedding_is_the_first_part_of_a_larger_one() -> None:
    wide, x = network(embedding=4), MIXED.example(6)
    joined = wide.columns(x)
    wide.columns.embedding.weight = torch.nn.Parameter(wide.columns.embedding.weight[:, :2])
    assert torch.equal(wide.columns(x), joined[:, : 2 + 2 * 3])


def test_residual_layers_add_their_input() -> None:
    """With layers after the first giving zeros, the first one's features reach the classifier."""
    net, x = network(residual=True, normalisation="none"), MIXED.example(4)
    for layer in net.layers[1:]:
        torch.nn.init.zeros_(layer.linear.weight)
        torch.nn.init.zeros_(layer.linear.bias)
    assert torch.allclose(net(x), net.classifier(net.layers[0](net.columns(x))))


def test_mixtures_of_depths_are_the_sum_of_their_logits() -> None:
    space, x = Tabular(), MIXED.example(8)
    torch.manual_seed(0)
    supernet = space.supernet(MIXED).eval()
    rest = "residual=yes;embedding=8;normalisation=batch;activation=relu;dropout=0.0"
    deep = space.parse(f"depth=3;width1=16;width2=8;width3=24;{rest}")
    middle = space.parse(f"depth=2;width1=16;width2=8;{rest}")
    weights: dict[str, Any] = supernet.path(deep)
    weights["depth"] = torch.tensor([0.0, 0.3, 0.6, 0.0])
    parts = [supernet(x, supernet.path(a)) for a in (middle, deep)]
    mixed = supernet(x, weights)
    assert torch.allclose(mixed, 0.3 * parts[0] + 0.6 * parts[1], atol=1e-6)


def test_mixtures_of_embeddings_are_the_sum_before_the_first_norm() -> None:
    """Linear layers are linear: one layer without norm and activation's kink is exact."""
    space, x = Tabular(), MIXED.example(8)
    supernet = space.supernet(MIXED).eval()
    first: list[Tensor] = []
    sub: Any = supernet.network
    rest = "depth=1;width1=16;normalisation=none;activation=relu;dropout=0.0"
    paths = [supernet.path(space.parse(f"{rest};embedding={size}")) for size in (4, 16)]
    weights: dict[str, Any] = {**paths[0], "embedding": torch.tensor([0, 0.25, 0, 0.75, 0])}
    for selection in (*paths, weights):
        with supernet.selected(selection):
            columns = sub._embedded(x)
        width = columns.shape[1]
        first.append(columns @ sub.layers[0].linear.weight[:, :width].T)
    assert torch.allclose(first[2], 0.25 * first[0] + 0.75 * first[1], atol=1e-6)


def test_missing_categories_have_an_embedding() -> None:
    x = torch.zeros(2, 5)
    assert network()(x).isfinite().all()


def test_a_table_of_categories_only() -> None:
    task = replace(MIXED, input_shape=(2,), categories=(3, 4))
    a = SPACE.sample(np.random.default_rng(1), 1)[0]
    assert SPACE.build(a, task)(task.example(4)).shape == (4, 3)

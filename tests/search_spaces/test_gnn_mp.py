"""GNAS-MP's space of three-stage cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces import gnn_mp
from nas.search_spaces.gnn_mp import GNNMP
from nas.search_spaces.graph import message_passing
from nas.search_spaces.graph.cell_edges import edge_names
from nas.search_spaces.graph.message_passing import Aggregation, Filter
from nas.search_spaces.graph.structure import Structure
from nas.space import Architecture
from nas.task import TaskInfo
from nas.testing import SpaceContract, SupernetContract

SPACE = GNNMP()
TASK = TaskInfo((5,), 3, "nodes")


def test_size_and_edges() -> None:
    assert SPACE.size == 4**19
    names = [name for name, *_ in edge_names(3)]
    assert [sum(n.startswith(s) for n in names) for s in ("first", "second", "third")] == [6, 3, 9]
    assert gnn_mp.FILTERS == message_passing.FILTERS
    assert gnn_mp.AGGREGATIONS == message_passing.AGGREGATIONS
    with pytest.raises(NasError, match="nodes=0"):
        GNNMP(0)


@pytest.mark.parametrize("depth", gnn_mp.DEPTHS)
def test_depth_is_the_number_of_cells(depth: int) -> None:
    [a] = SPACE.sample(np.random.default_rng(0), 1)
    text = SPACE.format(a).rpartition(";")[0] + f";depth={depth}"
    network = SPACE.build(SPACE.parse(text), TASK, hidden=4)
    assert len(network.cells) == depth
    assert f"{depth} cells" in str(SPACE.graph(SPACE.parse(text)).nodes["output"]["op"])


def test_filters_scale_a_node_or_every_feature() -> None:
    torch.manual_seed(0)
    x, start = torch.rand(6, 4) + 0.1, torch.randn(6, 4)
    edges = Structure(torch.zeros(2, 0, dtype=torch.int64), 6, x.dtype)
    for dense in (False, True):
        layer = Filter(4, dense)
        seen: list[torch.Tensor] = []
        layer.end.register_forward_hook(lambda *given, out=seen: out.append(given[1][0]))
        layer(x, start, edges)
        scales = seen[0] / x
        assert ((scales > 0) & (scales < 1)).all()
        assert torch.allclose(scales, scales[:, :1].expand_as(scales)) != dense


@pytest.mark.parametrize("kind", ["mean", "sum", "max"])
def test_aggregations_with_and_without_features_of_edges(kind: str) -> None:
    torch.manual_seed(0)
    ends = torch.tensor([[1, 2, 0], [0, 0, 2]])
    x, given = torch.randn(3, 4), torch.randn(3, 2)
    edges = Structure(ends, 3, x.dtype, given)
    for features in (0, 2):
        layer = Aggregation(kind, 4, features)
        h = x if layer.before is None else layer.before(x).relu()
        messages = h[ends[0]]
        if layer.scale is not None and layer.shift is not None:
            messages = torch.sigmoid(layer.scale(given)) * messages + layer.shift(given)
        two = {"mean": messages[:2].mean(0), "max": messages[:2].amax(0)}
        expected = torch.stack([two.get(kind, messages[:2].sum(0)), torch.zeros(4), messages[2]])
        assert torch.allclose(layer._joined(h, edges), expected, atol=1e-6)


def test_features_of_edges_matter_where_there_are_any() -> None:
    task = replace(TASK, edge_features=2)
    graph: Any = task.example(12)
    a = SPACE.parse(
        ";".join(f"{d.name}={'mean' if 'second' in d.name else 'identity'}" for d in
                 SPACE.decisions[:-1]) + ";depth=1"
    )  # fmt: skip
    network = SPACE.build(a, task, hidden=4).eval()
    other = replace(graph, edge_features=graph.edge_features + 1)
    assert not torch.allclose(network(graph), network(other))
    plain = SPACE.build(a, TASK, hidden=4).eval()
    assert torch.equal(plain(graph), plain(other))


# -- cells of their own -----------------------------------------------------------------------

OWN = GNNMP(1, "own")


def own(depth: int, first: str, later: str) -> Architecture:
    """Return the architecture with one operation in the first cell and one in all others."""
    chosen = [f"depth={depth}"]
    for number in range(1, depth + 1):
        start = f"cell{number}/"
        filters = first if number == 1 else later
        chosen += [f"{start}first/1<-0={filters}", f"{start}second/2<-1=identity"]
        chosen.append(f"{start}third/3<-2={filters}")
    return OWN.parse(";".join(chosen))


def test_cells_of_their_own_are_active_up_to_the_depth() -> None:
    assert OWN.size == sum(4 ** (3 * depth) for depth in gnn_mp.DEPTHS)
    assert GNNMP(cells="own").size == 4**18 + 4**36 + 4**72 + 4**144
    for depth in gnn_mp.DEPTHS:
        names = list(OWN.options(own(depth, "dense", "sparse")))
        assert names[0] == "depth" and len(names) == 1 + 3 * depth
        assert names[-1].startswith(f"cell{depth}/")
    with pytest.raises(NasError, match="alike"):
        GNNMP(cells="owned")


def test_cells_of_their_own_are_built_and_drawn_as_chosen() -> None:
    a = own(2, "dense", "sparse")
    network = OWN.build(a, TASK, hidden=4)
    found = [cell.edges["first1_0"].node is None for cell in network.cells]
    assert found == [True, False]  # a scale of every feature, of a node
    operations = {node: data["op"] for node, data in OWN.graph(a).nodes(data=True)}
    assert operations["cell1/third/3<-2"] == "dense"
    assert operations["cell2/third/3<-2"] == "sparse"
    assert {data["cell"] for _, data in OWN.graph(a).nodes(data=True)} == {"cell1", "cell2"}


class TestOwnCells(SpaceContract, SupernetContract):
    network_settings = supernet_options = matching_settings = {"hidden": 4}  # noqa: RUF012
    samples, networks = 100, 1

    def make_space(self) -> GNNMP:
        return GNNMP(1, "own")

"""What a supernet runs without some of its candidates."""

from __future__ import annotations

import numpy as np
import torch

from nas.mutables import Gate, Node
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.differentiable.selections.removal import Edges, Options, removables
from nas.task import TaskInfo

IMAGES = TaskInfo((3, 8, 8), 3)
ROW = torch.tensor([0.1, 0.2, 0.3, 0.4])
NODE = Node("n", 2)


def edges(count: int) -> list[Gate]:
    return [Gate(f"n<-{i}", ("none", "a", "b"), absent=0, node=NODE) for i in range(count)]


def test_the_others_keep_their_weights() -> None:
    found = Options(Gate("g", ("a", "b", "c", "d"))).without({"g": ROW, "h": ROW}, [1])
    assert torch.equal(found["g"], torch.tensor([0.1, 0.0, 0.3, 0.4]))  # and add up to .8
    assert torch.equal(found["h"], ROW)
    assert torch.equal(ROW, torch.tensor([0.1, 0.2, 0.3, 0.4]))


def test_where_nothing_is_left_zeros_come_out() -> None:
    weights = {"g": torch.tensor([0.0, 1.0, 0.0])}
    plain = Options(Gate("g", ("a", "b", "c"))).without(weights, [1])["g"]
    assert 0 < plain[1] < 1e-15  # a mixture of nothing cannot run
    assert not plain[[0, 2]].any()
    with_absent = Options(Gate("g", ("a", "b", "none"), absent=2)).without(weights, [1])["g"]
    assert with_absent.tolist() == [0, 0, 1]


def test_absent_is_an_option_unless_edges_compete() -> None:
    legal = Options(Gate("g", ("none", "a", "b"), absent=0))
    assert legal.names == [0, 1, 2]
    competing = Options(edges(1)[0])
    assert competing.names == [1, 2]
    without = competing.without({"n<-0": ROW[:3]}, [0])["n<-0"]
    assert torch.equal(without, torch.tensor([0.1, 0.0, 0.3]))
    assert competing.decided({"n<-0": ROW[:3]}, [1])["n<-0"].tolist() == [0, 0, 1]


def test_an_edge_that_is_out_runs_its_absent_option() -> None:
    place = Edges(NODE, edges(3))
    weights = {f"n<-{i}": torch.tensor([0.0, 0.0, 1.0]) for i in range(3)}
    found = place.without(weights, [0, 2])
    assert [found[f"n<-{i}"].tolist() for i in range(3)] == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert set(place.decided(weights, [0, 2])) == {"n<-1"}


def test_what_is_kept_of_several_weighs_one_each() -> None:
    place = Options(Gate("g", ("a", "b", "c", "d"), choose=2))
    assert place.decided({"g": ROW}, [3, 0])["g"].tolist() == [1, 0, 0, 1]


def test_measurements_are_counted_ahead() -> None:
    assert Options(Gate("g", ("a", "b", "c", "d"))).passes == 4
    assert Options(Gate("g", ("a", "b", "c", "d"), choose=2)).passes == 4 + 3
    assert Edges(NODE, edges(5)).passes == 5 + 4 + 3


def test_ranks_are_scores_that_keep_the_order() -> None:
    scores = {f"n<-{i}": np.array([0.0, 1.0, 0.5]) for i in range(4)}
    Edges(NODE, edges(4)).rank(scores, [2, 0, 3, 1])
    assert [scores[f"n<-{i}"].max() for i in range(4)] == [1, 1 / 3, 1, 1 / 2]
    Options(edges(1)[0]).rank(scores, [1, 0])
    assert scores["n<-0"].tolist() == [0, 1 / 2, 1]


def test_what_is_open_in_published_spaces() -> None:
    operations, inputs = removables(DARTS().supernet(IMAGES, channels=8).gates)
    assert (len(operations), len(inputs)) == (28, 6)  # the first node has two inputs and keeps both
    assert all(isinstance(place, Edges) for place in inputs)
    parts = {"partial_channels": 2, "edge_gates": True}
    operations, inputs = removables(DARTS().supernet(IMAGES, channels=8, **parts).gates)
    assert (len(operations), len(inputs)) == (28, 6)
    assert all(isinstance(place, Options) and place.keep == 2 for place in inputs)
    dense = NASBench201().supernet(IMAGES, channels=8, edge_gates=True).gates
    operations, inputs = removables(dense)
    assert (len(operations), len(inputs)) == (6, 0)
    assert all(len(place.candidates) == 5 for place in operations)

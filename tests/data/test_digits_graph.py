"""The digits as one graph, and as many."""

from __future__ import annotations

import pytest
import torch

from nas.data import load_task
from nas.errors import NasError
from nas.task.graph import Graph


def whole(**settings: object) -> tuple[Graph, torch.Tensor]:
    [(graph, y)] = list(load_task("digits-graph", **settings).batches("test", 10))
    return graph, y


def test_neighbours_are_alike() -> None:
    task = load_task("digits-graph")
    assert (task.info.kind, task.info.input_shape, task.outputs) == ("nodes", (64,), 10)
    labels = torch.empty(1797, dtype=torch.int64)
    for split in ("train", "valid", "test"):
        [(graph, y)] = list(task.batches(split, 10))
        assert graph.index is not None
        labels[graph.index] = y
    source, target = labels[graph.edges]
    assert (source == target).double().mean() > 0.95
    degree = torch.bincount(graph.edges[1])
    assert degree.min() >= 5 and len(degree) == 1797


def test_splits_are_those_of_the_digits() -> None:
    for name in ("digits-graph", "digits-pixels", "digits-patches"):
        ours, digits = (load_task(n, seed=3).describe() for n in (name, "digits"))
        assert ours["sha256"] == digits["sha256"]


def test_edges_have_a_feature_where_asked_for() -> None:
    assert whole()[0].edge_features is None
    graph, _ = whole(distances=True, neighbours=3)
    assert graph.edge_features is not None
    assert graph.edge_features.shape == (graph.edges.shape[1], 1)
    assert graph.edge_features.min() > 0 and graph.edge_features.max() <= 1
    assert load_task("digits-graph", distances=True).info.edge_features == 1


def test_too_many_neighbours_are_refused() -> None:
    with pytest.raises(NasError, match="neighbours=1797"):
        load_task("digits-graph", neighbours=1797)


def test_digits_of_pixels() -> None:
    task = load_task("digits-pixels", directions=True)
    assert (task.info.kind, task.info.input_shape, task.info.edge_features) == ("graphs", (3,), 2)
    images, _ = next(load_task("digits").batches("test", 20))
    graph, y = next(task.batches("test", 20))
    assert graph.batch is not None and len(graph) == 20 == len(y)
    paper = images.flatten(1).min(1).values[:, None]  # normalised, each pixel by the same numbers
    assert torch.bincount(graph.batch).tolist() == (images.flatten(1) > paper).sum(1).tolist()
    row, column = graph.features[:, 1], graph.features[:, 2]
    for place in (row, column):
        steps = (place[graph.edges[1]] - place[graph.edges[0]]).abs()
        assert len(steps.mul(1000).round().unique()) == 2  # 0 or one pixel
    forth = graph.features[graph.edges[1], 1] > graph.features[graph.edges[0], 1]
    assert graph.edge_features is not None
    assert torch.equal(graph.edge_features[:, 0] == 1, forth)


def test_digits_of_patches() -> None:
    task = load_task("digits-patches")
    assert (task.info.kind, task.info.input_shape) == ("sequence", (16, 4))
    images, labels = next(load_task("digits").batches("train", 30))
    x, y = next(task.batches("train", 30))
    assert torch.equal(y, labels) and x.shape == (30, 16, 4)
    raw = x * task.std + task.mean
    digits = load_task("digits")
    pixels = images * digits.std + digits.mean
    assert torch.allclose(raw[:, 5].reshape(-1, 2, 2), pixels[:, 0, 2:4, 2:4], atol=1e-4)
    everything = torch.cat([x for x, _ in task.batches("train", 1000)]).flatten(0, 1)
    assert torch.allclose(everything.mean(0), torch.zeros(4), atol=1e-5)
    assert load_task("digits-patches", patch=4).input_shape == (4, 16)
    with pytest.raises(NasError, match="patch=3"):
        load_task("digits-patches", patch=3)

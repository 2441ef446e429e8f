"""One graph whose nodes are classified, from arrays and from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.data import load_task
from nas.data.nodes import Nodes, NodeSettings, given_nodes, undirected
from nas.errors import NasError
from nas.task import Task
from nas.task.graph import Graph

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
N = 30
LABELS = np.arange(N) % 3
CHAIN = np.stack([np.arange(N - 1), np.arange(1, N)], axis=1)
SPLIT = {"train": np.arange(12), "valid": np.arange(12, 20), "test": np.arange(20, N)}


def make(splits: Any = SPLIT, labels: Any = LABELS, **settings: Any) -> Task:
    """A chain of nodes; the first feature is the node's number."""
    features = np.stack([np.arange(N), np.ones(N)], axis=1)
    nodes = Nodes(features, undirected(CHAIN, N, "chain"), labels, splits=splits)
    settings = {"features": "raw", **settings}
    return Task.from_given(given_nodes(nodes, NodeSettings(**settings), "chain"), name="chain")


def only(task: Task, split: str, **settings: Any) -> tuple[Graph, torch.Tensor]:
    [(graph, y)] = list(task.batches(split, 4, **settings))
    return graph, y


def numbers(graph: Graph) -> list[int]:
    assert graph.index is not None
    return graph.features[graph.index, 0].int().tolist()


def pairs(graph: Graph) -> set[tuple[int, ...]]:
    """Edges by the numbers of the nodes in the whole graph."""
    return set(map(tuple, graph.features[:, 0].int()[graph.edges].T.tolist()))


def test_edges_are_there_in_both_directions_once() -> None:
    given = np.array([[0, 1], [1, 0], [2, 2], [1, 2], [1, 2]])
    expected = [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert undirected(given, 3, "x").tolist() == expected == undirected(given.T, 3, "x").tolist()
    for wrong in (given + 1, given - 1, given[:, :1], given.astype(float)):
        with pytest.raises(NasError, match="x: edges"):
            undirected(wrong, 3, "x")


def test_a_split_is_one_batch() -> None:
    task = make(steps=3)
    assert task.full_batch and task.info.kind == "nodes" and task.info.input_shape == (2,)
    for split, nodes in SPLIT.items():
        graph, y = only(task, split)
        assert numbers(graph) == nodes.tolist() and y.tolist() == LABELS[nodes].tolist()
        assert len(graph.features) == N and graph.edges.shape == (2, 2 * (N - 1))
    assert numbers(only(task, "train+valid")[0]) == list(range(20))
    training = list(task.batches("train", 4, seed=1, drop_last=True))
    assert len(training) == task.steps("train", 4) == 3
    assert not task.leaves_one("train", 11)


def test_inductive_training_sees_no_other_nodes() -> None:
    task = make(inductive=True)
    seen = {"train": 12, "valid": 20, "train+valid": 20, "test": N}
    for split, count in seen.items():
        graph, _ = only(task, split)
        assert pairs(graph) == {p for a, b in CHAIN[: count - 1].tolist() for p in ((a, b), (b, a))}
        assert len(graph.features) == count


def test_neighbours_are_sampled() -> None:
    task = make(fanout=(1, 1))
    assert not task.full_batch and task.steps("train", 5) == 3
    found = []
    for graph, y in task.batches("train", 5, seed=0):
        found += numbers(graph)
        assert y.tolist() == LABELS[numbers(graph)].tolist()
        into = torch.bincount(graph.edges[1], minlength=len(graph.features))
        assert into.max() == 1  # of two neighbours one
    assert sorted(found) == SPLIT["train"].tolist()
    again = [numbers(graph) for graph, _ in task.batches("train", 5, seed=0)]
    assert found == [n for part in again for n in part]


def test_in_the_fixed_order_all_neighbours_are_taken() -> None:
    graph, _ = next(make(fanout=(1, 1)).batches("train", 1))
    assert numbers(graph) == [0]
    assert pairs(graph) == {(1, 0), (0, 1), (2, 1)}  # into nodes at distances 0 and 1


def test_random_splits_leave_unlabelled_nodes_out() -> None:
    labels = np.where(np.arange(N) < 5, -1, LABELS)
    task = make(splits=None, labels=labels)
    found = [n for split in SPLIT for n in numbers(only(task, split)[0])]
    assert sorted(found) == list(range(5, N))
    same, other = make(None, labels), Task.from_given(
        given_nodes(
            Nodes(np.ones((N, 2)), undirected(CHAIN, N, ""), labels), NodeSettings(), "chain"
        ),
        seed=1,
    )  # fmt: skip
    assert same.describe()["sha256"] == task.describe()["sha256"]
    assert other.describe()["sha256"]["train"] != task.describe()["sha256"]["train"]
    assert other.describe()["sha256"]["test"] == task.describe()["sha256"]["test"]


def test_features_are_scaled() -> None:
    x = {how: only(make(features=how), "train")[0].features for how in ("auto", "columns", "raw")}
    assert torch.allclose(x["auto"].sum(1), torch.ones(N))
    assert torch.allclose(x["columns"][:, 0].std(correction=0), torch.tensor(1.0))
    assert x["columns"][:, 1].tolist() == [0.0] * N and x["raw"][3].tolist() == [3.0, 1.0]


def test_description_can_be_recorded() -> None:
    task = make()
    found = json.loads(json.dumps(task.describe()))
    assert found["split"] == "standard" and found["sizes"] == {"train": 12, "valid": 8, "test": 10}
    assert found["graph"]["nodes"] == N
    assert make(inductive=True).describe() != found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limit": 5}, "split=random"),
        ({"splits": {**SPLIT, "test": np.arange(19, N)}}, "twice"),
        ({"splits": {**SPLIT, "test": np.arange(20, N + 1)}}, "do not exist"),
        ({"splits": {**SPLIT, "test": np.array([])}}, "split test"),
        ({"labels": np.where(LABELS == 0, -1, LABELS)}, "no label"),
        ({"labels": LABELS[1:]}, "one for each"),
        ({"split": "standrad"}, "data.split"),
        ({"features": "row"}, "data.features"),
        ({"fanout": (0,)}, "data.fanout"),
        ({"steps": 0}, "data.steps"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        make(**changes)


# -- files ----------------------------------------------------------------------------------------


def save(path: Path, **changes: Any) -> str:
    given = {"edges": CHAIN, "label": LABELS, "features": np.ones((N, 2)), **changes}
    np.savez(path / "g.npz", **{k: v for k, v in given.items() if v is not None})
    return f"npz:{path / 'g.npz'}"


def test_archive_with_dense_and_with_sparse_features(tmp_path: Path) -> None:
    dense = load_task(save(tmp_path))
    assert dense.info.kind == "nodes" and sum(dense.size(split) for split in SPLIT) == N
    sparse: dict[str, Any] = {
        "features": None,
        "num_nodes": N,
        "num_features": 4,
        "feat_row": np.arange(N),
        "feat_col": np.arange(N) % 4,
        "feat_val": np.full(N, 2.0),
    }
    task = load_task(save(tmp_path, **sparse), features="raw")
    graph, _ = next(task.batches("train", 1))
    assert torch.equal(graph.features, 2 * torch.eye(4)[torch.arange(N) % 4])
    for wrong in ({"feat_col": np.arange(N)}, {"feat_val": None}):
        with pytest.raises(NasError, match=r"g\.npz"):
            load_task(save(tmp_path, **sparse | wrong))


def test_archive_with_a_part_of_a_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="val_idx"):
        load_task(save(tmp_path, train_idx=np.arange(5), test_idx=np.arange(5, 9)))


@pytest.mark.parametrize(("name", "sizes"), [("cora", (2708, 1433)), ("citeseer", (3327, 3703))])
def test_citation_graphs(name: str, sizes: tuple[int, int]) -> None:
    file = SHARED / f"{name}.npz"
    if not file.exists():
        pytest.skip(f"no {file}")
    task = load_task(f"npz:{file}")
    assert task.size("valid") == 500 and task.size("test") == 1000
    graph, y = only(task, "train")
    assert graph.features.shape == sizes and torch.bincount(y).tolist() == [20] * task.outputs

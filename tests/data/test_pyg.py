"""Data sets of PyTorch Geometric, which need not be there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from nas.data import load_task
from nas.errors import NasError

N = 12
ROWS = torch.arange(N)
CHAIN = torch.stack([torch.arange(N - 1), torch.arange(1, N)])


class Data(dict[str, Any]):
    """What the library's data sets hold."""

    def __getattr__(self, name: str) -> Any:
        if name == "num_nodes":
            return N
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)


class Dataset(list[Data]):
    """Downloads what is missing without being asked, as the library's do."""

    made: list[Data]

    def __init__(self, root: str, name: str) -> None:
        self.files = Path(root, name, "raw")
        if not self.files.is_dir() or not any(self.files.iterdir()):
            self.download()
        super().__init__(self.made)

    def download(self) -> None:
        self.files.mkdir(parents=True, exist_ok=True)
        (self.files / "data").touch()


class Single(Dataset):
    """A data set without a name."""

    def __init__(self, root: str) -> None:
        super().__init__(root, "")


class Needy(Dataset):
    def __init__(self, root: str, name: str, target: int) -> None:
        super().__init__(root, name)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Data]]:
    """Stand-in for the library; what is put into the list is in its data sets."""
    module, package = ModuleType("torch_geometric.datasets"), ModuleType("torch_geometric")
    Dataset.made = []
    for kind in (Dataset, Single, Needy):
        setattr(module, kind.__name__, kind)
    package.datasets = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_geometric", package)
    yield Dataset.made
    del Dataset.made


def node_data(**more: Any) -> Data:
    return Data(x=torch.eye(N), y=ROWS % 2, edge_index=CHAIN, **more)


def load(tmp_path: Path, spec: str = "pyg:Dataset/one", **more: Any) -> Any:
    return load_task(spec, root=str(tmp_path), **{"download": True, **more})


# -- one graph --------------------------------------------------------------------------------


def masks(*starts: int) -> dict[str, torch.Tensor]:
    """Return masks of several splits: 3 training nodes from each start on, 3 others, all others."""
    place = torch.stack([(ROWS - start) % N for start in starts], 1)
    return {"train_mask": place < 3, "val_mask": (place >= 3) & (place < 6), "test_mask": place > 5}


def test_standard_split_of_nodes(made: list[Data], tmp_path: Path) -> None:
    made.append(node_data(**{key: mask[:, 0] for key, mask in masks(0).items()}))
    task = load(tmp_path)
    assert task.info.kind == "nodes" and task.info.input_shape == (N,)
    [(graph, y)] = list(task.batches("valid", 1))
    assert graph.index.tolist() == [3, 4, 5] and y.tolist() == [1, 0, 1]
    assert graph.edges.shape == (2, 2 * (N - 1))
    with pytest.raises(NasError, match=r"data.mask=1; it has one split"):
        load(tmp_path, mask=1)


@pytest.mark.parametrize("number", [0, 1])
def test_one_of_several_standard_splits(made: list[Data], tmp_path: Path, number: int) -> None:
    found = masks(0, 2)
    found["test_mask"] = ROWS > 8  # one for all, as in WikiCS
    made.append(node_data(**found))
    task = load(tmp_path, mask=number)
    [(graph, _)] = list(task.batches("train", 1))
    assert sorted(graph.index.tolist()) == [2 * number, 2 * number + 1, 2 * number + 2]
    with pytest.raises(NasError, match=r"data.mask=2; it has 2 splits"):
        load(tmp_path, mask=2)


def test_without_masks_nodes_are_divided_at_random(made: list[Data], tmp_path: Path) -> None:
    made.append(node_data(train_mask=ROWS < 4))
    task = load(tmp_path)
    assert sum(task.size(split) for split in ("train", "valid", "test")) == N
    assert task.size("test") >= 2


def test_nodes_and_edges_with_and_without_features(made: list[Data], tmp_path: Path) -> None:
    weights = torch.arange(float(N - 1))
    made.append(Data(y=(ROWS % 2)[:, None], edge_index=CHAIN, edge_attr=weights))
    task = load(tmp_path)
    [(graph, _)] = list(task.batches("train", 1))
    assert task.info.edge_features == 1 and task.info.input_shape == (2,)  # one neighbour or two
    assert torch.equal(graph.edge_features[:, 0].long(), graph.edges.min(0).values)


def test_labels_have_to_be_classes(made: list[Data], tmp_path: Path) -> None:
    for y in (None, torch.rand(N), torch.zeros(N, 3, dtype=torch.int64)):
        made[:] = [Data(x=torch.eye(N), y=y, edge_index=CHAIN)]
        with pytest.raises(NasError, match="expected a class for each of its nodes"):
            load(tmp_path)
    made[:] = [node_data(), node_data()]
    with pytest.raises(NasError, match="expected a class for each of its graphs"):
        load(tmp_path)
    made[:] = [Data(y=ROWS)]
    with pytest.raises(NasError, match="graphs with one kind of edges"):
        load(tmp_path)


# -- several graphs ---------------------------------------------------------------------------


def several(count: int = 20, **more: Any) -> list[Data]:
    """Graphs of the same chain, of two classes."""
    return [Data(y=torch.tensor([i % 2]), edge_index=CHAIN, **more) for i in range(count)]


def test_graphs(made: list[Data], tmp_path: Path) -> None:
    made += several(x=torch.eye(N), edge_attr=torch.ones(N - 1, 3))
    task = load(tmp_path)
    assert task.info.kind == "graphs" and task.info.outputs == 2
    assert task.info.input_shape == (N,) and task.info.edge_features == 3
    for split in ("train", "valid", "test"):
        for graph, y in task.batches(split, 4):
            assert len(graph) == len(y) and graph.edges.shape == (2, len(y) * 2 * (N - 1))
            assert torch.equal(graph.features, torch.eye(N).repeat(len(y), 1))
            own = graph.batch[graph.edges]
            assert torch.equal(own[0], own[1]) and graph.batch.bincount().eq(N).all()


def test_graphs_without_features_have_degrees(made: list[Data], tmp_path: Path) -> None:
    made += several()
    task = load(tmp_path)
    [(graph, _), *_] = list(task.batches("valid", 4))
    ends = graph.edges[1].bincount() == 1
    assert task.info.input_shape == (2,) and torch.equal(graph.features[:, 0] == 1, ends)


def test_settings_of_nodes_are_refused_for_graphs(made: list[Data], tmp_path: Path) -> None:
    made += several()
    with pytest.raises(NasError, match=r"data.inductive is for the nodes of one graph"):
        load(tmp_path, inductive=True)
    load(tmp_path, valid_fraction=0.3)


# -- what is not there ------------------------------------------------------------------------


def test_nothing_is_downloaded_unasked(made: list[Data], tmp_path: Path) -> None:
    made.append(node_data())
    with pytest.raises(NasError, match="--download"):
        load(tmp_path, download=False)
    assert not any(tmp_path.iterdir())
    load(tmp_path, "pyg:Dataset/other")  # its folder is there now, but not this data set
    with pytest.raises(NasError, match="--download"):
        load(tmp_path, download=False)
    assert not (tmp_path / "dataset" / "one").exists()
    load(tmp_path)
    assert load(tmp_path, download=False).info.kind == "nodes"


def test_mistakes(made: list[Data], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made.append(node_data())
    for spec, message in (
        ("pyg:Datasat/one", "Dataset"),
        ("pyg:Dataset", "Dataset/NAME"),
        ("pyg:Single/one", "expected no name"),
        ("pyg:Needy/one", "needs 'target'"),
    ):
        with pytest.raises(NasError, match=message):
            load(tmp_path, spec)
    assert load(tmp_path, "pyg:Single").info.kind == "nodes"
    made[:] = [Data(x=torch.eye(N), y=ROWS % 2, edge_index=CHAIN + N)]
    with pytest.raises(NasError, match="edges name nodes"):
        load(tmp_path)
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    with pytest.raises(NasError, match="PyTorch Geometric"):
        load(tmp_path)


# -- the library itself -----------------------------------------------------------------------


def test_a_data_set_that_the_library_brings() -> None:
    pytest.importorskip("torch_geometric", reason="PyTorch Geometric is absent")
    task = load_task("pyg:KarateClub")
    [(graph, _)] = list(task.batches("train", 1))
    assert task.info.outputs == 4 and graph.features.shape == (34, 34)
    assert graph.edges.shape == (2, 156)


def test_the_library_downloads_nothing_unasked(tmp_path: Path) -> None:
    pytest.importorskip("torch_geometric", reason="PyTorch Geometric is absent")
    (tmp_path / "tudataset").mkdir()
    for spec in ("pyg:TUDataset/MUTAG", "pyg:WikiCS"):
        with pytest.raises(NasError, match="--download"):
            load_task(spec, root=str(tmp_path))


MUTAG = {
    "A": ["1, 2", "2, 1", "3, 4", "4, 3", "4, 5", "5, 4"],
    "graph_indicator": ["1", "1", "2", "2", "2"],
    "graph_labels": ["-1", "1"],
}


def test_files_of_the_library_are_read_where_they_are(tmp_path: Path) -> None:
    """Of TUDataset, in its text format: the second graph is a chain of three nodes."""
    pytest.importorskip("torch_geometric", reason="PyTorch Geometric is absent")
    raw = tmp_path / "tudataset" / "MUTAG" / "raw"
    raw.mkdir(parents=True)
    copies = 10
    lines: dict[str, list[str]] = {name: [] for name in MUTAG}
    for copy in range(copies):
        lines["A"] += [
            ", ".join(str(int(n) + 5 * copy) for n in edge.split(",")) for edge in MUTAG["A"]
        ]
        lines["graph_indicator"] += [str(int(n) + 2 * copy) for n in MUTAG["graph_indicator"]]
        lines["graph_labels"] += MUTAG["graph_labels"]
    for name, text in lines.items():
        (raw / f"MUTAG_{name}.txt").write_text("\n".join(text) + "\n")
    task = load_task("pyg:TUDataset/MUTAG", root=str(tmp_path))
    assert sum(task.size(split) for split in ("train", "valid", "test")) == 2 * copies
    for graph, y in task.batches("test", 1):
        assert len(graph.features) == 2 + int(y) and graph.edges.shape[1] == 2 + 2 * int(y)
        assert (graph.features.argmax(1) + 1 == graph.edges[1].bincount()).all()

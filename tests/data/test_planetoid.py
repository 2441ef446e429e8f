"""Planetoid's graphs through PyTorch Geometric, which need not be there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from nas.data import load_task
from nas.errors import NasError

N = 12


class Data(dict[str, Any]):
    """What PyTorch Geometric's datasets hold."""

    x = torch.eye(N)
    y = torch.arange(N) % 2
    edge_index = torch.stack([torch.arange(N - 1), torch.arange(1, N)])


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Stand-in for the library; returns what it was called with."""
    calls: list[tuple[str, str]] = []

    class Planetoid(list[Data]):
        def __init__(self, root: str, name: str) -> None:
            calls.append((root, name))
            if root.startswith("broken"):
                raise OSError("no network")
            rows = torch.arange(N)
            valid = (rows >= 4) & (rows < 8)
            super().__init__([Data(train_mask=rows < 4, val_mask=valid, test_mask=rows >= 8)])

    module = ModuleType("torch_geometric.datasets")
    module.Planetoid = Planetoid  # type: ignore[attr-defined]
    package = ModuleType("torch_geometric")
    package.datasets = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_geometric", package)
    monkeypatch.setitem(sys.modules, "torch_geometric.datasets", module)
    return calls


def test_what_is_there(made: list[tuple[str, str]], tmp_path: Path) -> None:
    raw = tmp_path / "planetoid" / "Cora" / "raw"
    raw.mkdir(parents=True)
    (raw / "ind.cora.x").touch()
    task = load_task("planetoid:cora", root=str(tmp_path))
    assert made == [(str(tmp_path / "planetoid"), "Cora")]
    assert [task.size(split) for split in ("train", "valid", "test")] == [4] * 3
    [(graph, y)] = list(task.batches("valid", 1))
    assert y.tolist() == [0, 1, 0, 1] and graph.edges.shape == (2, 2 * (N - 1))


def test_nothing_is_downloaded_unasked(made: list[tuple[str, str]], tmp_path: Path) -> None:
    with pytest.raises(NasError, match="--download"):
        load_task("planetoid:PubMed", root=str(tmp_path))
    assert not made
    assert load_task("planetoid:PubMed", root=str(tmp_path), download=True).info.kind == "nodes"


def test_mistakes(made: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NasError, match="PubMed"):
        load_task("planetoid:pubmad")
    with pytest.raises(NasError, match="no network"):
        load_task("planetoid:cora", root="broken", download=True)
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    with pytest.raises(NasError, match="PyTorch Geometric"):
        load_task("planetoid:cora")

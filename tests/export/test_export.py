"""Exporting: formats, places, and what a failing export leaves behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from nas import registry
from nas.errors import NasError
from nas.export import FORMATS, SUFFIXES, export
from nas.mutables import OneOf

SHAPE = (3, 8, 8)


def space() -> Any:
    return registry.get("search_spaces", "darts").factory()


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 4))


def test_every_format_has_a_line_and_a_suffix() -> None:
    assert list(FORMATS) == ["json", "genotype", "python", "torch", "onnx", "weights"]
    assert SUFFIXES.keys() == FORMATS.keys()
    assert all(FORMATS.values()) and all(suffix[0] == "." for suffix in SUFFIXES.values())


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"unknown export format 'pyton'.*'python'.*Allowed: geno"):
        export(network(), SHAPE, "pyton", tmp_path / "a.py")


@pytest.mark.parametrize("to", FORMATS)
def test_missing_folder(tmp_path: Path, to: str) -> None:
    path = tmp_path / "nowhere" / f"a{SUFFIXES[to]}"
    with pytest.raises(NasError, match="there is no folder"):
        export(network(), SHAPE, to, path, space=space(), architecture=None)


def test_returns_the_path(tmp_path: Path) -> None:
    a = space().catalogue()["DARTS_V1"]
    written = export(None, (), "json", str(tmp_path / "a.json"), space=space(), architecture=a)
    assert written == tmp_path / "a.json" and written.is_file()


@pytest.mark.parametrize("to", ["python", "torch", "onnx", "weights"])
def test_a_failing_export_harms_nothing(tmp_path: Path, to: str) -> None:
    path = tmp_path / f"a{SUFFIXES[to]}"
    path.write_text("before")
    (tmp_path / "a.safetensors").write_text("before")
    for wrong in (None, nn.Sequential(OneOf([nn.Flatten()], label="first"))):
        with pytest.raises(NasError):
            export(wrong, SHAPE, to, path)
    assert {file.read_text() for file in tmp_path.iterdir()} == {"before"}
    assert len(list(tmp_path.iterdir())) == (1 if to == "weights" else 2)


def test_python_needs_its_suffix(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"must end in \.py; got 'a.txt'"):
        export(network(), SHAPE, "python", tmp_path / "a.txt")


@pytest.mark.parametrize("to", ["python", "torch", "onnx"])
def test_wrong_input_shape(tmp_path: Path, to: str) -> None:
    with pytest.raises(NasError, match=r"does not run on inputs of shape \(5, 5\)"):
        export(network(), (5, 5), to, tmp_path / f"a{SUFFIXES[to]}")


def test_the_network_and_the_random_state_stay_as_they_were(tmp_path: Path) -> None:
    net = space().build(
        space().catalogue()["DARTS_V2"],
        SimpleNamespace(input_shape=SHAPE, outputs=3),
        channels=2,
        layers=1,
    )
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    export(net.train(), SHAPE, "python", tmp_path / "a.py")
    assert torch.equal(torch.rand(1), expected)
    assert net.training
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())

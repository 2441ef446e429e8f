"""ONNX models."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export import export

onnx_model = import_module("nas.export.onnx_model")


def small() -> nn.Module:
    conv = nn.Conv2d(3, 4, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def run(path: Path, x: Tensor) -> Tensor:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert [i.name for i in session.get_outputs()] == ["output"]
    [y] = session.run(None, {"input": np.asarray(x)})
    return torch.from_numpy(y)


def require_packages() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)


def test_model_runs_batches_of_any_size(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    require_packages()
    net = small()
    path = export(net, (3, 6, 6), "onnx", tmp_path / "a.onnx")
    assert capfd.readouterr() == ("", "")
    assert [file.name for file in tmp_path.iterdir()] == ["a.onnx"]
    net.eval()
    for batch in (1, 5):
        x = torch.randn(batch, 3, 6, 6)
        torch.testing.assert_close(run(path, x), net(x), rtol=1e-5, atol=1e-5)


def fail(*arguments: Any) -> None:
    raise RuntimeError("outer") from ValueError("cannot\nconvert")


def test_the_older_exporter_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages()
    monkeypatch.setattr(onnx_model, "_from_program", fail)
    net = small()
    path = export(net, (3, 6, 6), "onnx", tmp_path / "a.onnx")
    x = torch.randn(4, 3, 6, 6)
    torch.testing.assert_close(run(path, x), net.eval()(x), rtol=1e-5, atol=1e-5)


def test_failing_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages()
    monkeypatch.setattr(onnx_model, "_from_program", fail)
    monkeypatch.setattr(onnx_model, "_from_trace", fail)
    with pytest.raises(NasError, match=r"^export to onnx: cannot$"):
        export(small(), (3, 6, 6), "onnx", tmp_path / "a.onnx")


def test_a_model_that_deviates_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages()

    def wrong(network: nn.Module, x: Tensor, outputs: list[str], path: Path) -> None:
        with torch.no_grad():
            network[0].bias += 1  # type: ignore[index, union-attr, operator]
        from_trace(network, x, outputs, path)
        with torch.no_grad():
            network[0].bias -= 1  # type: ignore[index, union-attr, operator]

    from_trace = onnx_model._from_trace
    monkeypatch.setattr(onnx_model, "_from_program", wrong)
    monkeypatch.setattr(onnx_model, "_from_trace", fail)
    with pytest.raises(NasError, match="export to onnx: outputs deviate by up to 1 from"):
        export(small(), (3, 6, 6), "onnx", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["onnx", "onnxscript", "onnxruntime"])
def test_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    for other in {"onnx", "onnxscript", "onnxruntime"} - {name}:
        monkeypatch.setitem(sys.modules, other, sys)
    with pytest.raises(NasError, match=rf"'{name}': pip install 'nas-toolkit\[onnx\]'"):
        export(small(), (3, 6, 6), "onnx", tmp_path / "a.onnx")

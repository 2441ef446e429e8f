"""An ONNX model."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.errors import NasError
from nas.export.found import Found
from nas.export.torch_program import capture, quiet
from nas.export.verify import examples, require_same

__all__ = ["write"]


def write(found: Found, path: Path) -> None:
    """Write the model, with input "input" and output "output", for batches of any size.

    Raises:
        NasError: If a package is missing, the network cannot be expressed, or ONNX Runtime gives
            other outputs than the network.
    """
    _require_packages()
    network = found.frozen_network("onnx")
    batches = examples(network, found.input_shape, "onnx")
    with quiet():
        program = capture(network, batches[0], "onnx")
        try:
            model = torch.onnx.export(
                program, input_names=["input"], output_names=["output"], verbose=False, dynamo=True
            )
            assert model is not None
            model.save(path, external_data=False)
        except Exception as error:  # the exporter wraps whatever went wrong in its own classes
            raise NasError(f"export to onnx: {_reason(error)}") from error
        require_same(network, _Session(path), batches, "onnx")


def _require_packages() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(name)
        except ImportError as error:
            raise NasError(
                f"export to onnx needs the package '{name}': pip install 'nas-toolkit[onnx]'"
            ) from error


def _reason(error: BaseException) -> str:
    """Return the first line of the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class _Session:
    """A model loaded by ONNX Runtime, on the CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self.session: Any = onnxruntime.InferenceSession(
            str(path), providers=["CPUExecutionProvider"]
        )

    def __call__(self, x: Tensor) -> list[Tensor]:
        name = self.session.get_inputs()[0].name
        return [torch.from_numpy(y) for y in self.session.run(None, {name: x.numpy()})]

"""An ONNX model."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.request import Request
from nas.export.torch_program import capture, quiet
from nas.export.verify import examples, first_line, flat_outputs, require_same

__all__ = ["write"]


def write(request: Request, path: Path) -> None:
    """Write the model, with input "input" and output "output", for batches of any size.

    Raises:
        NasError: If a package is missing, the network cannot be expressed, or ONNX Runtime gives
            other outputs than the network.
    """
    _require_packages()
    network = request.frozen_network("onnx")
    batches = examples(network, request.input_shape, "onnx", request.info)
    with quiet():
        try:
            _attempt(_from_program, network, batches, path)
        except NasError as first:
            try:
                _attempt(_from_trace, network, batches, path)
            except NasError:
                raise first from None  # it says more about the network than the older exporter


def _attempt(
    convert: Callable[[nn.Module, Tensor, list[str], Path], None],
    network: nn.Module,
    batches: list[Tensor],
    path: Path,
) -> None:
    """Write the model in one way, and compare it with the network."""
    with torch.no_grad():
        count = len(flat_outputs(network(batches[0])))
    outputs = ["output"] if count == 1 else [f"output{i}" for i in range(count)]
    try:
        convert(network, batches[0], outputs, path)
        model = _Model(path)
    except NasError:
        raise
    except Exception as error:  # the exporters wrap whatever went wrong in classes of their own
        raise NasError(f"export to onnx: {_reason(error)}") from error
    require_same(network, model, batches, "onnx")


def _from_program(network: nn.Module, x: Tensor, outputs: list[str], path: Path) -> None:
    """Convert what torch.export captures."""
    program = torch.onnx.export(
        capture(network, x, "onnx"),
        input_names=["input"],
        output_names=outputs,
        verbose=False,
        dynamo=True,
    )
    assert program is not None
    program.save(path, external_data=False)


def _from_trace(network: nn.Module, x: Tensor, outputs: list[str], path: Path) -> None:
    """Convert with the older exporter, for versions of `onnxscript` that do not suit PyTorch's."""
    torch.onnx.export(
        network,
        (x,),
        path,
        input_names=["input"],
        output_names=outputs,
        dynamic_axes={name: {0: "batch"} for name in ("input", *outputs)},
        dynamo=False,
    )


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
    return first_line(error)


class _Model:
    """A model loaded by ONNX Runtime, on the CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self.session: Any = onnxruntime.InferenceSession(
            str(path), providers=["CPUExecutionProvider"]
        )

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the outputs for a batch."""
        return [torch.from_numpy(y) for y in self.session.run(None, {"input": x.numpy()})]

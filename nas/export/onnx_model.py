"""An ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.graph_inputs import INPUTS, input_axes
from nas.export.request import Request
from nas.export.torch_program import capture, quiet
from nas.export.verify import (
    Batch,
    arguments,
    examples,
    first_line,
    flat_outputs,
    require_same,
)

__all__ = ["write"]


def write(request: Request, path: Path) -> None:
    """Write the model, with input "input" and output "output", for batches of any size.

    Models for graphs have the inputs of `NodeInputs` and `GraphInputs`, of any size.

    Raises:
        NasError: If a package is missing, the network cannot be expressed, or ONNX Runtime gives
            other outputs than the network.
    """
    _require_packages()
    network = request.running_network("onnx")
    batches = examples(network, request.input_shape, "onnx", request.info)
    with quiet():
        try:
            _attempt(_from_program, network, batches, path)
        except NasError as first:
            if request.kind in INPUTS:
                raise  # the older exporter cannot follow sums over edges
            try:
                _attempt(_from_trace, network, batches, path)
            except NasError:
                raise first from None  # it says more about the network than the older exporter


def _attempt(
    convert: Callable[[nn.Module, Batch, list[str], Path], None],
    network: nn.Module,
    batches: Sequence[Batch],
    path: Path,
) -> None:
    """Write the model in one way, and compare it with the network."""
    with torch.no_grad():
        count = len(flat_outputs(network(*arguments(batches[0]))))
    outputs = ["output"] if count == 1 else [f"output{i}" for i in range(count)]
    try:
        convert(network, batches[0], outputs, path)
        model = _Model(path, list(input_axes(network, len(arguments(batches[0])))))
    except NasError:
        raise
    except Exception as error:  # the exporters wrap whatever went wrong in classes of their own
        raise NasError(f"export to onnx: {_reason(error)}") from error
    require_same(network, model, batches, "onnx")


def _from_program(network: nn.Module, x: Batch, outputs: list[str], path: Path) -> None:
    """Convert what torch.export captures."""
    program = torch.onnx.export(
        capture(network, x, "onnx"),
        input_names=list(input_axes(network, len(arguments(x)))),
        output_names=outputs,
        verbose=False,
        dynamo=True,
    )
    assert program is not None
    program.save(path, external_data=False)


def _from_trace(network: nn.Module, x: Batch, outputs: list[str], path: Path) -> None:
    """Convert with the older exporter, for versions of `onnxscript` that do not suit PyTorch's."""
    axes = input_axes(network, len(arguments(x)))
    torch.onnx.export(
        network,
        arguments(x),
        path,
        input_names=list(axes),
        output_names=outputs,
        dynamic_axes=axes | {name: {0: "batch"} for name in outputs},
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
    """A model loaded by ONNX Runtime, on the CPU.

    Args:
        path: The file.
        names: Of its inputs, in order.
    """

    def __init__(self, path: Path, names: list[str]) -> None:
        import onnxruntime

        self.names = names
        self.session: Any = onnxruntime.InferenceSession(
            str(path), providers=["CPUExecutionProvider"]
        )

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Return the outputs for a batch."""
        given = {name: x.numpy() for name, x in zip(self.names, inputs, strict=True)}
        return [torch.from_numpy(y) for y in self.session.run(None, given)]

"""Writing down what a search found: notation, Python source, programs for deployment, weights."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import NasError, unknown
from nas.export.request import Request
from nas.export.staging import staged
from nas.task import TaskInfo

if TYPE_CHECKING:
    from torch import nn

    from nas.space import Architecture, SearchSpace

__all__ = ["FORMATS", "SUFFIXES", "export"]

FORMATS: dict[str, str] = {
    "json": "the architecture as JSON: the option of every decision",
    "genotype": "the architecture in the field's own notation",
    "python": "one source file of plain PyTorch, with its weights in a safetensors file beside it",
    "torch": "a torch.export program, for batches and graphs of any size",
    "onnx": "an ONNX model, for batches and graphs of any size, checked with ONNX Runtime",
    "weights": "the weights as safetensors",
}
"""Name -> one line."""

SUFFIXES: dict[str, str] = {
    "json": ".json",
    "genotype": ".txt",
    "python": ".py",
    "torch": ".pt2",
    "onnx": ".onnx",
    "weights": ".safetensors",
}
"""Name -> the suffix that files of the format usually have."""

_WRITERS = {
    "json": "json_file",
    "genotype": "genotype_text",
    "python": "python_source",
    "torch": "torch_program",
    "onnx": "onnx_model",
    "weights": "weights_file",
}


def export(
    network: nn.Module | None,
    input_shape: Sequence[int] | TaskInfo,
    to: str,
    path: Path | str,
    *,
    space: SearchSpace | None = None,
    architecture: Architecture | None = None,
) -> Path:
    """Write a found network in one format.

    What is written computes what the network computes in evaluation mode; formats that can be
    loaded again are loaded and compared (to 1e-5) before they take their place. A file that is
    already there is replaced in one step, or left as it was where the export fails.

    Args:
        network: A plain network (without undecided mutables); may be None for "json" and
            "genotype".
        input_shape: Of one example, without the batch, such as (3, 32, 32); or the shapes of a
            task, which other inputs than images and vectors need.
        to: One of `FORMATS`.
        path: The file to write; "python" writes the weights beside it, as `<stem>.safetensors`.
        space: The search space; needed for "json" and "genotype", otherwise kept as a note.
        architecture: What was found in it; as for `space`.

    Returns:
        The path.

    Raises:
        NasError: If the format is unknown, the place cannot be written to, or the network cannot
            be expressed in the format; the message says what is in the way.
    """
    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    path = Path(path)
    if to == "python" and path.suffix != ".py":
        raise NasError(f"export to python: the file must end in .py; got '{path.name}'")
    info = input_shape if isinstance(input_shape, TaskInfo) else None
    shape = input_shape.input_shape if isinstance(input_shape, TaskInfo) else tuple(input_shape)
    request = Request(network, shape, space, architecture, info)
    writer = import_module(f"nas.export.{_WRITERS[to]}")
    with staged(path) as draft:
        writer.write(request, draft)
    return path

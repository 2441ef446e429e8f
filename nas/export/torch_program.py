"""A program of torch.export."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from nas.errors import NasError
from nas.export.graph_inputs import input_axes
from nas.export.request import Request
from nas.export.verify import Batch, arguments, examples, first_line, require_same

__all__ = ["capture", "quiet", "write"]

_LARGEST_SIZE = 2**31 - 1  # without a bound some versions of PyTorch refuse networks with `view`


def write(request: Request, path: Path) -> None:
    """Write the program; `torch.export.load(path).module()` runs it, on batches of any size.

    Programs for graphs take what `NodeInputs` and `GraphInputs` take, of any size.
    """
    network = request.running_network("torch")
    batches = examples(network, request.input_shape, "torch", request.info)
    with quiet():
        program = capture(network, batches[0], "torch")
        try:
            torch.export.save(program, path)
            loaded = torch.export.load(path).module()
        except Exception as error:  # whatever torch.export may raise
            raise NasError(f"export to torch: {first_line(error)}") from error
        require_same(network, loaded, batches, "torch")


def capture(network: nn.Module, x: Batch, to: str) -> torch.export.ExportedProgram:
    """Trace a network into a graph with a dynamic batch size, or numbers of nodes and edges.

    Args:
        network: In evaluation mode.
        x: A batch of at least two; a batch of one would be taken as a constant.
        to: The format, for the error message.

    Raises:
        NasError: If the network cannot be traced.
    """
    try:
        inputs = arguments(x)
        axes = [*input_axes(network, len(inputs)).values()]
        names = {name for of in axes for name in of.values()}
        sizes = {name: torch.export.Dim(name, max=_LARGEST_SIZE) for name in names}
        shapes = tuple({axis: sizes[name] for axis, name in of.items()} for of in axes)
        return torch.export.export(network, inputs, dynamic_shapes=shapes, strict=False)
    except Exception as error:  # torch.export raises what it likes, with pages of advice
        raise NasError(
            f"export to {to}: torch.export cannot trace the network: {first_line(error)}"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep exporters from printing their own notes; what goes wrong is still raised."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

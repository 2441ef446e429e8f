"""Whether what was written computes what the network computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.graph_inputs import INPUTS, random_graphs
from nas.task import TaskInfo

__all__ = ["Batch", "arguments", "examples", "first_line", "flat_outputs", "require_same"]

Batch = Tensor | tuple[Tensor, ...]
"""What a network is called with: one input, or several."""

_BATCHES = (3, 1)  # several and one: programs are easily specialised to either
_TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2}  # a few roundings; 1e-5 otherwise


def arguments(batch: Batch) -> tuple[Tensor, ...]:
    """Return the inputs, one or several."""
    return (batch,) if isinstance(batch, Tensor) else batch


def examples(
    network: nn.Module, input_shape: Sequence[int], to: str, info: TaskInfo | None = None
) -> Sequence[Batch]:
    """Return random batches of 3 and of 1, or graphs, on which a network runs.

    A network that refuses real numbers is tried with integers (tokens).

    Args:
        network: In evaluation mode, on the CPU.
        input_shape: Of one example.
        to: The format, for the error message.
        info: What the task is, where that is known.

    Raises:
        NasError: If the network does not run on inputs of this shape.
    """
    if any(type(size) is not int or size < 1 for size in input_shape):
        raise NasError(f"export to {to}: input_shape={tuple(input_shape)} needs positive integers")
    generator = torch.Generator("cpu").manual_seed(0)
    shapes = [(batch, *input_shape) for batch in _BATCHES]
    floating = [p.dtype for p in network.parameters() if p.is_floating_point()]
    dtype = floating[0] if floating else torch.float32
    if info is not None and info.kind in INPUTS:
        return _graphs(network, info, to, dtype, generator)
    real = [torch.randn(shape, generator=generator, device="cpu").to(dtype) for shape in shapes]
    if info is not None and any(info.categories):
        real = [_rows(info, batch, generator).to(dtype) for batch in _BATCHES]
    problem = _problem(network, real)
    if problem is None:
        return real
    tokens = [torch.randint(0, 2, shape, generator=generator, device="cpu") for shape in shapes]
    if _problem(network, tokens) is None:
        return tokens
    raise NasError(
        f"export to {to}: the network does not run on inputs of shape {tuple(input_shape)}: "
        f"{first_line(problem)}"
    ) from problem


def _graphs(
    network: nn.Module, info: TaskInfo, to: str, dtype: torch.dtype, generator: torch.Generator
) -> list[tuple[Tensor, ...]]:
    graphs = random_graphs(network, info, dtype, generator)
    problem = _problem(network, graphs)
    if problem is not None:
        raise NasError(
            f"export to {to}: the network does not run on graphs with {info.input_shape[0]} "
            f"features a node and {info.edge_features} an edge: {first_line(problem)}"
        ) from problem
    return graphs


def _rows(info: TaskInfo, batch: int, generator: torch.Generator) -> Tensor:
    """Return random rows of a table, [batch, columns]."""
    rows = info.example(batch, generator)
    assert isinstance(rows, Tensor)
    return rows


def _problem(network: nn.Module, batches: Sequence[Batch]) -> Exception | None:
    try:
        with torch.no_grad():
            for x in batches:
                network(*arguments(x))
    except Exception as error:  # whatever a user's forward may raise
        return error
    return None


def first_line(error: BaseException) -> str:
    """Return what an exception says on its first line, or its class."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def flat_outputs(output: object) -> list[Tensor]:
    """Return the tensors of what a network returns, in order."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        return [tensor for item in output for tensor in flat_outputs(item)]
    return []


def require_same(
    network: nn.Module, run: Callable[..., object], batches: Sequence[Batch], to: str
) -> None:
    """Raise `NasError` unless `run` gives the network's outputs on every batch.

    Args:
        network: In evaluation mode, on the CPU.
        run: What was written and loaded again.
        batches: What `examples` returned.
        to: The format, for the error message.
    """
    for x in batches:
        with torch.no_grad():
            expected = flat_outputs(network(*arguments(x)))
            try:
                actual = flat_outputs(run(*arguments(x)))
            except Exception as error:  # whatever generated code or a runtime may raise
                raise NasError(
                    f"export to {to}: what was written does not run on {_described(x)}: "
                    f"{type(error).__name__}: {first_line(error)}"
                ) from error
        if [y.shape for y in actual] != [y.shape for y in expected]:
            raise NasError(
                f"export to {to}: outputs of shapes {[tuple(y.shape) for y in actual]}, "
                f"the network's have {[tuple(y.shape) for y in expected]}"
            )
        for a, b in zip(actual, expected, strict=True):
            _require_close(a, b, to)


def _described(batch: Batch) -> str:
    if isinstance(batch, Tensor):
        return f"a batch of {len(batch)}"
    return f"a graph of {len(batch[0])} nodes and {batch[1].shape[1]} edges"


def _require_close(actual: Tensor, expected: Tensor, to: str) -> None:
    tolerance = _TOLERANCE.get(expected.dtype, 1e-5)
    a, b = actual.double(), expected.double()
    if not torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise NasError(
            f"export to {to}: outputs deviate by up to {(a - b).abs().max().item():.2g} from the "
            f"network's (allowed: {tolerance:g})"
        )

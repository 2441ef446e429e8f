"""One source file of plain PyTorch, and its weights."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.graph_inputs import AXES, INPUTS, input_axes, on_tensors
from nas.export.request import Request
from nas.export.source.by_config import by_config
from nas.export.source.on_tensors import on_tensors as taking_tensors
from nas.export.source.program import Program
from nas.export.source.regenerate import regenerate
from nas.export.source.template import file_text
from nas.export.verify import arguments, examples, first_line, require_same
from nas.export.weights_file import metadata, save

__all__ = ["write"]

_MODULE = "_nas_exported_network"


def write(request: Request, path: Path) -> None:
    """Write the source, and `<stem>.safetensors` beside it.

    The network's own source is taken where it says how it was built (see `by_config`); otherwise
    its classes are written anew from the modules that are there (see `regenerate`).

    Raises:
        NasError: If something in the network cannot be expressed; it names the place.
    """
    plain = request.frozen_network("python")
    network = on_tensors(plain, request.kind)
    batches = examples(network, request.input_shape, "python", request.info)
    inputs = arguments(batches[0])
    named = dict(zip(input_axes(network, len(inputs)), inputs, strict=True))
    graph = named if request.kind in INPUTS else {}
    notes = [*_notes(request), _shapes(request, graph)]
    with torch.no_grad():
        output = type(network(*inputs))
    tokens = not inputs[0].is_floating_point()

    def attempt(program: Program) -> None:
        if request.kind in INPUTS:
            program = taking_tensors(program, INPUTS[request.kind])
        text = file_text(program, request.input_shape, tokens, output, notes, graph)
        path.write_text(text, encoding="utf-8")
        save(program.state, path.with_suffix(".safetensors"), metadata(request))
        require_same(network, _load(path), batches, "python")

    try:
        attempt(by_config(plain))
    except NasError:
        attempt(regenerate(plain))


def _shapes(request: Request, graph: Mapping[str, Tensor]) -> str:
    """Say what the network takes."""
    if not graph:
        return f"Input: [batch, {', '.join(map(str, request.input_shape))}]"
    shown = []
    for name, x in graph.items():
        sizes = (AXES[name].get(axis, str(size)) for axis, size in enumerate(x.shape))
        shown.append(f"{name} [{', '.join(sizes)}]")
    return f"Inputs: {', '.join(shown)}"


def _notes(request: Request) -> list[str]:
    """Say what was found."""
    notation = request.notation()
    if request.space is None or notation is None:
        return []
    return [f"Space {request.space.name}: {notation}"]


def _load(path: Path) -> nn.Module:
    """Return the network that a written file makes."""
    spec = util.spec_from_file_location(_MODULE, path)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.modules[_MODULE] = module  # dataclasses look their module up
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            spec.loader.exec_module(module)
            return _loaded(module)
    except Exception as error:  # whatever generated code may raise
        raise NasError(
            f"export to python: what was written does not load: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from error
    finally:
        del sys.modules[_MODULE]
        sys.dont_write_bytecode = no_bytecode


def _loaded(module: ModuleType) -> nn.Module:
    network = module.load()
    assert isinstance(network, nn.Module)
    return network

"""One source file of plain PyTorch, and its weights."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from nas.errors import NasError
from nas.export.request import Request
from nas.export.source.by_config import by_config
from nas.export.source.program import Program
from nas.export.source.regenerate import regenerate
from nas.export.source.template import file_text
from nas.export.verify import examples, first_line, require_same
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
    network = request.frozen_network("python")
    batches = examples(network, request.input_shape, "python", request.info)
    with torch.no_grad():
        output = type(network(batches[0]))
    tokens = not batches[0].is_floating_point()

    def attempt(program: Program) -> None:
        text = file_text(program, request.input_shape, tokens, output, _notes(request))
        path.write_text(text, encoding="utf-8")
        save(program.state, path.with_suffix(".safetensors"), metadata(request))
        require_same(network, _load(path), batches, "python")

    try:
        attempt(by_config(network))
    except NasError:
        attempt(regenerate(network))


def _notes(request: Request) -> list[str]:
    notes = [f"Input: [batch, {', '.join(map(str, request.input_shape))}]"]
    notation = request.notation()
    if request.space is not None and notation is not None:
        notes.insert(0, f"Space {request.space.name}: {notation}")
    return notes


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

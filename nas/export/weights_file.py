"""The weights as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save as serialized
from torch import Tensor

from nas.export.request import Request

__all__ = ["metadata", "save", "write"]


def write(request: Request, path: Path) -> None:
    """Write the state dict, with space, architecture and configuration as metadata."""
    save(request.frozen_network("weights").state_dict(), path, metadata(request))


def save(state: Mapping[str, Tensor], path: Path, notes: dict[str, str]) -> None:
    """Write tensors under their names; those that share memory are written one by one."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    # `save_file` would hide the file from other users; an empty header cannot be read again.
    path.write_bytes(serialized(tensors, notes or None))


def metadata(request: Request) -> dict[str, str]:
    """Return what is known of a network, as safetensors keeps it: text by name."""
    notes = {"space": request.space.name} if request.space is not None else {}
    notation = request.notation()
    if notation is not None:
        notes["architecture"] = notation
    config = getattr(request.network, "config", None)
    if isinstance(config, Mapping):
        notes["config"] = json.dumps({k: _fields(v) for k, v in config.items()}, default=str)
    return notes


def _fields(value: object) -> object:
    """Return a named tuple (such as a genotype) with its names; anything else as it is."""
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else value

"""Weights as safetensors files: written whole or not at all, read without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import NasError
from nas.storage.checkpoint import atomic

if TYPE_CHECKING:
    from torch import nn

__all__ = ["load_weights", "save_weights"]


def save_weights(network: nn.Module, file: Path) -> None:
    """Write a network's state dict; tensors that share memory are written one by one."""
    from safetensors.torch import save

    state = network.state_dict()
    tensors = {name: tensor.cpu().contiguous().clone() for name, tensor in state.items()}
    with atomic(file) as stream:
        stream.write(save(tensors, {"format": "pt"}))


def load_weights(network: nn.Module, file: Path) -> nn.Module:
    """Load a file into a network; return the network in evaluation mode.

    Raises:
        NasError: If the file is missing, damaged or of another network.
    """
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(file))
    except FileNotFoundError:
        raise NasError(f"{file} is missing") from None
    except Exception as error:
        reason = str(error).splitlines()[0][:120]
        raise NasError(f"{file} is damaged or of another network ({reason})") from error
    return network.eval()

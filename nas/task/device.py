"""The device that data lies on, and whether data fits there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nas.errors import NasError

if TYPE_CHECKING:
    import torch

__all__ = ["check_memory", "find_device", "fits", "memory_size"]


def find_device(device: str | torch.device) -> torch.device:
    """Return a device by name, with its number; "auto" is the GPU where there is one.

    Raises:
        NasError: When the name means nothing or the machine has no such device.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise NasError(f"device '{device}' cannot be used: {reason}") from error


def memory_size(device: torch.device) -> int | None:
    """Return the bytes that a device has: free ones of a GPU, all of the host's, None: unknown.

    The host's free memory would say too little, as it leaves out the file cache.
    """
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no such figure on this system
        return None


def fits(size: int, device: torch.device) -> bool:
    """Tell whether data of a size in bytes takes at most half of a device's memory."""
    memory = memory_size(device)
    return memory is None or size <= memory / 2


def check_memory(name: str, size: int, device: torch.device) -> None:
    """Refuse data that would take more than half of a device's memory.

    Args:
        name: Of the data, for the message.
        size: Of its tensors, in bytes.
        device: Where they shall lie.

    Raises:
        NasError: Stating both sizes.
    """
    if not fits(size, device):
        memory = _gib(memory_size(device) or 0)
        raise NasError(
            f"{name}: the examples take {_gib(size)}, more than half of the {memory} of "
            f"memory of device {device}; set limit to use fewer, or give smaller examples"
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"

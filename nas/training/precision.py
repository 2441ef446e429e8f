"""The number format that networks are run in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from nas.errors import unknown

__all__ = ["PRECISIONS", "as_float", "autocast", "check_precision"]

PRECISIONS = ("fp32", "bf16")


def check_precision(precision: str, where: str) -> None:
    """Raise `NasError` for a precision that there is not.

    Args:
        precision: A name.
        where: Of the setting, for the message.
    """
    if precision not in PRECISIONS:
        raise unknown(where, precision, PRECISIONS)


@contextmanager
def autocast(precision: str, device: torch.device) -> Iterator[None]:
    """Run a block in a precision.

    With "bf16" convolutions and matrix products take bfloat16 (8 bits of mantissa) and add up in
    float32; weights, their gradients and losses stay float32.

    Args:
        precision: "fp32" or "bf16".
        device: Where the block runs.
    """
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield


def as_float(output: Any) -> Any:
    """Bring what a network returns, a tensor or several, from bfloat16 to float32."""
    if isinstance(output, torch.Tensor):
        return output.float() if output.dtype == torch.bfloat16 else output
    if isinstance(output, (list, tuple)):
        return type(output)(as_float(part) for part in output)
    return output

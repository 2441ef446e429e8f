"""What went wrong in a user's own code, and where, in one line."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

import torch
from torch import nn

__all__ = ["fault", "is_users"]

_OURS = Path(__file__).resolve().parent.parent
_OTHERS = (Path(torch.__file__).resolve().parent, Path(sysconfig.get_path("stdlib")).resolve())
_CALLS = Path(nn.modules.module.__file__).resolve()
_INSTALLED = ("site-packages", "dist-packages")


def fault(error: BaseException) -> str:
    """Describe an exception: its class, the first line of its message, the user's line of code."""
    first = (str(error).strip().splitlines() or [""])[0]
    text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    frame = _frame(error)
    if frame is None:
        return text
    return f"{text} ({Path(frame.filename).name}, line {frame.lineno}, in {frame.name})"


def is_users(error: BaseException) -> bool:
    """Tell whether an exception came up in a module, run by this package, that is not its own."""
    return _frame(error, in_module=True) is not None


def _frame(error: BaseException, in_module: bool = False) -> traceback.FrameSummary | None:
    """Return the last place in code that is not installed, of this package or of Python.

    Args:
        error: What was raised.
        in_module: Whether only code counts that runs because a module was called.
    """
    inside, found = False, None
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename).resolve()
        if _OURS in file.parents:
            inside = inside or not in_module
        elif file == _CALLS:
            inside = True
        elif inside and not any(place in file.parents for place in _OTHERS):
            found = found if any(name in file.parts for name in _INSTALLED) else frame
    return found

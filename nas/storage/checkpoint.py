"""Files that are whole or not there: atomic writing, checkpoints, seeds that need no state."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nas.errors import NasError

__all__ = [
    "atomic",
    "leftovers",
    "load_checkpoint",
    "restoring",
    "save_checkpoint",
    "seed_everything",
    "seed_of",
]


_LEFTOVER = re.compile(r"^\..+\.part$")


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` when the block ends, and vanishes if the block fails.

    Raises:
        NasError: If the file cannot be written, such as on a full disk.
    """
    name = None
    try:
        handle, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise NasError(f"cannot write {path}: {error.strerror or error}") from error
        raise


def leftovers(folder: Path) -> list[Path]:
    """Return the half-written files that killed processes have left in a folder."""
    return [file for file in folder.glob(".*") if _LEFTOVER.search(file.name)]


def write_json(path: Path, data: Any) -> None:
    """Write JSON atomically."""
    with atomic(path) as stream:
        stream.write((json.dumps(data, indent=2) + "\n").encode())


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state (tensors and plain values) so that the old file stands until the new is whole.

    Args:
        path: The file; its folder is made if need be.
        state: What `torch.load(weights_only=True)` can read back.
    """
    import torch

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NasError(f"cannot make folder {path.parent}: {error.strerror}") from error
    with atomic(path) as stream:
        torch.save(state, stream)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint onto the CPU; None where there is none.

    Raises:
        NasError: If the file is damaged or is not a checkpoint.
    """
    import torch

    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums
            if archive.testzip() is not None:
                raise ValueError("its contents were altered")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise NasError(
            f"checkpoint {path} is damaged ({reason}); delete it to start over"
        ) from error
    if not isinstance(state, dict):
        raise NasError(f"checkpoint {path} does not hold a state; delete it to start over")
    return state


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """Say which checkpoint it is when its state does not fit what is being restored."""
    try:
        yield
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise NasError(
            f"checkpoint {path} is of another search ({reason}); delete it to start over"
        ) from error


def seed_of(seed: int, *what: object) -> int:
    """Derive a seed from a seed and names, such as ("epoch", 3): no state has to be kept."""
    text = json.dumps([seed, *map(str, what)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)

"""How the process keeps memory that tensors on the CPU have given back."""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # of mallopt, malloc.h


def keep_freed_memory() -> bool:
    """Let the C library keep the memory of freed tensors for the next ones.

    By default it returns large blocks to the system at once and asks for them again, page by page,
    a moment later. Where page faults are dear (virtual machines), that costs more than the
    computation: see docs/performance.md. The process then holds its peak until it ends.

    Returns:
        Whether it was done; it needs glibc, so it is not on macOS, Windows or musl.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_ARENA_MAX, 1))
    return all(mallopt(name, value) == 1 for name, value in options)

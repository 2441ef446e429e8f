"""The memory of freed tensors is kept."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from nas.costs.allocator import keep_freed_memory

GLIBC = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"

HELD = """
import os, sys
from nas.costs.allocator import keep_freed_memory

def held():
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "keep":
    assert keep_freed_memory()
start = held()
block = bytes([1]) * 2**26
assert held() - start > 2**26 - 2**22
del block
print(held() - start)
"""


def _held_after(how: str) -> int:
    """Return how many of 64 MB, used and freed, a new process still holds."""
    command = [sys.executable, "-c", HELD, how]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told to")
def test_freed_memory_is_kept() -> None:
    assert _held_after("keep") > 2**26 - 2**22
    assert _held_after("usual") < 2**22  # what is changed


class Refused:
    def __init__(self, name: object) -> None:
        raise AssertionError("no library is to be called")


@pytest.mark.parametrize(
    ("system", "library"), [("Darwin", ""), ("Windows", ""), ("Linux", ""), ("Linux", "musl")]
)
def test_other_systems_are_left_alone(
    system: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "libc_ver", lambda: (library, ""))
    monkeypatch.setattr(ctypes, "CDLL", Refused)
    assert keep_freed_memory() is False


@pytest.mark.parametrize("allowed", [0, 1, 2, 3])
def test_a_library_that_refuses(allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def mallopt(*option: int) -> int:
        calls.append(option)
        return int(len(calls) <= allowed)

    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory() is (allowed == 3)
    assert (-4, 0) in calls  # M_MMAP_MAX: no blocks of their own

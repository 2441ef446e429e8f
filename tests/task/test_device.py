"""Devices by name, and the guard on memory."""

from __future__ import annotations

import pytest
import torch

from nas.errors import NasError
from nas.task import device

CPU = torch.device("cpu")


def test_find_device() -> None:
    assert device.find_device("cpu") == CPU
    assert device.find_device(CPU) == CPU


@pytest.mark.parametrize("name", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(NasError, match=f"device '{name}' cannot be used: "):
        device.find_device(name)


def test_the_host_has_memory() -> None:
    size = device.memory_size(CPU)
    assert size is None or size > 2**26


def test_over_half_of_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "memory_size", lambda _: 2**31)
    device.check_memory("data", 2**30, CPU)
    with pytest.raises(NasError, match=r"data: .* 1\.50 GiB, more than half of the 2\.00 GiB"):
        device.check_memory("data", 3 * 2**29, CPU)


def test_free_memory_of_a_gpu_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 5000))
    with pytest.raises(NasError, match="device cuda:0"):
        device.check_memory("data", 501, torch.device("cuda", 0))
    device.check_memory("data", 500, torch.device("cuda", 0))


def test_unknown_memory_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_figure(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(device.os, "sysconf", no_figure)
    assert device.memory_size(CPU) is None
    device.check_memory("data", 2**60, CPU)

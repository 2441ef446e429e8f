"""Whether a training fits: what is free, what is said before, what is said after."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.costs.memory import MemoryEstimate
from nas.costs.memory_watch import MemoryWatch, free_memory, is_out_of_memory, readable
from nas.errors import NasError

CPU = torch.device("cpu")
GIB = 2**30
MANY = 10**6  # examples to come
CHANGES = {
    "none": 1.0,
    "checkpoint": 0.25,
    "channels": 0.5,
    "partial_channels": 0.4,
}  # what is left of the memory of an example


class Heard:
    """Progress and log that keep what they are told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.events: list[dict[str, Any]] = []

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Any:
        yield

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def log(self, event: dict[str, Any]) -> None:
        self.events.append(event)


def estimated(changes: Mapping[str, Any]) -> MemoryEstimate:
    """Estimate 1 GiB of weights and 1 GiB an example, less with changed settings."""
    share = CHANGES[next(iter(changes), "none")]
    return MemoryEstimate(64, GIB, 0, 0, ((0.0, share * GIB),))


def watch(free: float | None, monkeypatch: pytest.MonkeyPatch, **options: Any) -> MemoryWatch:
    """Watch a training with batches of 64, of which 1 GiB is on the device already."""
    room = None if free is None else int(free * GIB)
    monkeypatch.setattr("nas.costs.memory_watch.free_memory", lambda device: room)
    chosen: dict[str, Any] = {"batch_setting": "batch_size", "estimate": estimated} | options
    chosen.setdefault("options", {"channels": 16})
    return MemoryWatch(CPU, 64, held=GIB, **chosen)


def announced(watcher: MemoryWatch, examples: int = MANY) -> Heard:
    heard = Heard()
    watcher.announce(examples, heard, heard.log)
    return heard


# -- before ---------------------------------------------------------------------------------------


def test_what_fits_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = announced(watch(99, monkeypatch))
    assert heard.notes == ["memory: about 65 GiB of 100 GiB (batch 64)"]
    assert not heard.warnings
    [event] = heard.events
    assert event["event"] == "memory" and event["batch_size"] == 64
    assert (event["weights"], event["per_example"], event["total"]) == (GIB, GIB, 65 * GIB)


def test_what_just_fits_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not announced(watch(64, monkeypatch)).warnings
    assert announced(watch(63.99, monkeypatch)).warnings


def test_what_does_not_fit_is_warned_of_with_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = announced(watch(30, monkeypatch))
    assert heard.warnings == [
        "batches of 64 take about 65 GiB of memory, and 31 GiB are free on cpu; what would fit: "
        "--set batch_size=30, or --set supernet.checkpoint=true (about 17 GiB), or "
        "--set supernet.channels=8 with batch_size=60, or "
        "--set supernet.partial_channels=4 (about 26.6 GiB)"
    ]
    warnings = [event for event in heard.events if event["event"] == "warning"]
    assert [event["message"] for event in warnings] == heard.warnings


def test_settings_of_the_evaluator_have_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    [warning] = announced(watch(30, monkeypatch, batch_setting="evaluator.batch_size")).warnings
    assert "--set evaluator.batch_size=30" in warning


def test_only_settings_that_the_space_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(changes: Mapping[str, Any]) -> MemoryEstimate:
        if changes:
            raise NasError("no such setting")
        return estimated(changes)

    [warning] = announced(watch(30, monkeypatch, estimate=refusing, options={})).warnings
    assert warning.endswith("what would fit: --set batch_size=30")


def test_only_settings_that_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"channels": 16, "checkpoint": True, "partial_channels": 4}
    [warning] = announced(watch(30, monkeypatch, options=options)).warnings
    assert "checkpoint" not in warning and "partial" not in warning and "channels=8" in warning


def test_not_even_one_example(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NasError) as caught:
        announced(watch(0.6, monkeypatch))
    assert str(caught.value) == (
        "a batch of 1 example takes about 2 GiB of memory, and 1.6 GiB are free on cpu; what would "
        "fit: --set supernet.checkpoint=true with batch_size=2, or --set supernet.channels=8 with "
        "batch_size=1, or --set supernet.partial_channels=4 with batch_size=1"
    )


def test_nothing_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NasError, match=r"on cpu; nothing smaller would fit$"):
        announced(watch(0.1, monkeypatch))


def test_a_device_of_unknown_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = announced(watch(None, monkeypatch))
    assert heard.notes == ["memory: about 65 GiB (batch 64)"] and not heard.warnings


def test_a_short_training_is_not_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = announced(watch(1, monkeypatch), examples=100)
    assert not (heard.notes or heard.warnings or heard.events)


def test_an_estimate_that_fails_does_not_stop_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(changes: Mapping[str, Any]) -> MemoryEstimate:
        raise ZeroDivisionError("why")

    heard = announced(watch(1, monkeypatch, estimate=failing))
    assert not (heard.notes or heard.warnings)
    assert heard.events == [{"event": "memory", "error": "ZeroDivisionError: why"}]


# -- after ----------------------------------------------------------------------------------------

ON_CUDA = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.11 GiB of "
    "which 10.00 MiB is free."
)
ON_CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 13421772800 bytes. Error code 12 (Cannot allocate memory)"
)
ON_WINDOWS = "DefaultCPUAllocator: not enough memory: you tried to allocate 13421772800 bytes."


@pytest.mark.parametrize(
    ("error", "asked"),
    [(ON_CUDA, "20.00 MiB"), (ON_CPU, "12.5 GiB"), (ON_WINDOWS, "12.5 GiB")],
)
def test_an_error_is_explained(error: str, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = watch(30, monkeypatch).explain(error)
    assert text.startswith(
        f"out of memory with batches of 64 examples on cpu; {asked} more were asked for; 31 GiB "
        "were free; the estimate is about 65 GiB; what would fit: --set batch_size=30, or "
    )


def test_an_error_in_spite_of_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs half as much, beside the weights, may fit."""
    text = watch(1000, monkeypatch).explain("out of memory")
    assert "asked" not in text
    assert "1001 GiB were free; the estimate is about 65 GiB" in text
    assert "--set batch_size=32, or --set supernet.checkpoint=true (about 17 GiB)" in text
    assert "--set batch_size=32" in watch(None, monkeypatch).explain("out of memory")


def test_an_error_without_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(changes: Mapping[str, Any]) -> MemoryEstimate:
        raise MemoryError

    text = watch(4, monkeypatch, estimate=failing).explain("out of memory")
    assert text.endswith("5 GiB were free; try --set batch_size=32")


@pytest.mark.parametrize(
    "error",
    [
        *(RuntimeError(text) for text in (ON_CPU, ON_CUDA, ON_WINDOWS)),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.OutOfMemoryError("anything"),
        MemoryError(),
    ],
)
def test_errors_of_memory(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_the_error_of_this_machine() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory")])
def test_other_errors(error: Exception) -> None:
    assert not is_out_of_memory(error)


# -- what is free ---------------------------------------------------------------------------------


def write(file: Path, text: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def machine(root: Path, available: int | None = 24 * GIB, groups: str = "0::/") -> Path:
    if available is not None:
        write(root / "proc/meminfo", f"MemTotal: 1 kB\nMemAvailable:   {available // 1024} kB")
    write(root / "proc/self/cgroup", groups)
    return root


def control_group(folder: Path, limit: object, used: int, cache: int, new: bool = True) -> None:
    names = ("memory.max", "memory.current", "inactive_file")
    if not new:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    write(folder / names[0], limit)
    write(folder / names[1], used)
    write(folder / "memory.stat", f"anon 7\n{names[2]} {cache}\nfile 3")


def test_free_without_limits(tmp_path: Path) -> None:
    assert free_memory(CPU, machine(tmp_path)) == 24 * GIB


def test_free_within_a_container(tmp_path: Path) -> None:
    control_group(machine(tmp_path) / "sys/fs/cgroup", 8 * GIB, 3 * GIB, GIB)
    assert free_memory(CPU, tmp_path) == 6 * GIB  # the file cache gives way


@pytest.mark.parametrize(("own", "above", "free"), [(9, 20, 8), (20, 9, 8), ("max", 99, 24)])
def test_the_narrowest_group_counts(tmp_path: Path, own: Any, above: int, free: int) -> None:
    top = machine(tmp_path, groups="0::/user/mine") / "sys/fs/cgroup"
    limit = own if own == "max" else own * GIB
    control_group(top / "user/mine", limit, GIB, 0)
    control_group(top / "user", above * GIB, GIB, 0)
    assert free_memory(CPU, tmp_path) == free * GIB


def test_groups_of_the_older_kind(tmp_path: Path) -> None:
    groups = "9:name=systemd:/\n4:cpu,memory:/box\n2:cpuset:/\n0::/"
    top = machine(tmp_path, groups=groups) / "sys/fs/cgroup/memory"
    control_group(top / "box", 5 * GIB, 2 * GIB, GIB // 2, new=False)
    control_group(top, 2**63 - 4096, 9 * GIB, 0, new=False)
    assert free_memory(CPU, tmp_path) == 3.5 * GIB


def test_unknown(tmp_path: Path) -> None:
    assert free_memory(CPU, tmp_path) is None
    assert free_memory(torch.device("meta"), machine(tmp_path)) is None


def test_this_machine_has_some() -> None:
    free = free_memory(CPU)
    assert free is None or free > 2**20


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1.29 * GIB, "1.29 GiB"),
        (24 * GIB, "24 GiB"),
        (1234.5 * GIB, "1234 GiB"),
        (2**28, "256 MiB"),
        (5000, "4.88 KiB"),
        (7, "0.00684 KiB"),
    ],
)
def test_sizes_are_readable(size: float, text: str) -> None:
    assert readable(size) == text

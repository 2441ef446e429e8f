"""Time, operator calls and peak memory of a piece of work."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

Work = Callable[[], object]

_MARK = "perf: from here on"


@dataclass(frozen=True)
class Timing:
    """Seconds of every repeat."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The shortest, in seconds."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The one in the middle, in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Profile:
    """What one run of a piece of work does.

    Args:
        operators: Calls of `aten::` operators by the program or by autograd: not those that
            operators make themselves.
        kernels: Launches of kernels, or of graphs of them, on the GPU; None without one.
        peak_bytes: The most bytes of tensors at a time, above those held before.
    """

    operators: int
    kernels: int | None
    peak_bytes: int


def interleaved(
    works: Mapping[str, Work],
    repeats: int,
    device: torch.device,
    status: Callable[[str], None] = lambda text: None,
) -> dict[str, Timing]:
    """Time pieces of work in turn (A B C A B C ...), so that a disturbance hits all alike.

    Each runs once before, untimed.

    Args:
        works: By name.
        repeats: How often each is timed.
        device: Waited for before and after each.
        status: Told which repeat runs.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    status("warming up")
    for work in works.values():
        work()
    gc.collect()  # what came before shall not be swept up within a repeat
    for repeat in range(repeats):
        status(f"repeat {repeat + 1} of {repeats}")
        for name, work in works.items():
            _wait(device)
            start = time.perf_counter()
            work()
            _wait(device)
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def profiled(work: Work, device: torch.device) -> Profile:
    """Count what one run of a piece of work does; it runs two or three times.

    On the CPU the peak is exact: the sum of all allocations and releases in the order of time. A
    first run within the profile makes known what the second one releases, for the profiler does
    not see the release of what was allocated before.
    """
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities, profile_memory=device.type == "cpu") as profiler:
        work()
        with record_function(_MARK):
            work()
            _wait(device)
    events = _events(profiler)
    start = next(event.start_ns() for event in events if event.name() == _MARK)
    within = [event for event in events if event.start_ns() >= start]
    operators = _outermost(within)
    if device.type == "cpu":
        return Profile(operators, None, _cpu_peak(events, start))
    launches = sum(e.name().startswith("cu") and "Launch" in e.name() for e in within)
    return Profile(operators, launches, _cuda_peak(work, device))


def _events(profiler: Any) -> list[Any]:
    """Return the events of the CPU's side, in the order of time."""
    every = profiler.profiler.kineto_results.events()
    events = [event for event in every if event.device_type().name == "CPU"]
    return sorted(events, key=lambda event: event.start_ns())


def _outermost(events: list[Any]) -> int:
    """Count operators that no other operator called, on every thread."""
    count, ends = 0, dict[int, int]()
    operators = [event for event in events if event.name().startswith("aten::")]
    for event in sorted(operators, key=lambda e: (e.start_ns(), -e.duration_ns())):
        thread = event.start_thread_id()
        if event.start_ns() >= ends.get(thread, 0):
            count += 1
            ends[thread] = event.end_ns()
    return count


def _cpu_peak(events: list[Any], start: int) -> int:
    """Return the most bytes held after a time above those held at it."""
    held = peak = 0
    for event in events:
        if event.name() == "[memory]" and event.start_ns() >= start:
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def _cuda_peak(work: Work, device: torch.device) -> int:
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    return torch.cuda.max_memory_allocated(device) - before


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

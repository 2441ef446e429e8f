"""Whether a training fits into memory: said before it starts, and explained where it did not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from nas.costs.memory import MemoryEstimate
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["MemoryWatch", "free_memory", "is_out_of_memory", "readable"]

_WORTH = 10_000  # examples: with fewer to come, an estimate costs more than it saves
_UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


class MemoryWatch:
    """Says before a training whether it will fit, and what to change when it did not.

    Args:
        device: Where it runs.
        batch_size: Examples a step.
        batch_setting: The name of that setting, as in "--set batch_size=64".
        estimate: Estimates the training's peak, with changed settings of the supernet.
        options: Settings of the supernet.
        held: Bytes of the training that are on the device already.
    """

    def __init__(
        self,
        device: torch.device,
        batch_size: int,
        batch_setting: str,
        estimate: Callable[[Mapping[str, Any]], MemoryEstimate],
        options: Mapping[str, Any],
        held: int,
    ) -> None:
        self.device, self.batch_size, self.batch_setting = device, batch_size, batch_setting
        self.estimate, self.options = estimate, options
        free = free_memory(device)
        self.room = None if free is None else free + held

    def announce(self, examples: int, progress: Progress, log: Callable[..., None]) -> None:
        """Say how much memory the training will take, and warn if there is less.

        Args:
            examples: How many the training will go over; for few of them nothing is done.
            progress: Where to say it.
            log: Takes it as an event.

        Raises:
            NasError: If not even a batch of one example fits.
        """
        if examples < _WORTH:
            return
        try:
            estimate = self.estimate({})
        except Exception as error:  # the training itself will say what is wrong, if anything is
            log({"event": "memory", "error": f"{type(error).__name__}: {error}".splitlines()[0]})
            return
        of = "" if self.room is None else f" of {readable(self.room)}"
        progress.note(f"memory: about {readable(estimate.total)}{of} (batch {self.batch_size})")
        log(_event(estimate))
        if self.room is not None and estimate.total > self.room:
            message = self._excess(estimate, self.room)
            progress.warn(message)
            log({"event": "warning", "phase": "memory", "message": message})

    def _excess(self, estimate: MemoryEstimate, room: int) -> str:
        """Say what does not fit and what would; raises `NasError` if not even one example does."""
        there = f"{readable(room)} are free on {self.device}; {self._advice(estimate, room)}"
        if estimate.largest_batch(room) < 1:
            one = readable(estimate.at(1))
            raise NasError(f"a batch of 1 example takes about {one} of memory, and {there}")
        size = readable(estimate.total)
        return f"batches of {self.batch_size} take about {size} of memory, and {there}"

    def explain(self, error: str) -> str:
        """Say in one line, with the numbers, what led to an error of memory in a step.

        Args:
            error: PyTorch's message. The exception must be gone: it holds the step's tensors.
        """
        parts = [f"out of memory with batches of {self.batch_size} examples on {self.device}"]
        asked = re.search(r"tried to allocate ([\d.]+) (\w+)", error, re.IGNORECASE)
        if asked:
            count, unit = asked.groups()
            size = readable(int(count)) if unit == "bytes" else f"{count} {unit}"
            parts.append(f"{size} more were asked for")
        if self.room is not None:
            parts.append(f"{readable(self.room)} were free")
        estimate = self._try({})
        if estimate is None:
            return "; ".join([*parts, f"try --set {self.batch_setting}={self.batch_size // 2}"])
        parts.append(f"the estimate is about {readable(estimate.total)}")
        room = estimate.total if self.room is None else self.room
        if estimate.total <= room:  # others take their part, or memory is in pieces
            room = (estimate.kept + estimate.total) // 2
        return "; ".join([*parts, self._advice(estimate, room)])

    def _try(self, changes: Mapping[str, Any]) -> MemoryEstimate | None:
        """Estimate with changed settings; None where the space has no such settings."""
        try:
            return self.estimate(changes)
        except Exception:
            return None

    def _advice(self, estimate: MemoryEstimate, room: int) -> str:
        """Say what would fit into so many bytes, with what that would take."""
        batch = estimate.largest_batch(room)
        ways = [f"--set {self.batch_setting}={batch}"] if batch else []
        for name, value in self._changes():
            other = self._try({name: value})
            fits = min(other.largest_batch(room), self.batch_size) if other else 0
            way = f"--set supernet.{name}={json.dumps(value)}"
            if other and fits == self.batch_size:
                ways.append(f"{way} (about {readable(other.total)})")
            elif other and fits > batch:
                ways.append(f"{way} with {self.batch_setting}={fits}")
        return f"what would fit: {', or '.join(ways)}" if ways else "nothing smaller would fit"

    def _changes(self) -> Iterator[tuple[str, Any]]:
        """Iterate over settings that save memory, for a space that has them."""
        channels = self.options.get("channels")
        if not self.options.get("checkpoint"):
            yield "checkpoint", True
        if isinstance(channels, int):
            yield "channels", channels // 2
        if self.options.get("partial_channels", 1) == 1:
            yield "partial_channels", 4


def _event(estimate: MemoryEstimate) -> dict[str, Any]:
    names = ("batch_size", "weights", "gradients", "optimizer", "per_example", "total")
    return {"event": "memory"} | {name: getattr(estimate, name) for name in names}


def is_out_of_memory(error: BaseException) -> bool:
    """Tell an error of too little memory, of which PyTorch has several kinds, from others."""
    known = isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)
    return known or isinstance(error, (MemoryError, torch.OutOfMemoryError))


# -- what there is --------------------------------------------------------------------------------


def free_memory(device: torch.device, root: Path = Path("/")) -> int | None:
    """Return the bytes that this process can still take on a device; None: unknown.

    Args:
        device: A GPU, or the CPU: what the system has available, within the limits of the process's
            control groups (such as a container's).
        root: Where `proc` and `sys` are.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # PyTorch has memory in reserve, too.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type != "cpu":
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    rooms = [int(found[1]) * 1024] if found else []
    return min([*rooms, *_control_groups(root)], default=None)


def _control_groups(root: Path) -> Iterator[int]:
    """Iterate over what is left in the control groups of this process that limit its memory."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        group = top / path.strip("/")
        while group.is_relative_to(top):  # limits of the groups above hold as well
            yield from _group_room(group, new=not controllers)
            group = group.parent


def _group_room(group: Path, new: bool) -> Iterator[int]:
    limit, used, files = (
        ("memory.max", "memory.current", "inactive_file")
        if new
        else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    )
    texts = _text(group / limit).strip(), _text(group / used).strip()
    if all(text.isdigit() for text in texts):
        # The file cache is given up when memory is needed.
        cache = re.search(rf"^{files} (\d+)", _text(group / "memory.stat"), re.MULTILINE)
        yield int(texts[0]) - int(texts[1]) + (int(cache[1]) if cache else 0)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def readable(size: float) -> str:
    """Write a number of bytes as a person would: 1.3 GiB, 240 MiB."""
    unit = next(unit for unit in ("GiB", "MiB", "KiB") if unit == "KiB" or size >= _UNITS[unit])
    number = size / _UNITS[unit]
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"

"""What a run has recorded: read as far as it goes, for a run may be under way or killed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Record", "Recorded", "latest_epochs", "metrics_of", "number_of", "read_run"]

Record: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True)
class Recorded:
    """What a run has recorded so far; a part is empty where there is nothing.

    Args:
        config: `config.json`.
        best: `best.json`.
        events: `log.jsonl`, an event a line.
        trials: The trials by number; of one that was run again after a resume, the last.
        candidates: What `nas rerank` trained again, the best first.
    """

    config: Record
    best: Record
    events: list[Record]
    trials: list[Record]
    candidates: list[Record] = field(default_factory=list)

    @property
    def is_differentiable(self) -> bool:
        """Whether gates were trained inside a supernet."""
        settings = self.config.get("settings")
        strategy = settings.get("strategy") if isinstance(settings, dict) else None
        return isinstance(strategy, dict) and "relaxation" in strategy


def read_run(folder: Path) -> Recorded:
    """Read a run's folder; files may be missing or damaged, the log may end within a line."""
    events = _read_events(folder / "log.jsonl")
    config, best = _read_object(folder / "config.json"), _read_object(folder / "best.json")
    candidates = _read_object(folder / "rerank" / "result.json").get("candidates")
    again = [one for one in candidates if isinstance(one, dict)] if candidates else []
    return Recorded(config, best, events, _trials(events), again)


def _read_object(path: Path) -> Record:
    """Read a JSON object; empty where the file is missing or damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _read_events(path: Path) -> list[Record]:
    """Read the log, without what a kill left unfinished."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _trials(events: Iterable[Record]) -> list[Record]:
    trials: dict[float, Record] = {}
    for event in events:
        if event.get("event") == "trial":
            trials[number_of(event.get("number"), len(trials))] = event
    return [{**trials[number], "number": round(number)} for number in sorted(trials)]


def latest_epochs(events: Iterable[Record], phase: str | None = None) -> list[Record]:
    """Return the epochs in order; of one that was run again after a resume, the last.

    Args:
        events: As in the log.
        phase: Which epochs; None is all.
    """
    epochs: dict[tuple[str, float], Record] = {}
    for event in events:
        own = str(event.get("phase", "train"))
        if event.get("event") == "epoch" and phase in (None, own):
            epochs[own, number_of(event.get("epoch"), len(epochs))] = event
    return list(epochs.values())


def number_of(value: object, otherwise: float = math.nan) -> float:
    """Return a finite number, or `otherwise` for anything else."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else otherwise  # type: ignore[arg-type]


def metrics_of(record: Record) -> dict[str, float]:
    """Return those metrics of a trial or result that are finite numbers."""
    metrics = record.get("metrics")
    items = metrics.items() if isinstance(metrics, dict) else ()
    values = {str(name): number_of(value) for name, value in items}
    return {name: value for name, value in values.items() if not math.isnan(value)}

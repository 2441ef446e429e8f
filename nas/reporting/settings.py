"""Every setting and version that the run has recorded, a card for each group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from nas.reporting.markup import code, label, section, table
from nas.reporting.records import Record

__all__ = ["settings_section"]

Group: TypeAlias = "tuple[str, Mapping[str, Any]]"

_HASH = 12  # characters, enough to compare by eye


def settings_section(config: Record) -> str:
    """Write the section on the settings; nothing if none are recorded."""
    cards = "".join(_card(*group) for group in _groups(config))
    return section("Settings", f'<div class="cards">{cards}</div>' if cards else "")


def _card(title: str, values: Mapping[str, Any]) -> str:
    rows = [(label(str(key)), code(value)) for key, value in values.items()]
    return f"<div><h3>{label(title)}</h3>{table((), rows)}</div>" if rows else ""


def _groups(config: Record) -> Iterator[Group]:
    apart = ("settings", "versions", *(["task"] if isinstance(config.get("task"), dict) else []))
    yield "run", {key: value for key, value in config.items() if key not in apart}
    yield "task", _task(_object(config.get("task")))
    for group, values in _object(config.get("settings")).items():
        yield str(group), values if isinstance(values, dict) else {"value": values}
    yield "versions", _object(config.get("versions"))


def _object(value: object) -> Record:
    return value if isinstance(value, dict) else {}


def _task(task: Record) -> Record:
    """Return the shapes, and of each split its size and the start of its hash.

    How the splits were made is in `config.json`; the sizes and hashes tell whether they agree.
    """
    splits = _object(task.get("splits"))
    sizes, hashes = _object(splits.get("sizes")), _object(splits.get("sha256"))
    if not sizes:
        return task
    shapes = {key: _shape(value) for key, value in task.items() if key != "splits"}
    return shapes | {
        f"{split} split": f"{size}, sha256 {str(hashes[split])[:_HASH]}"
        if split in hashes
        else size
        for split, size in sizes.items()
    }


def _shape(value: object) -> object:
    """Return a list of sizes as in 3 x 32 x 32, anything else as it is."""
    return " \N{MULTIPLICATION SIGN} ".join(map(str, value)) if isinstance(value, list) else value

"""The config of a run: what was searched, how, and with which versions."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.aliases import recorded
from nas.errors import NasError
from nas.run.files import read_json

__all__ = ["PROTOCOL", "difference", "read_config", "same_data", "same_problem", "with_versions"]

PROTOCOL = 2
"""How searches go on: by 1, repeats were told as if they were new, and nothing was scored again."""

_RECORDED_ONLY = ("versions", "created", "device", "download", "task", "protocol")  # no settings
_NEEDED = {"space": str, "objective": str, "settings": dict, "task": dict}


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config of a run, by today's names.

    Raises:
        NasError: If there is none, or it lacks something.
    """
    file = folder / "config.json"
    config = read_json(file, "run")
    for name, kind in _NEEDED.items():
        if not isinstance(config.get(name), kind):
            raise NasError(f"{file} is damaged: '{name}' is missing or of the wrong kind")
    return _by_current_names(config)


def _by_current_names(config: dict[str, Any]) -> dict[str, Any]:
    """Bring names and settings of before to today's, so that an old run goes on."""
    found, settings = dict(config), dict(config["settings"])
    for kind, word in (("strategies", "strategy"), ("evaluators", "evaluator")):
        name, values = config.get(word), settings.get(word)
        if isinstance(name, str) and isinstance(values, dict):
            found[word], settings[word] = recorded(kind, name, values)
    return found | {"settings": settings}


def difference(
    old: dict[str, Any], new: dict[str, Any], given: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Say in which setting two configs differ first; empty where in none.

    A setting that did not exist when the old config was written is no difference, unless it was
    given now.

    Args:
        old: Of a run.
        new: Of what is wanted.
        given: Group -> setting -> value: those of the new one that were asked for.
    """
    plain = json.loads(json.dumps(new))
    for key in [*plain, *old]:
        if key in _RECORDED_ONLY or key == "settings" or old.get(key) == plain.get(key):
            continue
        return f"{key}={old.get(key)!r}, not {plain.get(key)!r}"
    before, now = old.get("settings", {}), plain.get("settings", {})
    for group in sorted({*before, *now}):
        was, wanted = before.get(group, {}), now.get(group, {})
        asked = (given or {}).get(group, {})
        for key in [name for name in wanted if name in was or name in asked] + [*was]:
            if was.get(key) != wanted.get(key):
                return f"{group}.{key}={was.get(key)!r}, not {wanted.get(key)!r}"
    return ""


def same_data(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Tell whether two configs are of the same data, whatever these are called."""
    plain = json.loads(json.dumps(new["task"]))
    return _nameless(old["task"]) == _nameless(plain)


def _nameless(task: dict[str, Any]) -> dict[str, Any]:
    """Leave out the name of the data: a file may be named in several ways."""
    splits = task.get("splits") or {}
    return task | {"splits": {key: value for key, value in splits.items() if key != "name"}}


def same_problem(
    old: dict[str, Any], new: dict[str, Any], seeded: bool, uses_data: bool = True
) -> bool:
    """Tell whether what two runs measure is on one scale: of the same data, judged alike.

    Args:
        old: The config of one.
        new: Of the other.
        seeded: Whether they must have the same seed for that.
        uses_data: Whether it depends on the data, and how these are split.
    """
    plain = json.loads(json.dumps(new))
    names = ["evaluator", "scale", *(["seed"] if seeded else [])]
    groups = ["evaluator", "network", *(["supernet"] if seeded else [])]
    settings = [(old["settings"].get(g, {}), plain["settings"].get(g, {})) for g in groups]
    alike = all(old.get(name) == plain.get(name) for name in names)
    alike = alike and all(a == b for a, b in settings)
    return alike and (not uses_data or same_data(old, new))


def with_versions(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with the versions of what it is run with, and the time."""
    return config | {"versions": _versions(), "created": _now()}


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("torch", "numpy", "optuna")
    return {"nas": version("nas-toolkit"), "python": platform.python_version()} | {
        name: version(name) for name in names
    }


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")

"""The config of a run: what was searched, how, and with which versions."""

from __future__ import annotations

import datetime
import json
import platform
from pathlib import Path
from typing import Any

from nas.aliases import recorded
from nas.errors import NasError
from nas.run.files import read_json

__all__ = ["difference", "read_config", "same_data", "with_versions"]

_RECORDED_ONLY = ("versions", "created", "device", "download", "task")  # no settings
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


def difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Say in which setting two configs differ first; empty where in none."""
    plain = json.loads(json.dumps(new))
    for key in [*plain, *old]:
        if key in _RECORDED_ONLY or old.get(key) == plain.get(key):
            continue
        if key == "settings":
            for group in sorted({*old.get(key, {}), *plain[key]}):
                inner = difference(old[key].get(group, {}), plain[key].get(group, {}))
                if inner:
                    return f"{group}.{inner}"
        return f"{key}={old.get(key)!r}, not {plain.get(key)!r}"
    return ""


def same_data(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Tell whether two configs are of the same data, whatever these are called."""
    plain = json.loads(json.dumps(new["task"]))
    return _nameless(old["task"]) == _nameless(plain)


def _nameless(task: dict[str, Any]) -> dict[str, Any]:
    """Leave out the name of the data: a file may be named in several ways."""
    splits = task.get("splits") or {}
    return task | {"splits": {key: value for key, value in splits.items() if key != "name"}}


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

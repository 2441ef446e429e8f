"""Settings: dataclasses filled from defaults, a file and `key=value` texts, with clear errors."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from nas.errors import NasError, unknown

__all__ = [
    "Groups",
    "fill",
    "fill_if_any",
    "parse_assignments",
    "parse_value",
    "read_config",
    "require_ranges",
    "setting",
]

Groups = dict[str, dict[str, Any]]
"""Group (such as "strategy" or "supernet") -> setting -> value."""

T = TypeVar("T")


def setting(default: Any, help: str) -> Any:
    """Declare a dataclass field with a default and one line of help."""
    metadata = {"help": help}
    if isinstance(default, (dict, list)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def parse_assignments(assignments: list[str], default_group: str = "strategy") -> Groups:
    """Parse `group.key=value` texts; a key without a group goes to `default_group`.

    Values are read as JSON where they are JSON (`3`, `0.5`, `true`, `[1, 2]`), else as text.
    """
    groups: Groups = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise NasError(f"--set {assignment!r}: expected key=value, such as epochs=20")
        group, _, name = key.strip().rpartition(".")
        groups.setdefault(group or default_group, {})[name] = parse_value(text.strip())
    return groups


def parse_value(text: str) -> Any:
    """Read a text as JSON where it is JSON, else as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON or TOML file (a run's `config.json` serves too)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NasError(f"config file {path}: cannot be read ({error})") from error
    try:
        data = json.loads(text) if path.suffix == ".json" else _toml(text)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise NasError(f"config file {path}: not valid {kind} ({error})") from error
    if not isinstance(data, dict):
        raise NasError(f"config file {path}: expected a table of settings at the top")
    return data


def _toml(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib
    data: dict[str, Any] = tomllib.loads(text)
    return data


def fill(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Make a settings dataclass from values, checking names and types.

    Args:
        cls: A dataclass whose fields are the settings.
        values: Setting -> value.
        where: The group's name, for messages.

    Raises:
        NasError: For an unknown setting (with the nearest match) or a value of another type.
    """
    hints = get_type_hints(cls)
    allowed = {field.name for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for name in values:
        if name not in allowed:
            raise unknown(f"setting of {where}", name, allowed)
    converted = {
        name: convert(_as_text(value, hints[name]), hints[name], f"{where}.{name}")
        for name, value in values.items()
    }
    return cls(**converted)


def _as_text(value: Any, hint: Any) -> Any:
    """Return the text of a value that was read as JSON, such as the options of a sampler."""
    return json.dumps(value) if hint is str and isinstance(value, dict) else value


def fill_if_any(cls: type | None, values: Mapping[str, Any], where: str) -> Any:
    """Do as `fill`, or return None where `cls` is None: then there is nothing to set."""
    if cls is not None:
        return fill(cls, values, where)
    for name in values:
        raise unknown(f"setting of {where}", name, [])
    return None


def require_ranges(settings: object, where: str, ranges: Mapping[str, tuple[bool, str]]) -> None:
    """Raise `NasError` for the first setting that is out of its range.

    Args:
        settings: The dataclass.
        where: The group's name, for messages.
        ranges: Setting -> whether it is in range, and what is expected, in words.
    """
    for name, (valid, expected) in ranges.items():
        if not valid:
            raise NasError(f"{where}.{name}={getattr(settings, name)!r}: expected {expected}")


def convert(value: Any, hint: Any, where: str) -> Any:
    """Convert one value to an annotated type, or raise `NasError` that names the setting."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert_union(value, arguments, where)
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)):
            items = [items]
        return tuple(
            convert(parse_value(i) if isinstance(i, str) else i, arguments[0], where)
            for i in items
            if i != ""
        )
    if hint is float and type(value) is int:
        return float(value)
    if hint is Any or type(value) is (origin or hint):
        return value
    if hint is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise NasError(f"{where}={value!r}: expected {getattr(hint, '__name__', hint)}")


def _convert_union(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if value is None or value == "none":
        return None
    for argument in arguments:
        try:
            return convert(value, argument, where)
        except NasError:
            continue
    allowed = " or ".join(getattr(argument, "__name__", str(argument)) for argument in arguments)
    raise NasError(f"{where}={value!r}: expected {allowed}")

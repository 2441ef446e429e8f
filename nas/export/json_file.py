"""The architecture as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from nas.export.request import Request

__all__ = ["write"]


def write(request: Request, path: Path) -> None:
    """Write space, row of choices, option of every active decision, and the native notation.

    `Architecture.from_json` reads the file.
    """
    space, architecture = request.decided("json")
    decisions = {name: jsonable(option) for name, option in space.options(architecture).items()}
    content = {
        "space": json.dumps(space.name),
        "choices": json.dumps(list(architecture.choices)),
        "decisions": _lines({name: json.dumps(o) for name, o in decisions.items()}, "    "),
        "text": json.dumps(space.format(architecture)),
    }
    path.write_text(_lines(content, "  ") + "\n", encoding="utf-8")


def _lines(members: dict[str, str], indent: str) -> str:
    """Write an object with a line a member; its lists, which are short, stay on their lines."""
    lines = ",\n".join(f"{indent}{json.dumps(name)}: {text}" for name, text in members.items())
    return f"{{\n{lines}\n{indent[2:]}}}"


def jsonable(value: object) -> object:
    """Return an option as JSON can hold it: tuples become lists, what JSON lacks becomes text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value)

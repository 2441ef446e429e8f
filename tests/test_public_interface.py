"""What scripts of users and other packages rely on: names, commands, options, entry points.

`fixtures/public_interface.txt` holds them, a line each. Taking one away, or changing a default, is
a change that CHANGELOG.md tells, and then the file is renewed on purpose:

    python tests/test_public_interface.py > tests/fixtures/public_interface.txt
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nas
from nas import cli, registry

FILE = Path(__file__).parent / "fixtures" / "public_interface.txt"
RENEW = "python tests/test_public_interface.py > tests/fixtures/public_interface.txt"


def interface() -> list[str]:
    """Return a line for each public name, command, argument, option and group of entry points."""
    import typer

    names = [f"import nas: nas.{name}" for name in sorted(nas.__all__)]
    groups = [f"entry points: nas.{kind}" for kind in sorted(registry.KINDS)]
    return [*names, *groups, *of_command(typer.main.get_command(cli.app), "nas")]


def of_command(command: Any, called: str) -> Iterator[str]:
    """Yield the lines of a command, then those of its own commands."""
    yield called
    yield from sorted(f"{called} {of_parameter(parameter)}" for parameter in command.params)
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from of_command(inner, f"{called} {name}")


def of_parameter(parameter: Any) -> str:
    """Write an argument or an option, and what it is where it is not given."""
    spelled = [*parameter.opts, *parameter.secondary_opts]
    written = "/".join(spelled) if parameter.param_type_name == "option" else spelled[0].upper()
    shown = parameter.show_default  # in words, where the default is found while running
    words = f" ({shown})" if isinstance(shown, str) else ""
    many = " (many)" if parameter.multiple or parameter.nargs != 1 else ""
    default = parameter.default
    if "UNSET" in repr(default) or default in ([], ()):  # as some versions of click say none
        default = None
    needed = "required" if parameter.required else f"default {default!r}{words}"
    return f"{written}{many}: {needed}"


def test_the_public_interface_is_what_it_was() -> None:
    before, now = FILE.read_text(encoding="utf-8").splitlines(), interface()
    changes = difflib.unified_diff(before, now, "before", "now", n=0, lineterm="")
    text = "\n".join(line for line in changes if not line.startswith("@@"))
    assert before == now, f"the public interface has changed:\n{text}\n\nif on purpose: {RENEW}"


def test_public_names_are_there() -> None:
    assert [name for name in nas.__all__ if not hasattr(nas, name)] == []


if __name__ == "__main__":
    print("\n".join(interface()))

"""What differs from the papers is said in the documentation as by the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nas import registry
from nas.catalog import list_strategies

DOCS = Path(__file__).parents[2] / "docs" / "strategies.md"
ENTRIES = {n: e for n, e in registry.names("strategies").items() if e.differs}


def documented() -> dict[str, str]:
    text = DOCS.read_text()
    table = text[text.index("## Where they differ from the papers") :]
    return dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", table, re.M))


def test_the_documentation_says_what_the_registry_says() -> None:
    assert documented() == {name: entry.differs for name, entry in ENTRIES.items()}


def test_nearly_all_say_something() -> None:
    assert {"bo-wl", "rl", "lanas", "evolution", "spos", "bananas", "darts", "nac"} <= set(ENTRIES)
    assert all(entry.paper for entry in ENTRIES.values())


@pytest.mark.parametrize("name", ENTRIES)
def test_settings_that_are_named_exist(name: str) -> None:
    """Such as `targets=log`."""
    known = " ".join(map(str, list_strategies(name)))
    for settings in re.findall(r"`([\w.=\- ]+=[\w.=\- ]+)`", ENTRIES[name].differs):
        for one in settings.split():
            setting = one.partition("=")[0]
            assert f"{setting}=" in known or setting == "train_on", one


def test_the_command_line_says_it_of_one() -> None:
    [entry] = list_strategies("bo-wl")
    assert entry["differs from the paper"] == ENTRIES["bo-wl"].differs
    assert all("differs from the paper" not in entry for entry in list_strategies(None))

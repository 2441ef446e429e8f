"""The picture of the wings is what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def house() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house", ROOT / "docs" / "house.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_up_to_date(house: ModuleType) -> None:
    drawn = house.PICTURE.read_text(encoding="utf-8")
    assert drawn == house.picture(), "draw it again: python docs/house.py"


def test_every_room_stands_above_what_it_imports(house: ModuleType) -> None:
    graph = house.arrows()
    floors = house.floors(graph)
    assert floors["errors"] == 0 and floors["cli"] == max(floors.values())
    assert all(floors[room] > floors[other] for room in graph for other in graph[room])


def test_only_what_follows_from_others_is_left_out(house: ModuleType) -> None:
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert house.essential(graph) == {"a": {"b"}, "b": {"c"}, "c": set(), "d": {"c"}}


def test_a_circle_is_named(house: ModuleType) -> None:
    with pytest.raises(ValueError, match="circle of imports: a -> b -> a"):
        house.floors({"a": {"b"}, "b": {"a"}})


def test_the_files_that_the_docs_name_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walks = text[text.index("### One search") : text.index("## How a supernet runs")]
    named = re.findall(r"`([a-z_]+/[a-z_]+\.py)`", walks)
    assert len(named) > 20
    assert not [name for name in named if not (ROOT / "nas" / name).is_file()]

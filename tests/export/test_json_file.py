"""The architecture as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nas import registry
from nas.export import export
from nas.export.json_file import jsonable
from nas.space import Architecture


@pytest.mark.parametrize("name", ["darts", "nasnet", "nas-bench-201"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    space = registry.get("search_spaces", name).factory()
    [architecture] = space.sample(np.random.default_rng(0), 1)
    path = export(None, (), "json", tmp_path / "a.json", space=space, architecture=architecture)
    text = path.read_text()
    assert Architecture.from_json(text) == architecture
    content = json.loads(text)
    assert space.parse(content["text"]) == architecture
    expected = space.options(architecture)
    assert content["decisions"] == {name: jsonable(option) for name, option in expected.items()}


def test_jsonable() -> None:
    assert jsonable((1, ("a", None))) == [1, ["a", None]]
    assert jsonable(frozenset([1])) == "frozenset({1})"

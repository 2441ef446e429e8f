"""Tables, strategies and populations: that the figures are there and say what is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nas import registry
from perf.__main__ import main


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("perf") / "figures.json"
    parts = "tables,strategies,populations"
    assert main(["--tiny", "--device", "cpu", "--only", parts, "--json", str(file)]) == 0
    loaded: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    return loaded


def test_both_ways_of_looking_up_agree(figures: dict[str, Any]) -> None:
    opening, looking_up = figures["tables"]
    assert looking_up["problem"] is None
    assert opening["bytes"] > 0
    assert all(row["times_faster"] > 0 for row in (opening, looking_up))


def test_every_black_box_strategy_is_there(figures: dict[str, Any]) -> None:
    names = {n for n, e in registry.names("strategies").items() if isinstance(e.factory, type)}
    rows = {row["strategy"]: row for row in figures["strategies"]}
    assert set(rows) == {*names, "evolution, in run"}
    assert all(row["evaluations"] == 12 and 0.5 < row["best"] < 1 for row in rows.values())
    assert all(0 < row["own_ms"] <= 1e3 * row["seconds"] for row in rows.values())


def test_optunas_samplers_are_beside_optuna(figures: dict[str, Any]) -> None:
    rows = figures["samplers"]
    assert {row["space"] for row in rows} == {"nas-bench-201", "darts"}
    assert {row["sampler"] for row in rows} == {"tpe", "cmaes", "nsgaii", "random"}
    assert all(row["nas_ms"] > 0 < row["optuna_ms"] for row in rows)


def test_every_space_is_there(figures: dict[str, Any]) -> None:
    rows = figures["populations"]
    assert [row["space"] for row in rows] == [*registry.names("search_spaces")]

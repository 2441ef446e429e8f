"""Experts and memory: that the sides compare alike, and the figures say what is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.search_spaces.gnn import ACTIVATIONS, AGGREGATIONS, ATTENTIONS, GNN
from nas.search_spaces.moe import MoELayer
from perf.__main__ import main
from perf.expert_loop import ExpertLoop
from perf.experts import ExpertCase, largest_difference
from perf.memory import candidates

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("perf") / "figures.json"
    arguments = ["--tiny", "--device", "cpu", "--only", "experts,memory", "--json", str(file)]
    assert main(arguments) == 0
    loaded: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    return loaded


def test_rows_of_experts(figures: dict[str, Any]) -> None:
    rows = figures["experts"]
    assert [row["k"] for row in rows] == [1, 2]
    for row in rows:
        assert row["problem"] is None
        times, ratios = row["milliseconds"], row["times_faster"]
        assert ratios["loop"] == pytest.approx(times["loop"] / times["stacked"])
        assert row["peak_bytes"]["loop"] > 0


@pytest.mark.parametrize("capacity", [1.0, 8.0])
@pytest.mark.parametrize("k", [1, 2])
def test_loops_equal_the_stacked_layer(k: int, capacity: float) -> None:
    """Outputs and all gradients, with tokens that overflow and without."""
    case = ExpertCase(3, 8, 6, 5, k, experts=4, capacity=capacity)
    assert largest_difference(case, CPU, torch.float64) < 1e-12


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(self: ExpertLoop, layer: MoELayer) -> ExpertLoop:
        taken = take(self, layer)
        with torch.no_grad():
            taken.router.weight[0] += 0.1
        return taken

    take = ExpertLoop.take_weights
    monkeypatch.setattr(ExpertLoop, "take_weights", changed)
    assert largest_difference(ExpertCase(3, 8, 6, 5, experts=4), CPU, torch.float64) > 1e-3


def test_candidates_are_all_of_the_largest_size() -> None:
    space = GNN(layers=1)
    found = candidates(space)
    assert len({*found}) == len(ATTENTIONS) * len(AGGREGATIONS) * len(ACTIVATIONS)
    assert {space.options(a)["layer1/heads"] for a in found} == {16}


def test_rows_of_memory(figures: dict[str, Any]) -> None:
    rows = {row["what"]: row for row in figures["memory"]}
    assert rows["all candidates"]["networks"] == 3
    assert rows["all candidates"]["of_the_sum"] == 1.0
    assert (
        rows["all candidates"]["activation_bytes"] > rows["largest candidate"]["activation_bytes"]
    )
    mixed, path = (rows[f"supernet, {name}"] for name in ("all options mixed", "one path"))
    assert mixed["weight_bytes"] == path["weight_bytes"]
    assert mixed["activation_bytes"] > path["activation_bytes"] > 0

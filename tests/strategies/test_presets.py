"""The published methods as named compositions."""

from __future__ import annotations

from typing import Any

import pytest

from nas import registry
from nas.errors import NasError
from nas.search import search
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.strategy import Strategy

PAPERS: dict[str, dict[str, Any]] = {
    "darts": {},
    "darts-second-order": {"solver": "second-order"},
    "pc-darts": {
        "partial_channels": 4,
        "edge_gates": True,
        "batch_size": 256,
        "weight_lr": 0.1,
        "weight_lr_min": 0.0,
        "gate_lr": 6e-4,
        "warm_up": 15 / 50,
    },
    "gdas": {
        "relaxation": "gumbel-hard",
        "temperature_start": 10.0,
        "temperature_end": 0.1,
        "epochs": 250,
    },
    "drnas": {
        "relaxation": "dirichlet",
        "regularisers": ("dirichlet-anchor",),
        "regulariser_scale": 1e-3,
        "gate_weight_decay": 0.0,
        "epochs": 100,
    },
}
"""What differs from DARTS, in the papers."""


def presets() -> list[str]:
    entries = registry.names("strategies").values()
    return [e.name for e in entries if not (isinstance(e.factory, type))]


def test_all_of_them_are_known() -> None:
    assert PAPERS.keys() <= set(presets())


@pytest.mark.parametrize("name", PAPERS)
def test_at_paper_scale(name: str) -> None:
    assert registry.get("strategies", name).factory("paper") == DifferentiableSettings(
        **PAPERS[name]
    )


@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize("scale", ["small", "paper"])
def test_their_parts_exist(name: str, scale: str) -> None:
    settings = registry.get("strategies", name).factory(scale)
    for part in ("relaxation", "solver", "selection"):
        kind = f"strategies.differentiable.{part}s"
        assert registry.get(kind, getattr(settings, part)).factory()
    for regulariser in settings.regularisers:
        assert registry.get("strategies.differentiable.regularisers", regulariser).factory()


@pytest.mark.parametrize("name", presets())
def test_small_scale_keeps_the_method(name: str) -> None:
    small, paper = (registry.get("strategies", name).factory(s) for s in ("small", "paper"))
    parts = ("relaxation", "solver", "selection", "regularisers", "partial_channels", "edge_gates")
    assert all(getattr(small, part) == getattr(paper, part) for part in parts)
    assert small.epochs < paper.epochs
    assert small.batch_size <= 64


def test_every_strategy_says_where_it_was_published() -> None:
    for entry in registry.names("strategies").values():
        assert entry.summary
        assert "arXiv:" in entry.paper, entry.name


def test_black_box_strategies_are_classes() -> None:
    for entry in registry.names("strategies").values():
        if isinstance(entry.factory, type):
            assert issubclass(entry.factory, Strategy)


@pytest.mark.parametrize(
    "swap",
    [
        {"relaxation": "gumbel"},
        {"solver": "single-level"},
        {"selection": "perturbation"},
        {"regularisers": "entropy,dirichlet-anchor"},
        {"partial_channels": 2, "edge_gates": True},
    ],
)
def test_any_part_can_be_swapped(tiny_npz: Any, tmp_path: Any, swap: dict[str, Any]) -> None:
    run = search(
        "nas-bench-201", "darts", f"npz:{tiny_npz}", out=tmp_path / "run", device="cpu",
        settings={"strategy": {"epochs": 1, **swap}, "supernet": {"channels": 4}},
    )  # fmt: skip
    recorded = run.settings("strategy")
    for name, value in swap.items():
        expected = value.split(",") if name == "regularisers" else value
        assert recorded[name] == expected
    assert run.finished


def test_swaps_that_cannot_be_are_refused(tiny_npz: Any, tmp_path: Any) -> None:
    for settings, message in [
        ({"solver": "third-order"}, "unknown solver 'third-order'"),
        ({"partial_channels": 3}, "must divide"),
        ({"solver": True}, "expected str"),
        ({"partial_channels": "x"}, "expected int"),
    ]:
        with pytest.raises(NasError, match=message):
            search(
                "nas-bench-201", "darts", f"npz:{tiny_npz}", out=tmp_path / "run",
                settings={"strategy": settings},
            )  # fmt: skip
        assert not (tmp_path / "run").exists()

"""The lists of the command line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from nas import catalog, registry
from nas.errors import NasError
from nas.strategies.differentiable.settings import DifferentiableSettings

Lister = Callable[["str | None"], list[dict[str, Any]]]
LISTERS: dict[str, Lister] = {
    "search_spaces": catalog.list_spaces,
    "strategies": catalog.list_strategies,
    "evaluators": catalog.list_evaluators,
}


@pytest.mark.parametrize("kind", LISTERS)
def test_everything_registered_is_listed(kind: str) -> None:
    entries = LISTERS[kind](None)
    known = registry.names(kind)
    assert [entry["name"] for entry in entries] == list(known)
    for entry in entries:
        assert entry["summary"] == known[entry["name"]].summary
    assert json.loads(json.dumps(entries)) == entries


@pytest.mark.parametrize("kind", LISTERS)
def test_one_by_name_says_more(kind: str) -> None:
    for entry in LISTERS[kind](None):
        [one] = LISTERS[kind](entry["name"])
        assert one["name"] == entry["name"]
        assert len(json.dumps(one)) >= len(json.dumps(entry))
        assert json.loads(json.dumps(one)) == one


@pytest.mark.parametrize(
    ("lister", "wrong", "right"),
    [
        (catalog.list_spaces, "dart", "darts"),
        (catalog.list_strategies, "pc-dart", "pc-darts"),
        (catalog.list_evaluators, "supernets", "supernet"),
        (catalog.list_data, "digit", "digits"),
    ],
)
def test_an_unknown_name_gets_the_nearest(lister: Lister, wrong: str, right: str) -> None:
    with pytest.raises(NasError, match=rf"'{wrong}'\. Did you mean '{right}'\? Allowed: "):
        lister(wrong)


def test_spaces() -> None:
    by_name = {entry["name"]: entry for entry in catalog.list_spaces(None)}
    assert by_name["darts"]["size"] == "1,076,746,950,455,072,400"  # (180 * 7^8)^2
    assert by_name["nas-bench-201"]["size"] == "15,625"
    assert "DARTS_V2" in by_name["darts"]["published"]
    assert "supernet.channels=" in by_name["darts"]["supernet at small scale"]
    assert not any("supernet" in key for key in by_name["nasnet"])
    [darts] = catalog.list_spaces("darts")
    assert any("sep_conv_3x3" in line for line in darts["decisions"])
    assert len(darts["decisions"]) == by_name["darts"]["decisions"] == 24


def test_strategies() -> None:
    by_name = {entry["name"]: entry for entry in catalog.list_strategies(None)}
    assert by_name["random"]["kind"].startswith("black-box")
    assert by_name["gdas"]["kind"].startswith("differentiable")
    assert "relaxation=gumbel-hard" in by_name["gdas"]["parts"]
    assert "arXiv:1907.05737" in by_name["pc-darts"]["paper"]
    [one] = catalog.list_strategies("pc-darts")
    lines = one["settings at paper scale"]
    assert any(line.startswith("batch_size=256  ") for line in lines)
    names = {line.partition("=")[0] for line in lines}
    assert names == {field.name for field in dataclasses.fields(DifferentiableSettings)}
    for kind, word in registry.KINDS.items():
        if kind.startswith("strategies."):
            for part in registry.names(kind):
                assert any(p.startswith(f"{word}={part}  ") for p in one["parts to choose from"])


def test_black_box_strategies() -> None:
    """They have no parts, and no scale; some search for several objectives, or take a value."""
    for name, entry in registry.names("strategies").items():
        [one] = catalog.list_strategies(name)
        if isinstance(entry.factory, type):
            assert not any("parts" in key or "scale" in key for key in one)
            several = entry.factory.several_objectives  # type: ignore[attr-defined]
            assert ("objectives" in one) == several
    [one] = catalog.list_strategies("optuna")
    assert one["short form"] == "optuna:VALUE sets sampler"
    assert any(line.startswith("sampler=tpe  ") for line in one["settings"])
    assert "short form" not in catalog.list_strategies("evolution")[0]
    assert "settings" not in catalog.list_strategies("random")[0]


def test_evaluators() -> None:
    [one] = catalog.list_evaluators("supernet")
    assert one["metrics"] == "accuracy, loss"
    costs = "params, flops, flops_per_token, latency"
    assert one["where an objective or a limit names them"] == costs
    assert any(line.startswith("evaluator.epochs=120  ") for line in one["settings"])
    assert "evaluator.epochs=" in one["at small scale"]


def test_proxies_are_listed() -> None:
    [one] = catalog.list_evaluators("proxy")
    assert one["short form"] == "proxy:VALUE sets score"
    assert [line.partition("  ")[0] for line in one["proxies"]] == [*registry.names("proxies")]
    [table] = catalog.list_evaluators("table")
    assert not any("objective" in key for key in table)  # its columns are all it has


def test_data() -> None:
    names = [entry["name"] for entry in catalog.list_data(None)]
    assert {"digits", "cifar10", "npz", "folder"} <= set(names)
    assert [entry["name"] for entry in catalog.list_data("digits")] == ["digits"]


def test_as_text() -> None:
    entries = [
        {"name": "a", "summary": "the first", "size": 3, "lines": ["x", "y"]},
        {"name": "b", "summary": "the second"},
    ]
    assert catalog.as_text(entries) == (
        "a  the first\n    size: 3\n    lines:\n      x\n      y\n\nb  the second"
    )

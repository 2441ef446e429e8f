"""What goes together, as `nas compat` says it; that it is so, tests/test_pairings.py asserts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from every import Net

from nas import cli, registry
from nas.catalog.compat import Pairing, find_pairings, pairings_text
from nas.errors import NasError
from nas.mutables.supernet import Supernet
from nas.search_spaces.module import ModuleSpace
from nas.task import Task, TaskInfo


def reasons(*arguments: Any, **wanted: Any) -> dict[tuple[str, str], str | None]:
    """Return what is said of one space, by strategy and evaluator."""
    return {(p.strategy, p.evaluator): p.reason for p in find_pairings(*arguments, **wanted)}


# -- what is found --------------------------------------------------------------------------------


def test_a_space_of_a_user(tiny_task: Task) -> None:
    strategies, evaluators = registry.names("strategies"), registry.names("evaluators")
    found = reasons(ModuleSpace(Net), data=tiny_task)
    assert list(found) == [
        (strategy, evaluator) for strategy in strategies for evaluator in evaluators
    ]
    for (strategy, evaluator), reason in found.items():
        if evaluator == "table":
            assert reason is not None and "no table of space 'Net' is at hand" in reason
        elif strategy == "pc-darts":
            assert reason is not None and "no partial channels" in reason
        else:
            assert reason is None


def test_a_class_of_a_user_is_a_space(tiny_task: Task) -> None:
    [pairing] = find_pairings(Net, "random", "proxy", tiny_task)
    assert (
        pairing.space == f"{Path(__file__).parents[1] / 'every.py'}:Net" and pairing.reason is None
    )


def test_names_with_values() -> None:
    [pairing] = find_pairings("nats-size", "optuna:cmaes", "proxy:params")
    assert pairing == Pairing("nats-size", "optuna:cmaes", "proxy:params", None)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"space": "nats-sise"}, "nats-size"),
        ({"space": "darts", "strategy": "randon"}, "random"),
        ({"space": "darts", "evaluator": "trian"}, "train"),
        ({"space": "darts", "strategy": "random:3"}, "write random"),
        ({"space": "darts", "data": "digts"}, "digits"),
    ],
)
def test_mistakes_are_no_pairings(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        find_pairings(**wanted)


def test_data_of_another_kind(tiny_task: Task) -> None:
    found = reasons("gnn", "random", data=tiny_task)
    assert len(found) == len(registry.names("evaluators"))
    assert all(reason is not None for reason in found.values())
    assert "needs a graph" in (found["random", "train"] or "")


def test_data_that_are_missing_are_the_reason() -> None:
    class Far(ModuleSpace):
        default_data = "npz:/nowhere/at-all.npz"

    [pairing] = find_pairings(Far(Net), "random", "train")
    assert pairing.reason is not None and "/nowhere/at-all.npz" in pairing.reason


def test_what_raises_is_told_of(tiny_task: Task) -> None:
    class Broken(ModuleSpace):
        def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
            raise ValueError("three is too few")

    found = reasons(Broken(Net), "darts", data=tiny_task)
    assert found["darts", "train"] == "ValueError: three is too few"
    assert reasons(Broken(Net), "random", "train", tiny_task)["random", "train"] is None


# -- what it takes --------------------------------------------------------------------------------


def test_every_supernet_is_built_once(tiny_task: Task) -> None:
    asked: list[dict[str, Any]] = []

    class Counting(ModuleSpace):
        def supernet(self, task: TaskInfo, **options: Any) -> Supernet:
            asked.append(options)
            return super().supernet(task, **options)

    space = Counting(Net)
    find_pairings(space, data=tiny_task)
    assert asked and all(asked.count(options) == 1 for options in asked)
    assert not {"build", "supernet"} & vars(space).keys()  # the user's own object is as it was


def test_nothing_is_written(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    find_pairings("nas-bench-201", "darts", data=tiny_task)
    assert not list(tmp_path.iterdir())


# -- the table ------------------------------------------------------------------------------------


def of(space: str, **cells: dict[str, str | None]) -> list[Pairing]:
    """Make the pairings of a space from strategy -> evaluator -> reason."""
    return [
        Pairing(space, strategy, evaluator, reason)
        for strategy, judged in cells.items()
        for evaluator, reason in judged.items()
    ]


def none_of(space: str) -> str:
    return f"no table of space '{space}' is at hand; import one with: nas bench import FILE"


def pairings() -> list[Pairing]:
    found = []
    for space in ("one", "two"):
        runs: dict[str, str | None] = {"proxy": None, "supernet": None, "table": none_of(space)}
        refused: dict[str, str | None] = runs | {"proxy": "why", "supernet": "why"}
        found += of(space, first=runs, second=runs, third=refused)
    alone: dict[str, str | None] = {"proxy": None, "supernet": "too small", "table": "why"}
    runs = {"proxy": None, "supernet": None, "table": None}
    return found + of("three", first=runs, second=runs, third=alone)


def test_the_table() -> None:
    lines = pairings_text(pairings(), 120).splitlines()
    heading, _, columns, _, *rows, _, first, second, third = lines
    assert heading.startswith("Which evaluators run, of proxy, supernet, table: 15 of 27 pairings")
    cells = [[word.strip() for word in row.split("  ") if word.strip()] for row in [columns, *rows]]
    assert cells == [
        ["space", "first, second", "third"],
        ["one", "all but table [1]", "- [1] [2]"],
        ["two", "all but table [1]", "- [1] [2]"],
        ["three", "all", "proxy [2] [3]"],
    ]
    assert first.startswith("[1] no table of the space is at hand;")
    assert [second, third] == ["[2] why", "[3] too small"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_too_long(width: int) -> None:
    text = pairings_text(pairings(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text  # nothing is cut off


def test_one_evaluator_is_named() -> None:
    assert "train" in pairings_text([Pairing("one", "first", "train", None)], 80).splitlines()[-1]
    assert (
        pairings_text([Pairing("one", "first", "train", "why")], 80).splitlines()[-1] == "[1] why"
    )


# -- the command ----------------------------------------------------------------------------------


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["nas", "compat", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        assert not end.code


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command(monkeypatch, "--space", "nas-bench-macro")
    text = capsys.readouterr().out
    assert "nas-bench-macro" in text and "all but table [1]" in text and "- [1] [2]" in text
    assert max(map(len, text.splitlines())) <= 80
    command(monkeypatch, "--space", "nas-bench-macro", "--strategy", "pc-darts", "--json")
    found = json.loads(capsys.readouterr().out)
    assert [entry["evaluator"] for entry in found] == list(registry.names("evaluators"))
    for entry in found:
        assert entry["space"] == "nas-bench-macro" and entry["strategy"] == "pc-darts"
        assert not entry["runs"] and entry["reason"]

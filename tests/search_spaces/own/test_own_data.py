"""Which data a user's module takes: what it says of itself, or what it runs on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.cli import main
from nas.data import load_task
from nas.errors import NasError
from nas.found.show import usual_info
from nas.mutables import OneOf
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.own.data import USUAL
from nas.task import TaskInfo
from nas.task.info import KINDS

FILE = """
import nas
from torch import nn

class Images(nn.Module):
    def __init__(self, channels=1, outputs=10):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3)
        self.act = nas.OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="act")
        self.head = nn.Linear(4, outputs)

    def forward(self, x):
        return self.head(self.act(self.conv(x)).mean((2, 3)))

class Nodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nas.OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="act")
        self.head = nn.Linear(64, 10)

    def forward(self, graph):
        return self.head(self.act(graph.features))[graph.index]

class SaidNodes(Nodes):
    kind = "nodes"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text(FILE, encoding="utf-8")
    return "own_nets.py"


def told(monkeypatch: pytest.MonkeyPatch, capsys: Any, *arguments: str) -> tuple[int, str]:
    """Run a command; return its exit status and what it said."""
    monkeypatch.setattr(sys, "argv", ["nas", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out + said.err


class Plain(nn.Module):
    """It takes whatever has so many features, whether or not there is a task."""

    def __init__(self, features: int = 64, outputs: int = 10) -> None:
        super().__init__()
        self.act = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="act")
        self.head = nn.Linear(features, outputs)

    def forward(self, x: Any) -> Tensor:
        graph = not isinstance(x, Tensor)
        logits: Tensor = self.head(self.act(x.features if graph else x.flatten(1)))
        return logits[x.index] if graph else logits


def saying(features: int = 64, outputs: int = 10, **words: str) -> ModuleSpace:
    """Return the space of a module with attributes."""
    own = type("Own", (Plain,), {"__init__": lambda s: Plain.__init__(s, features, outputs)})
    for name, word in words.items():
        setattr(own, name, word)
    return ModuleSpace(own)


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_data_are_of_their_kind(kind: str) -> None:
    source, info = USUAL[kind]
    assert load_task(source).info == info


def test_what_says_nothing_takes_the_digits() -> None:
    space = saying()
    assert (space.kind, space.default_data) == ("examples", "digits")
    assert usual_info(space) == TaskInfo((1, 8, 8), 10)
    assert space.for_task(TaskInfo((64,), 10, "nodes")) is space


def test_what_also_runs_on_larger_images_is_measured_on_these() -> None:
    assert usual_info(saying(3 * 32 * 32)) == TaskInfo((3, 32, 32), 10)


def test_what_a_module_says() -> None:
    space = saying(kind="nodes")
    assert (space.kind, space.default_data) == ("nodes", "digits-graph")
    assert usual_info(space) == load_task("digits-graph").info
    space = saying(4, 3, default_data="table:iris")
    assert (space.kind, space.default_data) == ("examples", "table:iris")
    assert usual_info(space) == TaskInfo((4,), 3)
    space = saying(3, 10, kind="nodes", default_data="digits-pixels")
    assert (space.kind, space.default_data) == ("nodes", "digits-pixels")


def test_a_function_may_say_it_too() -> None:
    def make(task: TaskInfo) -> nn.Module:
        seen.append(task)
        return Plain(task.input_shape[0], task.outputs)

    seen: list[TaskInfo] = []
    make.kind = "graphs"  # type: ignore[attr-defined]
    assert ModuleSpace(make).kind == "graphs"
    assert seen == [USUAL["graphs"][1]]  # it is made for a task of its kind


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(NasError, match=r"unknown kind of 'Own' 'node'\. Did you mean 'nodes'\?"):
        saying(kind="node")


def test_data_that_it_does_not_run_on() -> None:
    message = (
        r"^space 'Own' names no data, and does not run on digits \(images or vectors\): .*shapes"
        r".*; say which with --data, such as .*digits-graph \(a graph whose nodes are classified\)"
    )
    with pytest.raises(NasError, match=message):
        _ = saying(5).default_data
    with pytest.raises(NasError, match=r"on digits .*: it gives 2 outputs for 10 classes; say"):
        _ = saying(64, 2).default_data
    with pytest.raises(NasError, match=r"on digits-graph \(.*\): .*; say which with --data$"):
        _ = saying(5, kind="nodes").default_data
    with pytest.raises(NasError, match=r"names no data to give sizes for, .* digits: .*shapes"):
        _ = saying(5).published_shapes


def test_looking_for_data_draws_nothing() -> None:
    space = saying()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert space.default_data == "digits"
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("said", "given", "allowed"),
    [
        ("nodes", TaskInfo((64,), 10, "graphs"), True),
        ("table", TaskInfo((64,), 10), True),
        ("nodes", TaskInfo((64,), 10), False),
        ("tokens", TaskInfo((8, 4), 10, "sequence"), False),
    ],
)
def test_data_of_another_kind_than_it_says(said: str, given: TaskInfo, allowed: bool) -> None:
    space = saying(kind=said)
    if allowed:
        assert space.for_task(given) is space
        return
    with pytest.raises(NasError, match=f"space 'Own' is for .*kind = '{said}'.*'{given.kind}'"):
        space.for_task(given)


# -- commands -------------------------------------------------------------------------------------

QUICK = ("--strategy", "random", "--evaluator", "proxy:params", "--evaluations", "2")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("Images", "", "digits"),
        ("SaidNodes", "", "digits-graph"),
        ("Nodes", "digits-graph", "digits-graph"),
        ("Nodes", "", "space 'Nodes' names no data, and does not run on digits"),
        ("SaidNodes", "digits", "space 'SaidNodes' is for a graph whose nodes are classified"),
    ],
)
def test_search(
    name: str, data: str, expected: str, file: str, no_report: None, capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given = ("--data", data) if data else ()
    command = ("search", "--space", f"{file}:{name}", *QUICK, *given, "--out", "run")
    status, said = told(monkeypatch, capsys, *command)
    if expected.startswith("space"):
        assert status == 2 and not Path("run").exists()
        [line] = said.splitlines()
        assert line.startswith(f"error: {expected}")
    else:
        assert status == 0, said
        assert f'"data": "{expected}"' in Path("run/config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Images", "input 1x8x8"),
        ("SaidNodes", "input 64"),
        ("Nodes", "error: space 'Nodes' names no data to give sizes for"),
    ],
)
def test_show(
    name: str, expected: str, file: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said = told(monkeypatch, capsys, "show", "act=tanh", "--space", f"{file}:{name}")
    assert status == (2 if expected.startswith("error") else 0)
    assert expected in said and "Traceback" not in said

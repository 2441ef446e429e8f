"""A user's module that raises inside a differentiable search: one line, and the rest in the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import OneOf
from nas.search import search
from nas.task import Task


class Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="act")
        self.head = nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise KeyError("stem")
        return self.head(self.act(x).flatten(1))


def test_one_line_says_what_and_where(
    tmp_path: Path, tiny_task: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    settings = {"strategy": {"epochs": 1, "batch_size": 10}}
    with pytest.raises(NasError) as caught:
        search(Wrong, "darts", tiny_task, out=out, settings=settings)
    text = str(caught.value)
    assert text == (
        "'Wrong' cannot be trained: KeyError: 'stem' (test_differentiable_faults.py, line 25, in "
        f"forward); the traceback is in {out / 'log.jsonl'}"
    )
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert 'raise KeyError("stem")' in events[-1]["traceback"]


class Right(Wrong):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(x).flatten(1))


def test_notes_of_a_supernet_are_said_and_logged(
    tmp_path: Path, tiny_task: Task, no_report: None, capsys: pytest.CaptureFixture[str]
) -> None:
    strategy = {"epochs": 1, "batch_size": 10, "partial_channels": 3}
    settings = {"strategy": strategy, "supernet": {"edge_gates": True}}
    search(Right, "pc-darts", tiny_task, out=tmp_path / "run", settings=settings)
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    [note] = [e["message"] for e in map(json.loads, log) if e["event"] == "note"]
    assert note.startswith("edge gates: the module has no nodes where several edges meet")
    shown = capsys.readouterr()
    assert note in shown.out + shown.err

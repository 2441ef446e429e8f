"""What a search is asked for: several objectives, limits, a timeout; and what it says of them."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

import nas
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.table import TableData, write_table
from nas.errors import NasError
from nas.mutables import OneOf
from nas.progress import Console, Silent
from nas.run import Run
from nas.search import limited as limited_module
from nas.search import limits as limits_module

SMALL: dict[str, dict[str, Any]] = {
    "supernet": {"channels": 4, "cells": 1},
    "network": {"channels": 4, "cells": 1},
}
Search = Callable[..., Run]


@pytest.fixture
def search(tmp_path: Path, tiny_npz: Path, no_report: None) -> Search:
    """Search NAS-Bench-201 by its number of parameters, or as told."""

    def run(strategy: str = "random", evaluator: str = "proxy:params", **options: Any) -> Run:
        chosen: dict[str, Any] = {"data": f"npz:{tiny_npz}", "out": tmp_path / "run"}
        chosen |= {"space": "nas-bench-201", "settings": SMALL, "progress": Silent()}
        return nas.search(strategy=strategy, evaluator=evaluator, **(chosen | options))

    return run


class Sizes(nn.Module):
    """Twelve architectures, of 579 to 7,107 parameters."""

    def __init__(self) -> None:
        super().__init__()
        widths = {str(n): nn.Sequential(nn.Linear(192, n), nn.Linear(n, 3)) for n in (9, 18, 36)}
        self.layer = OneOf({"1": nn.Linear(192, 3), **widths}, label="width")
        self.act = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh(), "none": nn.Identity()}, label="act")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.act(self.layer(x.flatten(1)))
        return output


class Sleep(nn.Linear):
    """Takes for ever."""

    def forward(self, x: Tensor) -> Tensor:
        while True:
            time.sleep(1)


class Net(nn.Module):
    """Two architectures, one of which hangs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = OneOf({"good": nn.Linear(192, 3), "slow": Sleep(192, 3)}, label="layer")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(x.flatten(1))
        return output


# -- the folder -----------------------------------------------------------------------------------


def test_the_default_folder_has_no_colon(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = search("optuna:tpe", evaluations=1, out=None)
    assert run.folder == Path("runs/nas-bench-201-optuna-tpe-tiny-s0")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of all cells of NAS-Bench-201: their accuracy and number of convolutions."""
    choices = np.indices((5,) * 6).reshape(6, -1).T
    columns = [Column("accuracy", "toy", "valid", 12, unit="share"), Column("convs")]
    convs = np.isin(choices, (2, 3)).sum(1)
    arrays = dict(zip([c.name for c in columns], (0.5 + convs / 20, convs), strict=True))
    problem = Problem("toy", columns[0].name, (), None, ("convs",))
    data = TableData("made", "nas-bench-201", choices, columns, arrays, [problem], "for tests")
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    write_table(data, tmp_path / "home" / "made.table")
    return "table:made:toy"


def test_a_table_names_the_default_folder(
    search: Search, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at no data."""
    monkeypatch.chdir(tmp_path)
    run = search(evaluator=table, evaluations=3, out=None)
    assert run.folder == Path("runs/nas-bench-201-random-toy-s0")


def test_a_table_says_beforehand_what_it_knows(search: Search, table: str, tmp_path: Path) -> None:
    for wrong in ({"objective": "acuracy"}, {"limit": "acuracy>0.5"}):
        with pytest.raises(
            NasError, match=r"'acuracy'\. Did you mean 'accuracy'\? Allowed: accuracy, convs"
        ):
            search(evaluator=table, **wrong)
    with pytest.raises(NasError, match="unknown metric of a limit 'flops'"):  # it is no column
        search(evaluator=table, limit="flops<1M")
    assert not (tmp_path / "run").exists()


# -- refusals, before anything is written ---------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "scor"}, r"unknown objective 'scor'\. Did you mean 'score'"),
        ({"limit": "parms<1M"}, r"unknown metric of a limit 'parms'\. Did you mean 'params'"),
        ({"limit": "params<1"}, r"0 of \d+ architectures keep the limits \(params<1\)"),
        (
            {"limit": "flops<1", "evaluator": "supernet", "settings": SMALL},
            r"0 of \d+ architectures keep the limits",  # before a supernet is trained for it
        ),
        (
            {"evaluator": "predictor", "settings": {"evaluator": {"objective": "acuracy"}}},
            r"unknown metric of evaluator.objective 'acuracy'\. Did you mean 'accuracy'",
        ),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(
    search: Search,
    tmp_path: Path,
    options: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limited_module, "_STARTS", 2)
    with pytest.raises(NasError, match=message) as error:
        search(**options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


# -- limits ---------------------------------------------------------------------------------------


@pytest.fixture
def sizes(search: Search, tiny_task: Any) -> Search:
    """Search `Sizes` by the number of parameters."""
    return partial(search, space=Sizes, data=tiny_task, settings={})


def test_limits_on_costs_are_kept(sizes: Search) -> None:
    run = sizes("evolution", limit="params<2k", evaluations=6)
    assert len(run.trials()) == 6
    assert all(trial.measurement.metrics["params"] < 2000 for trial in run.trials())


def test_a_search_for_what_keeps_limits_that_takes_long_is_said(
    sizes: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(limits_module, "_PATIENCE", -1.0)
    sizes(limit="params<6k,score>1", evaluations=2, progress=Console(printed))
    said = "looking for an architecture that keeps the limits (params<6k)\n"
    assert printed.getvalue().count(said) == 1


def test_limits_on_what_is_measured_are_counted(sizes: Search) -> None:
    printed = io.StringIO()
    run = sizes(limit="score<2k", evaluations=12, progress=Console(printed))
    assert len(run.trials()) == 12
    assert run.best.metrics["score"] == 1767  # 192 * 9 + 9 + 9 * 3 + 3
    assert "\n6 of 12 architectures broke a limit\n" in printed.getvalue()
    assert "  broke a limit 6  0s left" in printed.getvalue()


def test_a_search_that_finds_nothing_is_reported(sizes: Search, tmp_path: Path) -> None:
    printed = io.StringIO()
    refused = r"none of 3 architectures keeps the limits \(score<1\); of the nearest, score is "
    with pytest.raises(NasError, match=refused):
        sizes(limit="score<1", evaluations=3, progress=Console(printed))
    assert f"is in {tmp_path / 'run' / 'report.html'}" in printed.getvalue()
    assert "All 3 trials: 3 broke a limit" in (tmp_path / "run" / "report.html").read_text()


# -- several objectives ---------------------------------------------------------------------------


def test_the_front_is_drawn(sizes: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with its report
    run = sizes("nsga-ii", objective="score,-flops", evaluations=6)
    assert (run.folder / "front.png").read_bytes().startswith(b"\x89PNG")
    page = (run.folder / "report.html").read_text()
    assert "<h2>Pareto front</h2>" in page and "maximise score, minimise flops" in page
    assert run.best.architecture == run.front()[0].architecture


# -- a timeout ------------------------------------------------------------------------------------


def test_what_hangs_has_failed(search: Search, tiny_task: Any) -> None:
    printed = io.StringIO()
    one = {"evaluator": {"epochs": 1, "cutout": 0}}
    run = search(
        evaluator="train", space=Net, data=tiny_task, timeout=0.3, evaluations=2, settings=one,
        progress=Console(printed),
    )  # fmt: skip
    assert sorted(t.measurement.error for t in run.trials()) == [
        "", "EvaluationTimeout: took longer than 0.3 s",
    ]  # fmt: skip
    failed = "warning: 1 of 2 architectures failed: EvaluationTimeout: took longer than 0.3 s"
    assert failed in printed.getvalue()


def test_what_hangs_while_its_costs_are_told_is_not_proposed(
    search: Search, tiny_task: Any
) -> None:
    one = {"evaluator": {"epochs": 1, "cutout": 0}}
    run = search(
        evaluator="train", space=Net, data=tiny_task, timeout=0.2, limit="flops<1G",
        evaluations=2, settings=one,
    )  # fmt: skip
    [trial] = run.trials()
    assert trial.measurement.ok

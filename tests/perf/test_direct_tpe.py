"""Optuna's TPE without `nas` around it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.table import TableData, write_table
from nas.comparison.job import Job, run_job
from nas.comparison.simulate import Budget
from nas.objective import Measurement, Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from perf.direct_tpe import DirectTPE, final_regrets, main


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All cells, better with larger numbers of options; two trainings that differ."""
    choices = np.indices((5,) * 6).reshape(6, -1).T
    column = Column("accuracy", "toy", "valid", 12, seeds=2, unit="share")
    values = 0.5 + choices.sum(1)[:, None] / 60 + np.array([0.0, 0.01])
    problem = Problem("toy", column.name)
    data = TableData("made", "nas-bench-201", choices, [column], {column.name: values}, [problem])
    write_table(data, tmp_path / "made.table")
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    from nas.comparison.job import _opened

    _opened.cache_clear()


def test_it_learns() -> None:
    """Better than the ten random trials that it starts with, and than random search."""
    direct = final_regrets("made:toy", 3, evaluations=50, make=DirectTPE)
    random = [run_job(Job("made:toy", "random", n, 0, Budget(50))).best[-1] for n in range(3)]
    assert direct.mean() < 0.9 + 0.005 - np.mean(np.array(random, dtype=np.float64))


def test_its_queries_are_answered_as_those_of_all() -> None:
    """The first trial of both is random; where they ask for the same they are told the same."""
    made = Job("made:toy", "optuna:tpe", 0, 0, Budget(30))
    ours, direct = run_job(made), run_job(made, DirectTPE)
    assert ours.seed == direct.seed and len(direct) == 30 and direct.proposals == 30
    first = {str(c): v for c, v in zip(direct.choices, direct.values, strict=True)}
    assert ours.choices != direct.choices and len(first) > 20
    assert run_job(made, DirectTPE).values == direct.values


def test_a_failure_is_told() -> None:
    strategy = DirectTPE(NASBench201(), Objective("-loss"), 0)
    one, other = strategy.ask(2)
    strategy.tell([(one, Measurement(error="failed")), (other, Measurement({"loss": 2.0}))])
    first, second = strategy.study.trials
    assert first.state.name == "FAIL" and second.value == -2.0


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--benchmark", "made", "--repeats", "2", "--evaluations", "12"]) == 0
    out = capsys.readouterr().out
    assert "Optuna's TPE directly" in out and "optuna:tpe" in out and "\u00b1" in out
    assert main(["--benchmark", "mad"]) == 2
    with pytest.raises(SystemExit):
        main(["--benchmark", "made", "--repeats", "0"])

"""What columns and problems are called and say."""

from __future__ import annotations

import dataclasses
import json

import pytest

from nas.benchmarks.columns import Column, Problem
from nas.errors import NasError

VALID = Column("accuracy", "cora", "valid", 400, seeds=3, unit="share", note="one GPU")
PROBLEM = Problem("cora", "v", ("t", "u"), "s", ("params",))


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (VALID, "cora/valid_accuracy@400"),
        (Column("params"), "params"),
        (Column("latency", "cora"), "cora/latency"),
        (Column("loss", split="test"), "test_loss"),
        (Column("accuracy", epochs=0), "accuracy@0"),
    ],
)
def test_names(column: Column, name: str) -> None:
    assert column.name == name


def test_columns_say_which_number_they_are() -> None:
    assert VALID.describe() == ("valid accuracy on cora, 400 epochs, mean of 3 seeds (one GPU)")
    assert VALID.describe(seed=0) == "valid accuracy on cora, 400 epochs, seed 0 (one GPU)"
    assert Column("params").describe() == "params"


def test_json_round_trip() -> None:
    for made in (VALID, PROBLEM):
        text = json.dumps(dataclasses.asdict(made))
        assert type(made).from_json(json.loads(text)) == made


@pytest.mark.parametrize("change", [{"report": None}, {"extra": 1}, {"costs": 3}])
def test_what_is_no_problem_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(NasError, match="not a problem of a benchmark"):
        Problem.from_json(dataclasses.asdict(PROBLEM) | change)
    with pytest.raises(NasError, match="not a problem of a benchmark"):
        Problem.from_json({"name": "cora"})


def test_problems_name_columns() -> None:
    assert PROBLEM.columns == ("v", "t", "u", "params", "s")
    assert Problem("x", "v").columns == ("v",)
    PROBLEM.require([*PROBLEM.columns, "more"], "here")
    with pytest.raises(NasError, match=r"unknown column of here 'params'. Did you mean 'param'\?"):
        PROBLEM.require(["v", "t", "u", "s", "param"], "here")


def test_problems_can_be_changed() -> None:
    assert PROBLEM.changed(search="t").search == "t"
    assert PROBLEM.search == "v"

"""The keys of the plain format."""

from __future__ import annotations

import pytest

from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.plain_header import KEYS, Header
from nas.errors import NasError


def header(**keys: str | list[str]) -> Header:
    made = Header()
    for key, values in keys.items():
        for value in [values] if isinstance(values, str) else values:
            made.add(key, value)
    return made


def columns(name: str, *described: str, seeds: int = 1) -> list[Column]:
    return header(column=list(described)).columns({name: seeds})


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("params", Column("params", maximise=False)),
        ("flops", Column("flops", maximise=False)),
        ("accuracy", Column("accuracy", unit="share")),
        ("cora/valid_accuracy@400", Column("accuracy", "cora", "valid", 400, unit="share")),
        ("cifar10-valid/test_loss@12", Column("loss", "cifar10-valid", "test", 12, maximise=False)),
        ("x/train_seconds@0", Column("seconds", "x", "train", 0, unit="s", maximise=False)),
        ("top_5", Column("top_5")),
        ("rocauc", Column("rocauc")),
    ],
)
def test_names_say_what_a_column_is(name: str, column: Column) -> None:
    assert columns(name) == [column]


def test_options_of_a_column() -> None:
    made = columns("latency", "latency unit=ms note='one phone, a batch of 1'", seeds=3)
    assert made == [
        Column("latency", unit="ms", maximise=False, seeds=3, note="one phone, a batch of 1")
    ]
    assert columns("flops", "flops maximise=true")[0].maximise
    assert not columns("top_5", "top_5 maximise=false")[0].maximise


@pytest.mark.parametrize(
    ("name", "described", "message"),
    [
        ("latency", "", "column 'latency' needs a unit: column: latency unit=ms"),
        ("a/b/c", "", "column 'a/b/c' is not named DATASET/SPLIT_METRIC@EPOCHS"),
        ("loss@", "", "column 'loss@' is not named"),
        ("", "", "column '' is not named"),
        ("loss@012", "", "column 'loss@012' would be written 'loss@12'"),
        ("loss", "los unit=x", "unknown column 'los'. Did you mean 'loss'?"),
        ("loss", "loss units=x", "unknown key of column 'loss' 'units'. Did you mean 'unit'?"),
        ("loss", "loss unit", "column 'loss': expected KEY=VALUE once each, not 'unit'"),
        ("loss", "loss unit=", "column 'loss': expected KEY=VALUE once each, not 'unit='"),
        ("loss", "loss unit=a unit=b", "column 'loss': expected KEY=VALUE once each, not 'unit=b'"),
        ("loss", "loss maximise=yes", "column 'loss': maximise=yes; expected true or false"),
        ("loss", "loss note='x", 'column: "loss note=\'x": No closing quotation'),
    ],
)
def test_columns_that_are_wrong(name: str, described: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        columns(name, *([described] if described else []))
    assert str(error.value).startswith(message)


def test_problems() -> None:
    made = header(problem=["p search=a report=b,c seconds=s costs=a,", "q search=b"])
    names = [Column(name) for name in "abcs"]
    assert made.problems(names) == [
        Problem("p", "a", ("b", "c"), "s", ("a",)),
        Problem("q", "b"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p", "problem 'p' does not say what it searches: search=COLUMN"),
        ("p:q search=a", "problem 'p:q': a name has letters, digits"),
        ("p search=d", "unknown column of problem 'p' 'd'"),
        ("p search=a report=d", "unknown column of problem 'p' 'd'"),
        ("p search=a cost=a", "unknown key of problem 'p' 'cost'. Did you mean 'costs'?"),
    ],
)
def test_problems_that_are_wrong(text: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        header(problem=text).problems([Column("a")])
    assert message in str(error.value)


def test_keys() -> None:
    made = header(space="s", benchmark="b")
    assert (made.space, made.benchmark) == ("s", "b")
    for key, value, message in (
        ("space", "t", "'space' is there twice"),
        ("source", "", "'source' has no value"),
        ("Space", "t", "unknown key 'Space'. Did you mean 'space'?"),
    ):
        with pytest.raises(NasError) as error:
            made.add(key, value)
        assert message in str(error.value)
    assert {"space", "benchmark", "problem"} < set(KEYS)


def test_what_is_needed() -> None:
    with pytest.raises(NasError, match="does not say its 'space'"):
        assert Header().space
    with pytest.raises(NasError, match="does not say its 'benchmark'"):
        assert Header().benchmark
    with pytest.raises(NasError, match="has no 'problem'"):
        Header().problems([])


def test_the_number_of_architectures() -> None:
    Header().require_count(5)
    made = header(architectures="5")
    made.require_count(5)
    with pytest.raises(NasError, match="has 4 architectures, but says 5; it may be truncated"):
        made.require_count(4)

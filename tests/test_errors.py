"""Messages about unknown names."""

from __future__ import annotations

import pytest

from nas.errors import NasError, nearest, unknown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dart", "darts"),
        ("DARTS", "darts"),
        ("nasbench201", "NAS-Bench-201"),
        ("nas-bench-201", "NAS-Bench-201"),
        ("zzz", None),
        ("", None),
    ],
)
def test_nearest(name: str, expected: str | None) -> None:
    assert nearest(name, ["darts", "NAS-Bench-201", "gdas"]) == expected


def test_unknown_with_a_guess() -> None:
    assert str(unknown("strategy", "drats", ["gdas", "darts"])) == (
        "unknown strategy 'drats'. Did you mean 'darts'? Allowed: darts, gdas."
    )


def test_unknown_without_a_guess() -> None:
    assert str(unknown("strategy", "xyz", ["darts"])) == "unknown strategy 'xyz'. Allowed: darts."


def test_unknown_where_there_is_nothing() -> None:
    error = unknown("benchmark", "xyz", iter(()))
    assert isinstance(error, NasError)
    assert str(error) == "unknown benchmark 'xyz'. Allowed: none."


def test_a_long_name_is_cut() -> None:
    error = unknown("strategy", "x" * 100_000, ["darts"])
    assert str(error) == f"unknown strategy '{'x' * 80}'. Allowed: darts."

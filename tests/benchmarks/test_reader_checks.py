"""What readers check: every refusal is one line that names the file or the place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.benchmarks.checks import naming, parse_architectures, require_numbers
from nas.errors import NasError


def where(row: int) -> str:
    return f"line {row + 5}"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NasError("line 3 is wrong"), "x.csv: line 3 is wrong"),
        (FileNotFoundError(2, "none"), "x.csv: there is no such file"),
        (ValueError("two\nlines"), "x.csv: not a whole toy (two); it may be truncated or damaged"),
        (KeyError(), "x.csv: not a whole toy (KeyError); it may be truncated or damaged"),
        (ValueError("x" * 1000), f"x.csv: not a whole toy ({'x' * 120}); it may be truncated"),
    ],
)
def test_errors_name_the_file(error: Exception, message: str) -> None:
    with pytest.raises(NasError) as caught, naming(Path("x.csv"), "toy"):
        raise error
    assert str(caught.value).startswith(message)


def test_architectures() -> None:
    choices = parse_architectures("nas-bench-macro", ["22212220", "00000000"], where)
    assert choices.tolist() == [[2, 2, 2, 1, 2, 2, 2, 0], [0] * 8]
    assert parse_architectures("nas-bench-macro", [], where).shape == (0, 8)
    with pytest.raises(NasError, match=r"line 6: layer 8 of '22212223'"):
        parse_architectures("nas-bench-macro", ["22212220", "22212223"], where)
    with pytest.raises(NasError, match=r"line 7: .* '00000000' is there twice, also line 5"):
        parse_architectures("nas-bench-macro", ["00000000", "22212220", "00000000"], where)


def test_numbers() -> None:
    some = np.array([[1, np.nan], [np.nan, 2]])
    require_numbers({"some": some, "all": np.zeros(2)}, where)
    with pytest.raises(NasError, match="column 'none' has no number at all"):
        require_numbers({"some": some, "none": some * np.nan}, where)
    with pytest.raises(NasError, match="line 6: 'some' is infinite"):
        require_numbers({"some": np.array([[1.0, 2], [1, -np.inf]])}, where)

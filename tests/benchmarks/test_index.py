"""Finding the row of an architecture: its own, or else that of an equal network."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from nas.benchmarks import index
from nas.benchmarks.index import ABSENT, Index, build_index
from nas.benchmarks.table import TableData
from nas.search_spaces.nas_bench_macro import NASBenchMacro
from nas.space import Choices

SPACE = NASBenchMacro()
EVERYTHING = np.array(list(product(range(3), repeat=8)))


@pytest.fixture(params=["dense", "keys"])
def kind(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Build either kind of index on the same space."""
    if request.param == "keys":
        monkeypatch.setattr(index, "_MOST_COMBINATIONS", 0)
    return str(request.param)


def population(*texts: str) -> Choices:
    return SPACE.to_array([SPACE.parse(text) for text in texts])


def reopened(built: Index) -> Index:
    """Store and take up again, as a table does."""
    return Index.from_arrays(SPACE, built.arrays() | {"choices": built.choices})  # type: ignore[dict-item]


def test_every_architecture_finds_its_class(kind: str, data: TableData) -> None:
    built = build_index(SPACE, data.choices)
    assert (built.dense is None) == (kind == "keys")
    rows = {key: row for row, key in enumerate(SPACE.keys(data.choices).tolist())}
    wanted = [rows.get(key, ABSENT) for key in SPACE.keys(EVERYTHING).tolist()]
    assert ABSENT in wanted
    assert len(set(wanted)) == len(data.choices) + 1
    for used in (built, reopened(built)):
        assert used.rows(EVERYTHING).tolist() == wanted


def test_one_is_found_as_many_are(kind: str, data: TableData) -> None:
    built = build_index(SPACE, data.choices)
    some = EVERYTHING[::50]
    assert [built.row(a) for a in SPACE.from_array(some)] == built.rows(some).tolist()


def test_an_architecture_has_its_own_row_before_that_of_an_equal_one(kind: str) -> None:
    """The layers of a stage after its first may change places."""
    there = population("00010000", "11111111", "00001000", "00022012", "00022021")
    built = reopened(build_index(SPACE, there))
    assert built.rows(there).tolist() == [0, 1, 2, 3, 4]
    assert built.rows(population("00002012", "00022111")).tolist() == [ABSENT, ABSENT]


def test_equal_ones_that_are_absent_get_the_row_of_one_that_is_there(kind: str) -> None:
    there = population("00010022", "00001022")
    built = reopened(build_index(SPACE, there))
    assert built.rows(population("00010022", "00001022")).tolist() == [0, 1]
    there = population("00001022", "11111111")
    assert reopened(build_index(SPACE, there)).rows(population("00010022")).tolist() == [0]


def test_a_single_architecture(kind: str) -> None:
    built = build_index(SPACE, population("11111111"))
    found = built.rows(population("00000000", "11111111", "22222222"))
    assert found.tolist() == [ABSENT, 0, ABSENT]
    assert built.rows(np.zeros((0, 8), np.int64)).tolist() == []


def test_a_large_space_stores_keys(large_space_data: TableData) -> None:
    from nas import registry

    space = registry.get("search_spaces", "darts").factory()
    built = build_index(space, large_space_data.choices)
    assert built.dense is None
    assert built.rows(large_space_data.choices).tolist() == list(range(40))
    others = space.sample_choices(np.random.default_rng(1), 50)
    assert set(built.rows(others).tolist()) == {ABSENT}

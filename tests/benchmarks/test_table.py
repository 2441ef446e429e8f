"""The file of a table: what comes back, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import mmap
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.benchmarks.columns import Problem
from nas.benchmarks.table import ABSENT, MAGIC, Table, TableData, write_table
from nas.errors import NasError

VALID = "cifar10/valid_accuracy@12"
SIZES = 22
"""Bytes of the line with the header's length and checksum."""

Header = dict[str, Any]


# -- round trip -------------------------------------------------------------------------------


def test_round_trip(data: TableData, table: Table) -> None:
    assert (table.benchmark, table.space_name, table.source) == (
        data.benchmark,
        data.space,
        "made up",
    )
    assert table.facts == {"answer": 42}
    assert list(table.columns.values()) == list(data.columns)
    assert list(table.problems.values()) == list(data.problems)
    assert len(table) == len(data.choices)
    assert np.array_equal(table.choices, data.choices)
    for name, array in data.arrays.items():
        assert np.array_equal(table.column(name), np.asarray(array, np.float32), equal_nan=True)
    table.verify()


def test_architectures_and_rows(data: TableData, table: Table) -> None:
    everything = table.space.from_array(data.choices)
    assert [table.architecture(row) for row in range(len(table))] == everything
    assert [table.row(a) for a in everything] == list(range(len(table)))
    assert table.rows(data.choices[::-1]).tolist() == list(range(len(table)))[::-1]


def test_a_space_with_many_combinations(large_space_data: TableData, tmp_path: Path) -> None:
    write_table(large_space_data, tmp_path / "t.table")
    table = Table(tmp_path / "t.table")
    table.verify()
    assert table.rows(large_space_data.choices).tolist() == list(range(len(table)))
    assert table.row(table.architecture(7)) == 7
    assert table.row(table.space.sample(np.random.default_rng(9), 1)[0]) == ABSENT


def test_writing_twice_gives_the_same_bytes(data: TableData, table: Table, tmp_path: Path) -> None:
    write_table(data, tmp_path / "again.table")
    assert (tmp_path / "again.table").read_bytes() == table.path.read_bytes()


def test_opening_maps_the_file(table: Table) -> None:
    for array in (table.choices, table.column(VALID), table.column("params")):
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, mmap.mmap)
        assert not array.flags.writeable


# -- numbers ----------------------------------------------------------------------------------


def test_values_are_means_of_the_seeds_that_there_are(data: TableData, table: Table) -> None:
    valid = np.asarray(data.arrays[VALID], np.float32).astype(np.float64)
    values = table.values(VALID)
    assert values.dtype == np.float64
    assert values[0] == pytest.approx(valid[0].mean())
    assert np.isnan(values[1])
    assert values[2] == pytest.approx(valid[2, 1:].mean())
    for seed in range(3):
        assert np.array_equal(table.values(VALID, seed=seed), valid[:, seed], equal_nan=True)


def test_values_of_rows(table: Table) -> None:
    rows = np.array([5, ABSENT, 0, 5])
    for name in (VALID, "params"):
        values, everything = table.values(name, rows), table.values(name)
        assert np.isnan(values[1])
        assert values[[0, 2, 3]].tolist() == everything[[5, 0, 5]].tolist()


@pytest.mark.parametrize(("name", "seed"), [(VALID, 3), (VALID, -1), ("params", 1)])
def test_a_seed_that_does_not_exist(table: Table, name: str, seed: int) -> None:
    with pytest.raises(NasError, match=f"unknown seed of column {name} '{seed}'.*Allowed: 0"):
        table.values(name, seed=seed)


def test_a_column_that_does_not_exist(table: Table) -> None:
    with pytest.raises(NasError, match=r"unknown column of tiny 'param'. Did you mean 'params'\?"):
        table.values("param")


# -- what does not fit together is not written ------------------------------------------------

CHANGES: dict[str, Callable[[TableData], TableData]] = {
    "no architectures": lambda d: dataclasses.replace(d, choices=d.choices[:0]),
    "no architectures of space": lambda d: dataclasses.replace(d, choices=d.choices[:, 1:]),
    "row 0 is no architecture": lambda d: dataclasses.replace(d, choices=d.choices + 3),
    "row 39 is no architecture": lambda d: dataclasses.replace(
        d, choices=np.concatenate([d.choices[:-1], d.choices[-1:] - 9])
    ),
    "two columns of one name": lambda d: dataclasses.replace(d, columns=[*d.columns, d.columns[0]]),
    r"'params' has shape \(39,\)": lambda d: dataclasses.replace(
        d, arrays={**d.arrays, "params": np.zeros(39)}
    ),
    r"accuracy@12' has shape \(40, 2\)": lambda d: dataclasses.replace(
        d, arrays={**d.arrays, VALID: np.zeros((40, 2))}
    ),
    r"'params' has shape \(\)|\(0,\)": lambda d: dataclasses.replace(
        d, arrays={k: v for k, v in d.arrays.items() if k != "params"}
    ),
    "unknown column of tiny 'none'": lambda d: dataclasses.replace(
        d, problems=[Problem("x", "none")]
    ),
    "unknown search space 'nas-bench-micro'": lambda d: dataclasses.replace(
        d, space="nas-bench-micro"
    ),
}


@pytest.mark.parametrize("message", CHANGES)
def test_what_does_not_fit_is_not_written(message: str, data: TableData, table: Table) -> None:
    before = table.path.read_bytes()
    with pytest.raises(NasError, match=message):
        write_table(CHANGES[message](data), table.path)
    assert table.path.read_bytes() == before
    assert [file.name for file in table.path.parent.iterdir()] == ["tiny.table"]


# -- damaged files ----------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(NasError) as error:
        Table(path)
    message = str(error.value)
    assert str(path) in message and "\n" not in message and len(message) < 400
    return message


def test_truncated_anywhere(table: Table, tmp_path: Path) -> None:
    whole, path = table.path.read_bytes(), tmp_path / "cut.table"
    lengths = {*range(60), *range(60, len(whole), 331), len(whole) - 1}
    for length in lengths:
        path.write_bytes(whole[:length])
        assert "is not a whole benchmark table" in refused(path)


def test_altered_anywhere(table: Table, tmp_path: Path) -> None:
    """A changed header is noticed when the file is opened, changed numbers by `verify`."""
    whole, path = table.path.read_bytes(), tmp_path / "altered.table"
    length = int(whole[len(MAGIC) : len(MAGIC) + 10])
    header = len(MAGIC) + SIZES + length
    noticed = {"header": 0, "contents": 0}
    for at in [*range(0, header, 47), *range(header, len(whole), 211), len(whole) - 1]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        if at < header:
            refused(path)
            noticed["header"] += 1
            continue
        try:
            Table(path).verify()
        except NasError as error:
            assert re.search(r"altered.table is not a whole .* array '.*' was altered", str(error))
            noticed["contents"] += 1
        else:
            assert whole[at] == 0  # between two arrays
    assert noticed["header"] > 30 and noticed["contents"] > 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin with 'nas-bench-table 1'"),
        (MAGIC.replace(b"1", b"2") + b"0" * 100, "does not begin with 'nas-bench-table 1'"),
        (b"\x80\x02cos\nsystem\n", "does not begin with 'nas-bench-table 1'"),
        (MAGIC, "not enough values"),
        (MAGIC + b"x" * 22, "not enough values|invalid literal"),
        (MAGIC + b"9999999999 0000000000\n", "its header is too long"),
        (MAGIC + b"0000000100 0000000000\n{}", "its header was cut off or altered"),
    ],
)
def test_foreign_files(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.table"
    path.write_bytes(content)
    assert re.search(message, refused(path))


def test_no_file(tmp_path: Path) -> None:
    assert "there is no benchmark table at" in refused(tmp_path / "none.table")
    refused(tmp_path)


def rewritten(table: Table, change: Callable[[Header], object]) -> Path:
    """Change the header and give it its right checksum, as a malicious file could."""
    whole = table.path.read_bytes()
    length = int(whole[len(MAGIC) : len(MAGIC) + 10])
    start = len(MAGIC) + SIZES
    header = json.loads(whole[start : start + length])
    changed = change(header)
    text = json.dumps(header if changed is None else changed).encode()
    path = table.path.with_name("rewritten.table")
    path.write_bytes(
        MAGIC + f"{len(text):010d} {zlib.crc32(text):010d}\n".encode() + text + whole[start:]
    )
    return path


MALFORMED: dict[str, Callable[[Header], object]] = {
    "a list": lambda h: [1, 2],
    "no name": lambda h: h.pop("benchmark") and None,
    "no columns": lambda h: h.pop("columns") and None,
    "columns of text": lambda h: h.update(columns="params"),
    "columns of what is none": lambda h: h.update(columns=[{"nonsense": 1}]),
    "problems of what is none": lambda h: h.update(problems=[{"name": "x"}]),
    "problems of other columns": lambda h: h["problems"][0].update(search="none"),
    "arrays of text": lambda h: h.update(arrays="choices"),
    "a place without a type": lambda h: h["arrays"]["choices"].pop("type") and None,
    "a type that is code": lambda h: h["arrays"]["choices"].update(type="|O"),
    "no such type": lambda h: h["arrays"]["choices"].update(type="nonsense"),
    "more than there is": lambda h: h["arrays"]["choices"].update(shape=[10**9, 8]),
    "more than can be": lambda h: h["arrays"]["choices"].update(shape=[10**30]),
    "less than nothing": lambda h: h["arrays"]["choices"].update(shape=[-1, 8]),
    "a shape of text": lambda h: h["arrays"]["choices"].update(shape="many"),
    "behind the end": lambda h: h["arrays"]["choices"].update(at=10**12),
    "no architectures": lambda h: h["arrays"].pop("choices") and None,
    "no index": lambda h: h["arrays"].pop("index") and None,
    "a column without numbers": lambda h: h["arrays"].pop("column:params") and None,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_headers(what: str, table: Table) -> None:
    assert "is not a whole benchmark table" in refused(rewritten(table, MALFORMED[what]))

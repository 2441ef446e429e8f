"""Where tables are kept, and how one is found."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import ClassVar

import pytest

from nas.benchmarks.home import installed, open_benchmark, open_table, reader_of, readers
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import Table, TableData, write_table
from nas.errors import NasError
from nas.progress import Progress

MACRO = '{"22212220": {"test_acc": [1, 2, 3], "params": 1, "flops": 1}}'

homes = import_module("nas.benchmarks.home")


class BuiltIn(Reader):
    """Gives a table and counts how often it is asked for it."""

    files = "none"
    built_in = True
    data: ClassVar[TableData]
    count: ClassVar[int] = 0

    def recognises(self, path: Path) -> bool:
        return path.name == "mine.txt"

    def read(self, path: Path | None, progress: Progress) -> TableData:
        assert path is None
        type(self).count += 1
        return self.data


@pytest.fixture
def only_built_in(data: TableData, monkeypatch: pytest.MonkeyPatch, home: Path) -> type[BuiltIn]:
    BuiltIn.data, BuiltIn.count = data, 0
    monkeypatch.setattr(homes, "readers", lambda: {"mine": BuiltIn()})
    return BuiltIn


def test_where_the_home_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    assert homes.home() == tmp_path
    monkeypatch.delenv("NAS_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert homes.home() == tmp_path / "data" / "nas"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert homes.home() == tmp_path / "me" / ".local" / "share" / "nas"


def test_installed(home: Path, data: TableData) -> None:
    assert installed() == {}
    home.mkdir()
    (home / "notes.txt").write_text("nothing")
    for name in ("b", "a.b"):
        write_table(data, home / f"{name}.table")
    assert installed() == {"a.b": home / "a.b.table", "b": home / "b.table"}


def test_open_what_was_imported(home: Path, data: TableData, table: Table) -> None:
    home.mkdir()
    write_table(data, home / "mine.table")
    assert open_table("mine").path == home / "mine.table"
    assert open_table(str(table.path)).path == table.path


def test_the_first_problem_is_the_default(table: Table) -> None:
    assert open_benchmark(str(table.path)).name == "tiny:cifar10"
    assert open_benchmark(f"{table.path}:loss").name == "tiny:loss"
    with pytest.raises(NasError, match=r"unknown problem of .* 'los'. Did you mean 'loss'\?"):
        open_benchmark(f"{table.path}:los")


def test_names_that_are_unknown_or_not_imported(home: Path) -> None:
    with pytest.raises(NasError, match=r"unknown benchmark .* Did you mean 'nas-bench-macro'\?"):
        open_benchmark("nas-bench-micro:cifar10")
    with pytest.raises(NasError, match=r"was not imported yet; do so with: nas bench import FILE"):
        open_benchmark("nas-bench-macro")
    with pytest.raises(NasError, match="there is no benchmark table at"):
        open_benchmark(str(home / "none.table"))


def test_what_is_built_in_is_made_once(only_built_in: type[BuiltIn], home: Path) -> None:
    assert not home.exists()
    assert open_benchmark("mine:loss").name == "tiny:loss"
    assert (home / "mine.table").is_file()
    open_benchmark("mine")
    assert only_built_in.count == 1


def test_a_home_that_cannot_be_made(
    only_built_in: type[BuiltIn], monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    monkeypatch.setenv("NAS_HOME", str(table.path / "below a file"))
    with pytest.raises(NasError, match=r"cannot make folder .*; set NAS_HOME to another"):
        open_benchmark("mine")


def test_a_damaged_table_is_refused(home: Path) -> None:
    home.mkdir()
    (home / "mine.table").write_bytes(b"nonsense")
    with pytest.raises(NasError, match=r"mine\.table is not a whole benchmark table"):
        open_table("mine")


def test_who_reads_a_file(only_built_in: type[BuiltIn], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    assert isinstance(reader_of(tmp_path / "mine.txt"), BuiltIn)
    (tmp_path / "other.txt").touch()
    with pytest.raises(NasError, match=r"other\.txt is no benchmark's file .* there are mine"):
        reader_of(tmp_path / "other.txt")
    with pytest.raises(NasError, match="there is no file or folder"):
        reader_of(tmp_path / "none.txt")


def test_registered_readers(tmp_path: Path) -> None:
    found = readers()
    assert {"nas-bench-graph", "nas-bench-macro", "plain"} <= found.keys()
    for reader in found.values():
        assert reader.files
        assert not reader.recognises(tmp_path)
    (tmp_path / "x.json").write_text(MACRO)
    (tmp_path / "y.json").write_text("{}")
    takers = [name for name, reader in found.items() if reader.recognises(tmp_path / "x.json")]
    assert takers == ["nas-bench-macro"]
    assert not [r for r in found.values() if r.recognises(tmp_path / "y.json")]

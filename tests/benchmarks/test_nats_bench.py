"""NATS-Bench's folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from official_files import CELLS, WIDTHS, accuracy, nats, write_bz2

from nas import registry
from nas.benchmarks import nats_bench
from nas.benchmarks.nats_bench import NATSSizeReader, NATSTopologyReader
from nas.errors import NasError
from nas.progress import Silent


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return nats(tmp_path / "NATS-tss-v1_0-3ffb9-simple", CELLS, ("12", "200"))


@pytest.fixture
def widths(tmp_path: Path) -> Path:
    return nats(tmp_path / "NATS-sss-v1_0-50262-simple", WIDTHS, ("01", "12", "90"))


def test_cells(cells: Path) -> None:
    found = NATSTopologyReader().read(cells, Silent())
    space = registry.get("search_spaces", "nas-bench-201").factory()
    assert [space.format(a) for a in space.from_array(found.choices)] == list(CELLS)
    assert (found.benchmark, found.space) == ("nats-tss", "nas-bench-201")
    expected = accuracy(2, "cifar100", 200, 777, "x-test") / 100
    assert found.arrays["cifar100/test_accuracy@200"][2] == pytest.approx(expected)
    assert found.problems[0].report == ("cifar10/test_accuracy@200",)


def test_widths(widths: Path) -> None:
    found = NATSSizeReader().read(widths, Silent())
    space = registry.get("search_spaces", "nats-size").factory()
    assert [space.format(a) for a in space.from_array(found.choices)] == list(WIDTHS)
    assert {column.epochs for column in found.columns} == {1, 12, 90, None}
    expected = [accuracy(1, "cifar10-valid", 12, seed, "x-valid") / 100 for seed in (777, 888)]
    np.testing.assert_allclose(found.arrays["cifar10-valid/valid_accuracy@12"][1], expected, 1e-6)
    assert found.problems[0].search == "cifar10-valid/valid_accuracy@12"
    assert found.problems[0].report == ("cifar10/test_accuracy@90",)


def test_each_folder_is_recognised_by_what_is_in_it(cells: Path, widths: Path) -> None:
    cells, widths = cells.rename(cells.parent / "one"), widths.rename(widths.parent / "other")
    assert NATSTopologyReader().recognises(cells) and not NATSSizeReader().recognises(cells)
    assert NATSSizeReader().recognises(widths) and not NATSTopologyReader().recognises(widths)
    assert not NATSSizeReader().recognises(widths.parent)
    assert not NATSSizeReader().recognises(widths / "meta.pickle.pbz2")


def test_short_names_of_files_do(cells: Path) -> None:
    (cells / "000001.pickle.pbz2").rename(cells / "1.pickle.pbz2")
    assert len(NATSTopologyReader().read(cells, Silent()).choices) == 3


def test_missing_files_are_counted(cells: Path) -> None:
    (cells / "000001.pickle.pbz2").unlink()
    with pytest.raises(NasError, match=r"simple: 1 of 3 files are missing.*000001\.pickle"):
        NATSTopologyReader().read(cells, Silent())


def test_results_of_another_architecture_are_refused(cells: Path) -> None:
    (cells / "000001.pickle.pbz2").write_bytes((cells / "000002.pickle.pbz2").read_bytes())
    with pytest.raises(NasError, match=r"simple: architecture 1 is not of the official form"):
        NATSTopologyReader().read(cells, Silent())


@pytest.mark.parametrize("content", [["no dictionary"], {"twelve": {}}, {"12": None}, {}])
def test_foreign_contents_are_refused(cells: Path, content: Any) -> None:
    write_bz2(cells / "000001.pickle.pbz2", content)
    with pytest.raises(NasError, match="simple"):
        NATSTopologyReader().read(cells, Silent())


def test_decompressing_stops_early(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # bzip2 packs a gigabyte of zeros into less than a kilobyte
    monkeypatch.setattr(nats_bench, "_LARGEST", 1 << 19)
    write_bz2(cells / "000001.pickle.pbz2", b"\0" * (1 << 20))
    with pytest.raises(NasError, match=r"000001\.pickle\.pbz2: it is larger"):
        NATSTopologyReader().read(cells, Silent())

"""HW-NAS-Bench's official file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from official_files import CELLS, hw_nas_bench

from nas import registry
from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.hw_nas_bench import HWNASBenchReader
from nas.benchmarks.table import Table, write_table
from nas.errors import NasError
from nas.progress import Silent


def write(path: Path, data: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(data, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_latencies_and_energies(tmp_path: Path, protocol: int) -> None:
    path = write(tmp_path / "HW-NAS-Bench-v1_0.pickle", hw_nas_bench(), protocol)
    found = HWNASBenchReader().read(path, Silent())
    space = registry.get("search_spaces", "nas-bench-201").factory()
    assert [space.format(a) for a in space.from_array(found.choices)] == list(CELLS)
    assert found.arrays["cifar10/edgegpu_latency"].tolist() == [5.8, 6.5, 7.5]
    assert found.arrays["cifar100/edgegpu_energy"].tolist() == [25, 29, 30]
    assert found.arrays["cifar100/raspi4_latency"].tolist() == [11.5, 54.7, 1.0]
    columns = {column.name: column for column in found.columns}
    assert columns["cifar10/edgegpu_latency"].unit == "ms"
    assert columns["cifar10/edgegpu_energy"].unit == "mJ"
    assert not columns["cifar10/edgegpu_energy"].maximise
    assert columns["cifar10/eyeriss_arithmetic_intensity"].maximise


def test_problems_search_a_latency_less_is_better(tmp_path: Path) -> None:
    path = write(tmp_path / "HW-NAS-Bench-v1_0.pickle", hw_nas_bench())
    found = HWNASBenchReader().read(path, Silent())
    names = ["cifar10-edgegpu", "cifar10-raspi4", "cifar100-edgegpu", "cifar100-raspi4"]
    assert [problem.name for problem in found.problems] == names
    write_table(found, tmp_path / "x.table")
    table = Table(tmp_path / "x.table")
    benchmark = Benchmark(table, table.problems["cifar10-raspi4"])
    assert not benchmark.maximise
    assert benchmark.optimum == 1.0
    measured = benchmark.measure(table.architecture(1))
    assert measured.metrics["raspi4_latency"] == pytest.approx(54.7)
    assert measured.metrics["edgegpu_energy"] == 29.0


def test_recognised_by_its_contents(tmp_path: Path) -> None:
    reader = HWNASBenchReader()
    assert reader.recognises(write(tmp_path / "renamed.pickle", hw_nas_bench()))
    assert not reader.recognises(write(tmp_path / "other.pickle", {"a": 1}))
    assert not reader.recognises(write(tmp_path / "data.bin", hw_nas_bench()))
    assert not reader.recognises(tmp_path)


def other_order(data: dict[str, Any]) -> None:
    data["nasbench201"]["cifar100"]["config"].reverse()


def no_cells(data: dict[str, Any]) -> None:
    del data["nasbench201"]


def too_few(data: dict[str, Any]) -> None:
    data["nasbench201"]["cifar10"]["config"][1] = {}


def twice(data: dict[str, Any]) -> None:
    data["nasbench201"]["cifar10"]["config"][1] = {"arch_str": CELLS[0]}


def words(data: dict[str, Any]) -> None:
    data["nasbench201"]["cifar10"]["edgegpu_latency"] = ["fast", "slow", "slow"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [(other_order, "other architectures"), (no_cells, "nasbench201"), (too_few, "arch_str"),
     (twice, "twice"), (words, "fast")],
)  # fmt: skip
def test_foreign_files_are_refused(change: Any, reason: str, tmp_path: Path) -> None:
    data = hw_nas_bench()
    change(data)
    path = write(tmp_path / "HW-NAS-Bench-v1_0.pickle", data)
    with pytest.raises(NasError, match=rf"v1_0\.pickle: .*{reason}"):
        HWNASBenchReader().read(path, Silent())


def test_shapes_are_checked_when_written(tmp_path: Path) -> None:
    data = hw_nas_bench()
    data["nasbench201"]["cifar10"]["edgegpu_latency"] = np.zeros(2)
    path = write(tmp_path / "HW-NAS-Bench-v1_0.pickle", data)
    with pytest.raises(NasError, match=r"edgegpu_latency.*shape"):
        write_table(HWNASBenchReader().read(path, Silent()), tmp_path / "x.table")

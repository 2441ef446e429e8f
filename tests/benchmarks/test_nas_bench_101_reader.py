"""NAS-Bench-101's official files: which number ends up where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from official_files import MODULES, frame, training, write_nas_bench_101

from nas import registry
from nas.benchmarks.nas_bench_101 import NASBench101Reader
from nas.benchmarks.table import Table, TableData, write_table
from nas.errors import NasError
from nas.progress import Silent


def read(path: Path) -> TableData:
    return NASBench101Reader().read(path, Silent())


def test_trainings_of_108_epochs(tmp_path: Path) -> None:
    found = read(write_nas_bench_101(tmp_path / "nasbench_only108.tfrecord"))
    end = 0.5 + 0.01 * np.arange(3) + 0.0108
    for row in range(2):
        for split, more in (("train", 0.0), ("valid", 0.1), ("test", 0.2)):
            at_end = found.arrays[f"cifar10/{split}_accuracy@108"][row]
            half = found.arrays[f"cifar10/{split}_halfway_accuracy@108"][row]
            np.testing.assert_allclose(at_end, end + more, 1e-6)
            np.testing.assert_allclose(half, end + more - 0.25, 1e-6)
        assert found.arrays["cifar10/seconds@108"][row].tolist() == [1080] * 3
        assert found.arrays["cifar10/halfway_seconds@108"][row].tolist() == [540] * 3
    assert found.arrays["params"].tolist() == [1_000_016, 1_000_004]
    assert [problem.name for problem in found.problems] == ["cifar10"]
    assert found.problems[0].search == "cifar10/valid_accuracy@108"
    assert found.problems[0].report == ("cifar10/test_accuracy@108",)


def test_cells_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "x.table"
    write_table(read(write_nas_bench_101(tmp_path / "nasbench_only108.tfrecord")), path)
    space: Any = registry.get("search_spaces", "nas-bench-101").factory()
    table = Table(path)
    for row, (adjacency, operations) in enumerate(MODULES.values()):
        side = int(len(adjacency) ** 0.5)
        matrix = np.array(list(map(int, adjacency))).reshape(side, side).tolist()
        assert table.row(space.from_spec(matrix, operations.split(","))) == row


def test_all_budgets_of_the_full_file(tmp_path: Path) -> None:
    found = read(write_nas_bench_101(tmp_path / "nasbench_full.tfrecord", (4, 12, 36, 108)))
    for epochs in (4, 12, 36, 108):
        expected = 0.6 + 0.01 * np.arange(3) + epochs / 10_000
        np.testing.assert_allclose(
            found.arrays[f"cifar10/valid_accuracy@{epochs}"][1], expected, 1e-6
        )
    names = [problem.name for problem in found.problems]
    assert names == ["cifar10", "cifar10-36-epochs", "cifar10-12-epochs", "cifar10-4-epochs"]
    assert {problem.report for problem in found.problems} == {("cifar10/test_accuracy@108",)}


def test_files_cut_off_between_records_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.tfrecord"
    rows = [frame(training(m, e, r)) for m in MODULES for e in (4, 108) for r in range(3)]
    for count in range(1, 12):
        path.write_bytes(b"".join(rows[:count]))
        if count in (3, 6):
            assert len(read(path).choices) == 1  # a whole file of fewer cells
            continue
        with pytest.raises(NasError, match=r"data\.tfrecord: it is truncated"):
            read(path)


def test_fewer_cells_than_published_are_told(tmp_path: Path) -> None:
    class Told(Silent):
        warnings: ClassVar[list[str]] = []

        def warn(self, message: str) -> None:
            self.warnings.append(message)

    NASBench101Reader().read(write_nas_bench_101(tmp_path / "data.tfrecord"), Told())
    assert Told.warnings == [f"{tmp_path}/data.tfrecord has 2 of 423624 cells"]


def test_recognising_needs_the_first_record_only(tmp_path: Path) -> None:
    path = write_nas_bench_101(tmp_path / "renamed.data")
    path.write_bytes(path.read_bytes()[:400])
    assert NASBench101Reader().recognises(path)
    path.write_bytes(frame(b"an image"))
    assert not NASBench101Reader().recognises(path)
    assert not NASBench101Reader().recognises(tmp_path)


def record(**changes: Any) -> bytes:
    row = json.loads(training("m0", 108, 0))
    names = ["module", "epochs", "adjacency", "operations", "metrics"]
    return json.dumps([changes.get(n, v) for n, v in zip(names, row, strict=True)]).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"no JSON",
        b"[1, 2]",
        b"\xff\xfe",
        b"[" * 10_000,
        record(epochs="many"),
        record(adjacency="01"),
        record(adjacency="0110"),
        record(adjacency="01x0001000010000"),
        record(operations="input,sep_conv,maxpool3x3,output"),
        record(metrics="????"),
        record(metrics=""),
        record(metrics="CgU="),
        record(module=["list"]),
    ],
)
def test_foreign_records_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.tfrecord"
    path.write_bytes(frame(training("m1", 108, 0)) + frame(data))
    with pytest.raises(NasError, match=r"data\.tfrecord: a record is no training") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_fourth_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.tfrecord"
    path.write_bytes(4 * frame(training("m0", 108, 0)))
    with pytest.raises(NasError, match="more than 3 trainings"):
        read(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.tfrecord").write_bytes(b"")
    with pytest.raises(NasError, match=r"data\.tfrecord"):
        read(tmp_path / "data.tfrecord")

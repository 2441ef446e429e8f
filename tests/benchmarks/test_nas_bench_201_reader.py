"""NAS-Bench-201's official files: which number ends up where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from official_files import (
    CELLS,
    LONG,
    PARTS,
    SHORT,
    accuracy,
    arch_results,
    nas_bench_201,
    save_torch,
)

from nas import registry
from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.nas_bench_201 import NASBench201Reader
from nas.benchmarks.table import Table, TableData, write_table
from nas.errors import NasError
from nas.progress import Silent

SPLITS = {"x-valid": "valid", "x-test": "test", "ori-test": "valtest", "train": "train"}


def read(path: Path) -> TableData:
    return NASBench201Reader().read(path, Silent())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("official") / "NAS-Bench-201-v1_1-096897.pth"
    return save_torch(path, nas_bench_201())


@pytest.fixture(scope="module")
def table(file: Path) -> TableData:
    return read(file)


def number(table: TableData, column: str, row: int, at: int = 0) -> float:
    values = table.arrays[column]
    return float(values[row] if values.ndim == 1 else values[row, at])


def split_of(dataset: str, part: str) -> str:
    """On CIFAR-10 the original test images are the test images; elsewhere they are halved."""
    return (
        "test"
        if dataset.startswith("cifar10") and dataset != "cifar100" and (part == "ori-test")
        else SPLITS[part]
    )


def test_architectures_are_the_files(table: TableData) -> None:
    space = registry.get("search_spaces", "nas-bench-201").factory()
    assert [space.format(a) for a in space.from_array(table.choices)] == list(CELLS)


@pytest.mark.parametrize("dataset", PARTS)
def test_accuracies_and_losses_after_200_epochs(table: TableData, dataset: str) -> None:
    for row in range(3):
        for at, seed in enumerate((777, 888, 999)):
            for part in ("train", *PARTS[dataset]):
                column = f"{dataset.lower()}/{split_of(dataset, part)}_%s@200"
                expected = accuracy(row, dataset, 200, seed, part) / 100
                if seed not in LONG[row][dataset]:
                    expected = np.nan
                for metric in ("accuracy", "loss"):
                    found = number(table, column % metric, row, at)
                    assert found == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("dataset", PARTS)
def test_accuracies_after_12_epochs(table: TableData, dataset: str) -> None:
    for row in range(3):
        for at, seed in enumerate(SHORT[dataset]):
            for part in ("train", *PARTS[dataset]):
                column = f"{dataset.lower()}/{split_of(dataset, part)}_accuracy@12"
                expected = accuracy(row, dataset, 12, seed, part) / 100
                assert number(table, column, row, at) == pytest.approx(expected, rel=1e-6)


def test_columns_say_their_seeds(table: TableData) -> None:
    columns = {column.name: column for column in table.columns}
    assert columns["cifar10-valid/valid_accuracy@12"].seeds == 2
    assert columns["cifar10-valid/valid_accuracy@12"].note.endswith("seeds 111, 777")
    assert columns["cifar100/test_accuracy@12"].note.endswith("seed 111")
    assert columns["cifar10/test_accuracy@200"].note.endswith("seeds 777, 888, 999")
    assert not columns["cifar10/test_loss@200"].maximise


def test_seconds_are_all_of_training_and_one_validation(table: TableData) -> None:
    assert number(table, "cifar10-valid/seconds@12", 0) == pytest.approx(12 * 2.5 + 0.5)
    assert number(table, "cifar100/seconds@200", 0) == pytest.approx(200 * 2.5 + 0.5)
    assert number(table, "cifar10/seconds@200", 0) == pytest.approx(200 * 2.5)  # no validation


def test_costs(table: TableData) -> None:
    assert number(table, "cifar10/params", 2) == pytest.approx(2_100_000)
    assert number(table, "imagenet16-120/flops", 1) == pytest.approx(11_500_000)
    assert number(table, "cifar100/latency", 0) == pytest.approx(20)  # milliseconds


def test_problems_are_those_of_the_authors(table: TableData) -> None:
    problems = {problem.name: problem for problem in table.problems}
    assert list(problems) == ["cifar10", "cifar100", "imagenet16-120"]
    assert problems["cifar10"].search == "cifar10-valid/valid_accuracy@12"
    assert problems["cifar10"].report == ("cifar10/test_accuracy@200",)
    assert problems["cifar10"].seconds == "cifar10-valid/seconds@12"
    assert problems["cifar100"].search == "cifar100/valid_accuracy@12"
    assert problems["imagenet16-120"].report == ("imagenet16-120/test_accuracy@200",)


def test_an_imported_table_answers(table: TableData, tmp_path: Path) -> None:
    write_table(table, tmp_path / "nas-bench-201.table")
    made = Table(tmp_path / "nas-bench-201.table")
    benchmark = Benchmark(made, made.problems["cifar10"])
    found = benchmark.measure(made.space.parse(CELLS[1]))
    seeds = [accuracy(1, "cifar10-valid", 12, seed, "x-valid") / 100 for seed in (111, 777)]
    assert found.metrics["accuracy"] == pytest.approx(np.mean(seeds), rel=1e-5)
    assert found.metrics["params"] == pytest.approx(1_100_000)
    assert found.seconds == pytest.approx(30.5)


def test_zip_files_give_the_same(table: TableData, tmp_path: Path) -> None:
    found = read(save_torch(tmp_path / "new.pth", nas_bench_201(), old=False))
    assert [c.name for c in found.columns] == [c.name for c in table.columns]
    for name, array in table.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def test_the_first_version_has_12_epochs_of_one_dataset_only(tmp_path: Path) -> None:
    data = nas_bench_201(short={"cifar10-valid": (777,)})
    found = read(save_torch(tmp_path / "NAS-Bench-201-v1_0-e61699.pth", data))
    names = {column.name for column in found.columns}
    assert "cifar10-valid/valid_accuracy@12" in names
    assert "cifar100/valid_accuracy@12" not in names
    assert [problem.name for problem in found.problems] == ["cifar10"]


def test_what_was_not_recorded_is_nan(tmp_path: Path) -> None:
    data = nas_bench_201()
    trial = data["arch2infos"][0]["full"]["all_results"]["cifar10-valid", 777]
    trial["train_times"], trial["latency"] = None, None
    del trial["eval_acc1es"]["ori-test@199"]
    found = read(save_torch(tmp_path / "data.pth", data))
    assert np.isnan(number(found, "cifar10-valid/seconds@200", 0))
    assert np.isnan(number(found, "cifar10-valid/test_accuracy@200", 0))
    assert not np.isnan(number(found, "cifar10-valid/valid_accuracy@200", 0))


def test_of_trainings_that_disagree_the_authors_trust_one(tmp_path: Path) -> None:
    data = nas_bench_201()
    trials = data["arch2infos"][0]["full"]["all_results"]
    for seed in (777, 999):
        trials["cifar10", seed]["params"] = 0.9
    for seed in (777, 888):
        del trials["cifar100", seed]
    trials["cifar100", 777] = dict(trials["cifar100", 999], params=0.9)
    found = read(save_torch(tmp_path / "data.pth", data))
    assert number(found, "cifar10/params", 0) == pytest.approx(100_000)
    assert number(found, "cifar100/params", 0) == pytest.approx(100_000)  # the 12 epochs'


def remove_infos(data: dict[str, Any]) -> None:
    del data["arch2infos"][2]


def no_curves(data: dict[str, Any]) -> None:
    del data["arch2infos"][1]["full"]["all_results"]["cifar10", 777]["eval_acc1es"]


def another_cell(data: dict[str, Any]) -> None:
    data["arch2infos"][1]["full"]["arch_str"] = CELLS[0]


def twice(data: dict[str, Any]) -> None:
    data["arch2infos"][1] = data["arch2infos"][0]


def no_list(data: dict[str, Any]) -> None:
    del data["meta_archs"]


def other_operation(data: dict[str, Any]) -> None:
    text = CELLS[1].replace("nor_conv_3x3", "sep_conv_3x3")
    data["arch2infos"][1] = {
        "full": arch_results(1, text, 200, LONG[1]), "less": arch_results(1, text, 12, SHORT)
    }  # fmt: skip


def swapped(data: dict[str, Any]) -> None:
    infos = data["arch2infos"][0]
    infos["full"], infos["less"] = infos["less"], infos["full"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove_infos, "results of 2 architectures, where 3 are listed"),
        (no_curves, "architecture 2 is not of the official form .*eval_acc1es"),
        (another_cell, "architecture 1 is not of the official form .*results of"),
        (twice, "2 architectures, where 3"),  # the pickle has it once
        (no_list, "meta_archs"),
        (other_operation, "sep_conv_3x3"),
        (swapped, "12 epochs where 200"),
    ],
)
def test_files_that_do_not_fit_are_refused(change: Any, reason: str, tmp_path: Path) -> None:
    data = nas_bench_201()
    change(data)
    with pytest.raises(NasError, match=rf"data\.pth: .*{reason}"):
        read(save_torch(tmp_path / "data.pth", data))

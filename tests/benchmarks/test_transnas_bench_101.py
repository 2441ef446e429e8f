"""TransNAS-Bench-101's official file, read as two tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from official_files import save_torch, transnas

from nas import registry
from nas.benchmarks.table import Table, TableData, write_table
from nas.benchmarks.transnas_bench_101 import TransNASMacroReader, TransNASMicroReader
from nas.errors import NasError
from nas.progress import Silent


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save_torch(tmp_path / "transnas-bench_v10141024.pth", transnas())


@pytest.fixture
def micro(file: Path) -> TableData:
    return TransNASMicroReader().read(file, Silent())


def test_both_readers_recognise_the_file(file: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed.pth"
    renamed.write_bytes(file.read_bytes())
    for path in (file, renamed):
        assert TransNASMicroReader().recognises(path)
        assert TransNASMacroReader().recognises(path)
    other = save_torch(tmp_path / "other.pth", {"weights": [1.0]})
    assert not TransNASMicroReader().recognises(other)


@pytest.mark.parametrize("reader", [TransNASMicroReader, TransNASMacroReader])
def test_architectures(file: Path, reader: Any, tmp_path: Path) -> None:
    found = reader().read(file, Silent())
    space = registry.get("search_spaces", found.space).factory()
    texts = [space.format(a) for a in space.from_array(found.choices)]
    assert texts == list(transnas()["data"][reader.kind])
    assert found.benchmark == found.space == f"transnas-{reader.kind}"
    write_table(found, tmp_path / "x.table")
    assert Table(tmp_path / "x.table").rows(found.choices).tolist() == list(range(len(texts)))


def test_columns_have_the_last_epoch(micro: TableData) -> None:
    np.testing.assert_allclose(micro.arrays["class_object/valid_top1@5"], [0.24, 0.25, 0.26])
    np.testing.assert_allclose(micro.arrays["class_object/test_top5@5"], [0.14, 0.15, 0.16])
    np.testing.assert_allclose(micro.arrays["class_object/train_loss@5"], [34, 35, 36])
    np.testing.assert_allclose(micro.arrays["segmentsemantic/test_mIoU@5"], [0.14, 0.15, 0.16])
    np.testing.assert_allclose(micro.arrays["normal/valid_ssim@5"], [24, 25, 26])  # no percentage


def test_the_best_epoch_is_by_validation(micro: TableData) -> None:
    np.testing.assert_allclose(micro.arrays["class_object/valid_best_top1@5"], [0.25, 0.26, 0.27])
    np.testing.assert_allclose(micro.arrays["class_object/test_best_top1@5"], [0.15, 0.16, 0.17])


def test_what_is_better(micro: TableData) -> None:
    maximise = {column.name: column.maximise for column in micro.columns}
    assert maximise["class_object/valid_top1@5"]
    assert maximise["room_layout/valid_neg_loss@5"]
    assert maximise["normal/test_ssim@5"]
    assert not maximise["room_layout/valid_loss@5"]
    assert not maximise["normal/valid_l1_loss@5"]
    assert not maximise["class_object/params"]
    assert not maximise["class_object/seconds@5"]


def test_problems(micro: TableData) -> None:
    problems = {problem.name: problem for problem in micro.problems}
    assert {name: problem.search for name, problem in problems.items()} == {
        "class_object": "class_object/valid_top1@5",
        "room_layout": "room_layout/valid_neg_loss@5",
        "segmentsemantic": "segmentsemantic/valid_mIoU@5",
        "normal": "normal/valid_ssim@5",
    }
    assert problems["normal"].report == ("normal/test_ssim@5",)
    assert problems["normal"].seconds == "normal/seconds@5"
    assert problems["normal"].costs == ("normal/params", "normal/flops", "normal/latency")
    np.testing.assert_allclose(micro.arrays["normal/seconds@5"], 500)
    np.testing.assert_allclose(micro.arrays["normal/params"], [11, 12, 13])


def test_other_names_and_times_of_an_epoch(tmp_path: Path) -> None:
    data = transnas()
    data["metrics_dict"]["normal"] = ["val_ssim", "test_ssim"]
    for results in data["data"]["micro"].values():
        curves = results["normal"]["metrics"]
        curves["val_ssim"] = curves.pop("valid_ssim")
        curves["time_elapsed"] = [9.0, 1.0, 1.0, 1.0, 1.0]
    found = TransNASMicroReader().read(save_torch(tmp_path / "transnas.pth", data), Silent())
    np.testing.assert_allclose(found.arrays["normal/valid_ssim@5"], [24, 25, 26])
    np.testing.assert_allclose(found.arrays["normal/valid_best_ssim@5"], [25, 26, 27])
    np.testing.assert_allclose(found.arrays["normal/seconds@5"], 13)


def test_a_training_that_was_cut_off_has_no_numbers(tmp_path: Path) -> None:
    data = transnas()
    cut = data["data"]["micro"]["64-41414-0_00_000"]["class_object"]
    cut["metrics"] = {name: curve[:3] for name, curve in cut["metrics"].items()}
    cut["total_epochs"] = 3
    found = TransNASMicroReader().read(save_torch(tmp_path / "transnas.pth", data), Silent())
    for name in ("valid_top1@5", "valid_best_top1@5", "seconds@5"):
        assert np.isnan(found.arrays[f"class_object/{name}"]).tolist() == [False, True, False]


@pytest.mark.parametrize("missing", ["data", "metrics_dict"])
def test_foreign_files_are_refused(missing: str, tmp_path: Path) -> None:
    data = transnas()
    del data[missing]
    with pytest.raises(NasError, match=r"transnas\.pth: not a whole file of TransNAS"):
        TransNASMicroReader().read(save_torch(tmp_path / "transnas.pth", data), Silent())


def test_foreign_architectures_are_refused(tmp_path: Path) -> None:
    data = transnas()
    data["data"]["micro"]["64-41414-9_99_999"] = data["data"]["micro"].pop("64-41414-0_00_000")
    with pytest.raises(NasError, match=r"transnas\.pth: .*64-41414-9_99_999"):
        TransNASMicroReader().read(save_torch(tmp_path / "transnas.pth", data), Silent())

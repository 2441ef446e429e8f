"""NAS-Bench-201 as a published landscape: the archive, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.nas_bench_201_landscape import LandscapeReader
from nas.benchmarks.table import Table, TableData, write_table
from nas.errors import NasError
from nas.progress import Silent

READER = LandscapeReader()
PUBLISHED = Path(__file__).parents[2] / "../shared/data/nasbench201_cifar10.npz"
BEST = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
)
VALID, TEST = "cifar10-valid/valid_accuracy@12", "cifar10/test_accuracy@200"


def read(path: Path) -> TableData:
    return READER.read(path, Silent())


def write(folder: Path, **changes: Any) -> Path:
    arrays: dict[str, Any] = {
        "arch_str": [BEST, BEST.replace("skip_connect", "none")],
        "val_acc_12": np.array([80.0, 70]),
        "test_acc_200": np.array([94, 93.5]),
        "flops_M": np.array([1.5, 2]),
        "params_M": np.array([0.5, 1]),
        "latency_ms_fpga": np.array([3, 4]),
        "iso_class": np.array([0, 1]),
    }
    arrays |= changes
    np.savez(folder / "x.npz", **{k: v for k, v in arrays.items() if v is not None})
    return folder / "x.npz"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Table:
    if not PUBLISHED.is_file():
        pytest.skip(f"no {PUBLISHED.name} beside the repository")
    path = tmp_path_factory.mktemp("tables") / "nas-bench-201.table"
    write_table(read(PUBLISHED), path)
    return Table(path)


def test_the_published_archive(published: Table) -> None:
    assert READER.recognises(PUBLISHED)
    assert (published.benchmark, len(published)) == ("nas-bench-201", 15_625)
    tests = published.values(TEST)
    assert tests.max() == pytest.approx(0.943733, abs=1e-6)
    assert published.space.format(published.architecture(int(tests.argmax()))) == BEST
    found = Benchmark(published, published.problems["cifar10"])
    assert found.optimum == pytest.approx(0.84892, abs=1e-6)
    assert found.describe() == [
        "searched on: valid accuracy on cifar10-valid, 12 epochs",
        "reported: test accuracy on cifar10, 200 epochs (mean of the seeds)",
    ]


def test_costs_of_the_published_archive(published: Table) -> None:
    found = Benchmark(published, published.problems["cifar10"])
    metrics = found.measure(published.architecture(0)).metrics
    assert metrics["params"] == 129_306
    assert metrics["flops"] == pytest.approx(17_958_592)
    assert metrics["latency_1080ti_batch32"] == pytest.approx(7.6584816)
    assert {"latency_raspi4", "latency_pixel3"} < metrics.keys()
    assert published.columns["latency_pixel3"].unit == "ms"
    assert not published.columns["latency_pixel3"].maximise


def test_equal_cells_keep_their_own_numbers(published: Table) -> None:
    assert published.rows(published.choices.astype(np.int64)).tolist() == list(range(15_625))


def test_a_part_of_the_cells(tmp_path: Path) -> None:
    data = read(write(tmp_path, latency_ms_fpga=None))
    assert data.arrays[VALID] == pytest.approx([0.8, 0.7])
    assert data.arrays["params"].tolist() == [500_000, 1_000_000]
    assert data.problems[0].costs == ("params", "flops")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_acc_12": None}, "has no array 'val_acc_12'"),
        ({"test_acc_200": np.array([94.0])}, "'test_acc_200' is float64 [1]; expected 2 numbers"),
        ({"params_M": ["a", "b"]}, "'params_M' is <U1 [2]; expected 2 numbers"),
        ({"val_acc_12": np.array([80, 101])}, "val_acc_12[1] is 101; expected a percentage"),
        ({"val_acc_12": np.array([np.nan] * 2)}, f"column '{VALID}' has no number at all"),
        ({"flops_M": np.array([1, np.inf])}, "arch_str[1]: 'flops' is infinite"),
        ({"arch_str": [BEST, BEST]}, "is there twice, also arch_str[0]"),
        ({"arch_str": [BEST, "|none~0|"]}, "arch_str[1]: '|none~0|' has 1 nodes"),
        ({"arch_str": np.array([1, 2])}, "'arch_str' is int64 [2]; expected a list of texts"),
        ({"arch_str": np.array([BEST, {}], object)}, "Object arrays cannot be loaded"),
    ],
)
def test_refusals_name_the_file(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(NasError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(str(path)) and message in text and "\n" not in text


def test_truncated(tmp_path: Path) -> None:
    whole, path = write(tmp_path).read_bytes(), tmp_path / "cut.npz"
    for length in range(60, len(whole), 61):
        path.write_bytes(whole[:length])
        assert READER.recognises(path)
        with pytest.raises(NasError, match=r"cut\.npz: not a whole table of NAS-Bench-201"):
            read(path)


def test_what_is_not_one(tmp_path: Path) -> None:
    assert not READER.recognises(write(tmp_path, arch_str=None))
    assert not READER.recognises(tmp_path)
    with pytest.raises(NasError, match="is read from a file"):
        READER.read(None, Silent())

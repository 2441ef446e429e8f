"""NAS-Bench-Macro as a table: the official file, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.nas_bench_macro import NASBenchMacroReader
from nas.benchmarks.table import Table, TableData, write_table
from nas.errors import NasError
from nas.progress import Silent

READER = NASBenchMacroReader()
OFFICIAL = Path(__file__).parents[2] / "../shared/data/nas-bench-macro_cifar10.json"
ENTRY = {"test_acc": [90.0, 91.0, 92.0], "mean_acc": 91.0, "params": 10, "flops": 20}
TEXT = json.dumps({"22212220": ENTRY, "00000000": ENTRY})


def read(path: Path) -> TableData:
    return READER.read(path, Silent())


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Table:
    if not OFFICIAL.is_file():
        pytest.skip(f"no {OFFICIAL.name} beside the repository")
    path = tmp_path_factory.mktemp("tables") / "nas-bench-macro.table"
    write_table(read(OFFICIAL), path)
    return Table(path)


def test_the_official_file(official: Table) -> None:
    assert READER.recognises(OFFICIAL)
    assert len(official) == 6_561
    found = Benchmark(official, official.problems["cifar10"])
    best = int(found.values("accuracy").argmax())
    assert official.space.format(official.architecture(best)) == "22212220"
    assert found.optimum == pytest.approx(0.931267, abs=1e-6)
    assert found.describe()[0] == (
        "searched on: test accuracy on cifar10, 50 epochs, mean of 3 seeds "
        "(best epoch on the test images; the benchmark has no validation split)"
    )


def test_costs_and_seeds(official: Table) -> None:
    a = official.space.parse("02012100")
    metrics = Benchmark(official, official.problems["cifar10"], seed=1).measure(a).metrics
    assert metrics["accuracy"] == pytest.approx(0.8895, abs=1e-6)
    assert metrics["test_accuracy"] == pytest.approx(0.8919666, abs=1e-6)
    assert (metrics["params"], metrics["flops"]) == (890_666, 47_327_744)


def test_a_part_of_the_architectures(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(TEXT)
    assert READER.recognises(path)
    data = read(path)
    assert data.choices.tolist() == [[2, 2, 2, 1, 2, 2, 2, 0], [0] * 8]
    assert np.allclose(data.arrays["cifar10/test_accuracy@50"], [[0.9, 0.91, 0.92]] * 2)


@pytest.mark.parametrize("content", ["{}", "[]", '{"2221222": {}}', '{"22212220": 1}', "", "\x80"])
def test_foreign_files_are_not_recognised(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    assert not READER.recognises(tmp_path / "x.json")
    assert not READER.recognises(tmp_path / "none.json")
    assert not READER.recognises(tmp_path)


def changed(**values: Any) -> str:
    return json.dumps({"22212220": ENTRY, "11111111": {**ENTRY, **values}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "expected architectures"),
        ("[]", "expected architectures"),
        ("[" * 100_000, "not a whole table of NAS-Bench-Macro"),
        ('{"22212220": {}}', "entry '22212220' is not of the form"),
        ('{"22212223": ' + json.dumps(ENTRY) + "}", "entry '22212223': layer 8 of"),
        (TEXT.replace("00000000", "22212220"), "'22212220' is there twice"),
        (changed(test_acc=[90, 91]), "entry '11111111' is not of the form"),
        (changed(test_acc=[90, 91, 101]), "entry '11111111' is not of the form"),
        (changed(test_acc=[90, 91, float("nan")]), "entry '11111111' is not of the form"),
        (changed(test_acc="abc"), "entry '11111111' is not of the form"),
        (changed(params=None), "entry '11111111' is not of the form"),
        (changed(flops=float("inf")), "entry '11111111': 'flops' is infinite"),
    ],
)
def test_refusals_name_the_file(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(NasError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(str(path)) and message in text and "\n" not in text


def test_truncated_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    for length in range(len(TEXT)):
        path.write_text(TEXT[:length])
        with pytest.raises(NasError, match=r"cut\.json: not a whole table of NAS-Bench-Macro"):
            read(path)


def test_it_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="is read from a file"):
        READER.read(None, Silent())
    with pytest.raises(NasError, match=r"none\.json: there is no such file"):
        read(tmp_path / "none.json")

"""NAS-Bench-Graph as a table: published optima, agreement with the package, refusals."""

from __future__ import annotations

import os
import pickle
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.benchmarks import nas_bench_graph
from nas.benchmarks.benchmark import Benchmark
from nas.benchmarks.home import open_benchmark
from nas.benchmarks.nas_bench_graph import DATASETS, NASBenchGraphReader
from nas.benchmarks.table import Table
from nas.errors import NasError
from nas.progress import Silent

READER = NASBenchGraphReader()
ENTRY = {"valid_perf": 0.5, "perf": 0.25, "latency": 0.001, "para": np.float64(0.5)}


def write(folder: Path, content: Any, name: str = "cora") -> Path:
    (folder / f"{name}.bench").write_bytes(
        content if isinstance(content, bytes) else pickle.dumps(content, protocol=3)
    )
    return folder


def read(folder: Path) -> Any:
    return READER.read(folder, Silent())


# -- the built-in table -----------------------------------------------------------------------


def test_datasets(graph_table: Table) -> None:
    assert list(graph_table.problems) == list(DATASETS)
    assert len(graph_table) == 26_206
    there = np.isfinite(graph_table.column("proteins/valid_rocauc@500"))
    assert there.sum() == 2_021
    assert graph_table.path.stat().st_size < 8e6


@pytest.mark.parametrize(("dataset", "optimum"), [("cora", 0.8193), ("arxiv", 0.7367)])
def test_published_optima(graph_table: Table, dataset: str, optimum: float) -> None:
    assert Benchmark(graph_table, graph_table.problems[dataset]).optimum == pytest.approx(
        optimum, abs=5e-5
    )


def test_every_architecture_is_there(graph_table: Table) -> None:
    rows = graph_table.rows(graph_table.space.sample_choices(np.random.default_rng(0), 20_000))
    assert rows.min() >= 0
    assert len(np.unique(graph_table.space.keys(graph_table.choices))) == 26_206


def test_numbers_are_those_of_the_package(graph_table: Table) -> None:
    package: Any = pytest.importorskip("nas_bench_graph")
    space: Any = graph_table.space
    for dataset in ("citeseer", "proteins"):
        entries = package.light_read(dataset)
        found = Benchmark(graph_table, graph_table.problems[dataset])
        for a in space.sample(np.random.default_rng(1), 300):
            key = package.Arch(list(space.links(a)), space.operations(a)).valid_hash()
            measurement = found.measure(a)
            assert measurement.ok == (key in entries)
            if measurement.ok:
                metrics, entry = measurement.metrics, entries[key]
                assert metrics[found.metric] == pytest.approx(entry["valid_perf"])
                assert metrics[f"test_{found.metric}"] == pytest.approx(entry["perf"])
                assert metrics["latency"] == pytest.approx(1000 * entry["latency"])
                assert metrics["params"] == pytest.approx(1e6 * entry["para"])
                passes = 4 * DATASETS[dataset]
                assert measurement.seconds == pytest.approx(passes * entry["latency"])


def test_it_says_what_the_numbers_are(graph_table: Table) -> None:
    lines = Benchmark(graph_table, graph_table.problems["proteins"]).describe()
    assert lines[0] == "searched on: valid rocauc on proteins, 500 epochs (mean of 3 trainings)"
    assert "test rocauc on proteins" in lines[1]
    assert "estimated" in graph_table.columns["cora/train_seconds@400"].note


def test_the_package_is_found_and_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "light").mkdir()
    spec = ModuleSpec("nas_bench_graph", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(nas_bench_graph, "find_spec", lambda name: spec)
    monkeypatch.delitem(sys.modules, "nas_bench_graph", raising=False)
    write(tmp_path / "light", {0: ENTRY})
    assert len(READER.read(None, Silent()).choices) == 1
    assert "nas_bench_graph" not in sys.modules
    monkeypatch.setattr(nas_bench_graph, "find_spec", lambda name: None)
    with pytest.raises(NasError, match="pip install nas-bench-graph"):
        READER.read(None, Silent())


# -- files ------------------------------------------------------------------------------------


def test_a_folder_of_some_datasets(tmp_path: Path) -> None:
    assert not READER.recognises(tmp_path)
    write(tmp_path, {86543: ENTRY, 1: ENTRY})
    write(tmp_path, {1: ENTRY}, "cs")
    assert READER.recognises(tmp_path)
    data = read(tmp_path)
    assert [problem.name for problem in data.problems] == ["cora", "cs"]
    assert data.choices.tolist() == [[0, 0, 0, 0, 0, 0, 1], [6, 1, 5, 2, 4, 3, 3]]
    assert np.isnan(data.arrays["cs/valid_accuracy@400"]).tolist() == [False, True]
    assert data.arrays["cora/params"].tolist() == [500_000, 500_000]
    assert data.source.endswith("Qin et al., NAS-Bench-Graph (Apache-2.0)")


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "done"
    write(tmp_path, {0: ENTRY | {"perf": Malicious(target)}})
    with pytest.raises(NasError, match=r"cora\.bench: it asks for 'posix\.system'"):
        read(tmp_path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is truncated"),
        (b"PK\x03\x04", "it is no pickle of data"),
        ([1, 2], "expected a table of architectures"),
        ({}, "expected a table of architectures"),
        ({"0": ENTRY}, "'0' is not the number of an architecture"),
        ({90_000: ENTRY}, "90000 is not the number of an architecture"),
        ({-1: ENTRY}, "-1 is not the number of an architecture"),
        ({1 << 70: ENTRY}, "is not the number of an architecture"),
        ({900: ENTRY}, "900 is not the number of an architecture"),
        ({58888: ENTRY}, "58888 is not the number of an architecture"),
        ({7: {"perf": 1.0}}, "entry 7 does not have valid_perf, perf, latency, para"),
        ({7: [1.0]}, "entry 7 does not have valid_perf"),
        ({7: ENTRY | {"perf": []}}, "not a whole table of NAS-Bench-Graph"),
        ({7: ENTRY | {"perf": float("inf")}}, "entry 7: 'perf' is infinite"),
        ({7: ENTRY | {"perf": float("nan")}}, "column 'perf' has no number at all"),
        ({7: ENTRY | {"para": np.zeros(2)}}, "not a whole table of NAS-Bench-Graph"),
    ],
)
def test_refusals_name_the_file(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(NasError) as error:
        read(write(tmp_path, content))
    text = str(error.value)
    assert str(tmp_path / "cora.bench") in text and message in text and "\n" not in text


def test_truncated_anywhere(tmp_path: Path) -> None:
    whole = pickle.dumps({1: ENTRY, 2: ENTRY}, protocol=3)
    for length in range(len(whole)):
        with pytest.raises(NasError, match=r"cora\.bench"):
            read(write(tmp_path, whole[:length]))


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"has none of cora\.bench"):
        read(tmp_path)


def test_it_is_opened_by_name(graph_table: Table, home: Path) -> None:
    home.mkdir()
    (home / "nas-bench-graph.table").symlink_to(graph_table.path)
    found = open_benchmark("nas-bench-graph:citeseer")
    assert (found.name, found.space.name) == ("nas-bench-graph:citeseer", "nas-bench-graph")
    assert open_benchmark("nas-bench-graph").name == "nas-bench-graph:cora"

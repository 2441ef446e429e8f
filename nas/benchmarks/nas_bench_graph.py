"""NAS-Bench-Graph: nine node-classification datasets; the package `nas-bench-graph` has them.

Source: Qin et al., NAS-Bench-Graph, NeurIPS 2022, arXiv:2206.09166; its code,
THUMNLab/NAS-Bench-Graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks.checks import naming, require_numbers
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.benchmarks.unpickling import DATA, load_pickle
from nas.errors import NasError
from nas.progress import Progress
from nas.space import Choices

__all__ = ["DATASETS", "NASBenchGraphReader"]

DATASETS = {
    "cora": 400, "citeseer": 400, "pubmed": 500, "cs": 400, "physics": 200, "photo": 500,
    "computers": 500, "arxiv": 500, "proteins": 500,
}  # fmt: skip
"""Dataset -> epochs of training (paper, table of hyper-parameters)."""
_FIELDS = ("valid_perf", "perf", "latency", "para")
_LINKS = (
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3), (0, 1, 1, 1),
    (0, 1, 1, 2), (0, 1, 2, 2), (0, 1, 2, 3),
)  # fmt: skip
"""The inputs of the nodes by the first digit of an entry's number; the other four are operations,
in the order of the space."""
_PASSES = 4
"""What an epoch takes, in passes: forward and about twice that backward, then an evaluation."""


@registry.register(
    "benchmarks",
    "nas-bench-graph",
    "26,206 graph networks on nine datasets; built in",
    "Qin et al., NAS-Bench-Graph, NeurIPS 2022, arXiv:2206.09166",
)
class NASBenchGraphReader(Reader):
    """Reads the light version: after training, the mean of three seeds.

    `valid_perf` and `perf` are the validation and the test performance (the latter at the epoch of
    the lowest validation loss), `latency` the seconds of one pass over the whole graph, and `para`
    millions of parameters. Performance is the accuracy, on proteins the area under the ROC curve.
    The light version has no times of training; `train_seconds` estimates them from the latency.
    """

    files = "built in; or the folder 'light' of the package nas-bench-graph, with cora.bench ..."
    built_in = True

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and any((path / f"{name}.bench").is_file() for name in DATASETS)

    def read(self, path: Path | None, progress: Progress) -> TableData:
        folder = path or _installed()
        found = [name for name in DATASETS if (folder / f"{name}.bench").is_file()]
        if not found:
            raise NasError(f"{folder} has none of {', '.join(f'{n}.bench' for n in DATASETS)}")
        entries: dict[str, dict[int, list[float]]] = {}
        with progress.bar("reading nas-bench-graph", len(found)) as bar:
            for name in found:
                entries[name] = _read(folder / f"{name}.bench")
                bar.advance()
        return _table(entries, f"{folder.parent.name}/{folder.name}")


def _installed() -> Path:
    """Return the folder of the package's tables, without running any of its code."""
    spec = find_spec("nas_bench_graph")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "light").is_dir():
            return Path(place) / "light"
    raise NasError(
        "benchmark 'nas-bench-graph' needs the package of this name; pip install nas-bench-graph"
    )


def _table(entries: Mapping[str, Mapping[int, list[float]]], source: str) -> TableData:
    numbers = sorted({number for table in entries.values() for number in table})
    rows = {number: row for row, number in enumerate(numbers)}
    columns: list[Column] = []
    arrays: dict[str, NDArray[Any]] = {}
    for name, table in entries.items():
        values = np.full((len(numbers), len(_FIELDS)), np.nan)
        values[[rows[number] for number in table]] = list(table.values())
        valid, test, latency, params = values.T
        seconds = latency * _PASSES * DATASETS[name]
        made = _columns(name)
        columns += made
        figures = (valid, test, latency * 1e3, np.round(params * 1e6), seconds)
        arrays |= {column.name: array for column, array in zip(made, figures, strict=True)}
    return TableData(
        "nas-bench-graph",
        "nas-bench-graph",
        _choices(np.array(numbers)),
        columns,
        arrays,
        [_problem(name) for name in entries],
        f"{source}: Qin et al., NAS-Bench-Graph (Apache-2.0)",
    )


def _columns(dataset: str) -> list[Column]:
    """Describe the fields of a dataset, and the time estimated of them."""
    epochs = DATASETS[dataset]
    metric = "rocauc" if dataset == "proteins" else "accuracy"
    mean = "mean of 3 trainings"
    return [
        Column(metric, dataset, "valid", epochs, unit="share", note=mean),
        Column(
            metric, dataset, "test", epochs, unit="share",
            note=f"at the lowest validation loss, {mean}",
        ),
        Column("latency", dataset, unit="ms", maximise=False, note="one pass over the graph"),
        Column("params", dataset, maximise=False),
        Column(
            "seconds", dataset, "train", epochs, unit="s", maximise=False,
            note=f"estimated: latency x {_PASSES} passes an epoch x {epochs} epochs",
        ),
    ]  # fmt: skip


def _problem(dataset: str) -> Problem:
    valid, test, latency, params, seconds = (column.name for column in _columns(dataset))
    return Problem(dataset, valid, (test,), seconds, (params, latency))


def _choices(numbers: NDArray[np.int64]) -> Choices:
    """Turn entries' numbers into architectures, [n, 7]."""
    digits = numbers[:, None] // 10 ** np.arange(4, -1, -1) % 10
    pairs = np.stack([np.array(_LINKS)[digits[:, 0]], digits[:, 1:]], axis=2)
    choices: Choices = pairs.reshape(len(numbers), -1)[:, 1:]  # the first input is no choice
    return choices


# -- files ------------------------------------------------------------------------------------


def _read(file: Path) -> dict[int, list[float]]:
    """Return the numbers of every entry, in the order of `_FIELDS`."""
    data = load_pickle(file.read_bytes(), DATA, str(file))
    with naming(file, "table of NAS-Bench-Graph"):
        rows = dict(_rows(data))
        values, numbers = np.array(list(rows.values())), list(rows)
        arrays = dict(zip(_FIELDS, values.T, strict=True))
        require_numbers(arrays, lambda row: f"entry {numbers[row]}")
        return rows


def _rows(data: Any) -> Iterator[tuple[int, list[float]]]:
    if not isinstance(data, dict) or not data:
        raise NasError("expected a table of architectures (the light version)")
    for number, entry in data.items():
        if type(number) is not int or not _is_architecture(number):
            raise NasError(f"{number!r:.20} is not the number of an architecture")
        if not isinstance(entry, dict) or not entry.keys() >= {*_FIELDS}:
            raise NasError(f"entry {number} does not have {', '.join(_FIELDS)}")
        yield number, [float(entry[field]) for field in _FIELDS]


def _is_architecture(number: int) -> bool:
    links, operations = divmod(number, 10_000)
    return 0 <= links < len(_LINKS) and "9" not in str(operations) and operations != 8888

"""TransNAS-Bench-101: cells and skeletons on seven tasks of Taskonomy; one `.pth` file for both.

Source: Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871; github
yawen-d/TransNASBench.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks.checks import naming, parse_architectures
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.benchmarks.torch_files import is_torch_file, load_torch
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["TransNASMacroReader", "TransNASMicroReader"]

_PAPER = "Duan et al., TransNAS-Bench-101, CVPR 2021, arXiv:2105.11871"
_FILES = "transnas-bench_v10141024.pth, see github.com/yawen-d/TransNASBench"
_HEADLINES = {
    "class_scene": "top1", "class_object": "top1", "room_layout": "neg_loss", "jigsaw": "top1",
    "segmentsemantic": "mIoU", "normal": "ssim", "autoencoder": "ssim",
}  # fmt: skip
"""Task -> what the paper compares networks by; of all of them more is better."""
_PERCENT = ("top1", "top5", "acc", "mIoU")
_SPLITS = {"train": "train", "valid": "valid", "val": "valid", "test": "test"}
_COSTS = {"params": "model_params", "flops": "model_FLOPs", "encoder_params": "encoder_params",
          "encoder_flops": "encoder_FLOPs", "latency": "inference_time"}  # fmt: skip


class _TransNASReader(Reader):
    """Reads one of the two spaces of `transnas-bench_v10141024.pth`.

    The file holds curves over the epochs, of one training a task (seed 666). A column has the last
    epoch; `best_...` has the best epoch by the validation images, and of the test images what
    that same epoch has.
    """

    files = _FILES
    kind: ClassVar[str]

    def recognises(self, path: Path) -> bool:
        named = "transnas" in path.name.lower()
        marks = (b"",) if named else (b"metrics_dict", b"class_scene", b"-basic")
        return path.suffix == ".pth" and is_torch_file(path, *marks)

    def read(self, path: Path | None, progress: Progress) -> TableData:
        name = f"transnas-{self.kind}"
        if path is None:
            raise NasError(f"{name} is read from a file: {self.files}")
        progress.note(f"loading {path.name}")
        found = load_torch(path)
        with naming(path, "file of TransNAS-Bench-101"):
            results, metrics = found["data"][self.kind], found["metrics_dict"]
            data = _table(name, results, metrics, progress)
        data.source = f"{path.name}: {_PAPER} (MIT)"
        return data


@registry.register(
    "benchmarks", "transnas-micro", "4,096 cells trained on seven vision tasks", _PAPER
)
class TransNASMicroReader(_TransNASReader):
    """The cells: six edges, each none, skip, 1x1 or 3x3 convolution."""

    kind = "micro"


@registry.register(
    "benchmarks", "transnas-macro", "3,256 skeletons trained on seven vision tasks", _PAPER
)
class TransNASMacroReader(_TransNASReader):
    """The skeletons: four to six modules that widen or shrink, of basic residual blocks."""

    kind = "macro"


def _table(
    name: str, results: Mapping[str, Any], metrics: Mapping[str, Any], progress: Progress
) -> TableData:
    texts = list(results)
    choices = parse_architectures(name, texts, lambda row: f"architecture {row}")
    columns: list[Column] = []
    arrays: dict[str, NDArray[Any]] = {}
    problems = []
    with progress.bar(f"reading {name}", len(_HEADLINES)) as bar:
        for task in (task for task in _HEADLINES if task in metrics):
            found = _task([result[task] for result in results.values()], task, metrics[task])
            columns += found
            arrays |= {column.name: values for column, values in found.items()}
            problems.append(_problem(task, list(found)))
            bar.advance()
    return TableData(name, name, choices, columns, arrays, problems)


def _task(results: list[Any], task: str, metrics: list[str]) -> dict[Column, NDArray[np.float64]]:
    """Return the columns of one task, with their numbers [n]."""
    # the number of epochs is the task's; a training that was cut off has none of its numbers
    epochs = Counter(int(result["total_epochs"]) for result in results).most_common(1)[0][0]
    curves = [result["metrics"] for result in results]
    found: dict[Column, NDArray[np.float64]] = {}
    for metric in metrics:
        split, _, short = metric.partition("_")
        if split in _SPLITS:
            last = np.array([_last(curve[metric], epochs) for curve in curves])
            found |= {_metric(task, _SPLITS[split], short, epochs): _scaled(last, short)}
    found |= _best(curves, task, epochs)
    seconds = np.array([_elapsed(curve.get("time_elapsed"), epochs) for curve in curves])
    if not np.isnan(seconds).all():
        note = "all epochs of training"
        found[Column("seconds", task, "", epochs, 1, "s", False, note)] = seconds
    for name, field in _COSTS.items():
        values = [_number(result.get("model_info", {}).get(field)) for result in results]
        note = f"{field} of the file"
        found[Column(name, task, unit="s" * (name == "latency"), maximise=False, note=note)] = (
            np.array(values)
        )
    return found


def _best(curves: list[Any], task: str, epochs: int) -> dict[Column, NDArray[np.float64]]:
    """Return the task's headline at the best epoch by the validation images."""
    short = _HEADLINES[task]
    valid = next((n for n in (f"valid_{short}", f"val_{short}") if n in curves[0]), None)
    if valid is None:
        return {}
    found = {}
    for split, name in (("valid", valid), ("test", f"test_{short}")):
        values = [_at_best(curve[valid], curve[name], epochs) for curve in curves]
        note = "at the best epoch by the validation images"
        found[_metric(task, split, f"best_{short}", epochs, note)] = _scaled(
            np.array(values), short
        )
    return found


def _metric(task: str, split: str, short: str, epochs: int, note: str = "last epoch") -> Column:
    loss = "loss" in short and "neg_loss" not in short
    unit = "share" if short.removeprefix("best_") in _PERCENT else ""
    return Column(short, task, split, epochs, 1, unit, not loss, note)


def _scaled(values: NDArray[np.float64], short: str) -> NDArray[np.float64]:
    """Turn percentages into shares."""
    return values / 100 if short in _PERCENT else values


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _last(curve: Any, epochs: int) -> float:
    return _number(curve[-1]) if len(curve) == epochs else float("nan")


def _at_best(valid: Any, wanted: Any, epochs: int) -> float:
    if len(valid) != epochs or len(wanted) != epochs:
        return float("nan")
    return _number(wanted[max(range(epochs), key=lambda epoch: _number(valid[epoch]))])


def _elapsed(curve: Any, epochs: int) -> float:
    """Return the seconds of a training: the last number where they only grow, else their sum."""
    times = [_number(value) for value in curve or ()]
    if len(times) != epochs:
        return float("nan")
    grows = all(a <= b for a, b in pairwise(times))
    return times[-1] if grows else sum(times)


def _problem(task: str, columns: list[Column]) -> Problem:
    names = {column.name for column in columns}
    headline = [c for c in columns if c.metric == _HEADLINES[task]]
    search, report = (next(c.name for c in headline if c.split == s) for s in ("valid", "test"))
    seconds = next((c.name for c in columns if c.metric == "seconds"), "")
    costs = tuple(n for n in (f"{task}/{c}" for c in ("params", "flops", "latency")) if n in names)
    return Problem(task, search, (report,), seconds, costs)

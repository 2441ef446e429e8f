"""NAS-Bench-Macro: the official JSON file.

Source: Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021,
arXiv:2103.11922; its code, xiusu/NAS-Bench-Macro.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas import registry
from nas.benchmarks.checks import naming, parse_architectures, require_numbers
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["NASBenchMacroReader"]

_BEGINNING = re.compile(rb'\s*\{\s*"[012]{8}"\s*:\s*\{')
_EPOCHS, _SEEDS = 50, 3
_ACCURACY = Column(
    "accuracy", "cifar10", "test", _EPOCHS, _SEEDS, "share",
    note="best epoch on the test images; the benchmark has no validation split",
)  # fmt: skip
_PARAMS = Column("params", maximise=False)
_FLOPS = Column("flops", maximise=False, note="multiply-adds of one 32x32 image")


@registry.register(
    "benchmarks",
    "nas-bench-macro",
    "6,561 networks of MobileNetV2 blocks on CIFAR-10, three trainings each",
    "Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021, "
    "arXiv:2103.11922",
)
class NASBenchMacroReader(Reader):
    """Three test accuracies of every network; of trainings on all 50,000 images.

    The authors trained one network a class of equal ones and gave its numbers to all of the class.
    """

    files = "nas-bench-macro_cifar10.json, from github.com/xiusu/NAS-Bench-Macro"

    def recognises(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with open(path, "rb") as stream:
            return bool(_BEGINNING.match(stream.read(200)))

    def read(self, path: Path | None, progress: Progress) -> TableData:
        if path is None:
            raise NasError(f"benchmark 'nas-bench-macro' is read from a file: {self.files}")
        with naming(path, "table of NAS-Bench-Macro"):
            return _table(path)


def _table(path: Path) -> TableData:
    with open(path, encoding="utf-8") as stream:
        entries = json.load(stream, object_pairs_hook=_once)
    if not isinstance(entries, dict) or not entries:
        raise NasError("expected architectures with their numbers")
    texts = list(entries)
    rows = [_numbers(text, entries[text]) for text in texts]
    values = np.array(rows, dtype=np.float64)
    arrays = {
        _ACCURACY.name: values[:, :_SEEDS] / 100,
        _PARAMS.name: values[:, _SEEDS],
        _FLOPS.name: values[:, _SEEDS + 1],
    }

    def where(row: int) -> str:
        return f"entry '{texts[row]:.20}'"

    choices = parse_architectures("nas-bench-macro", texts, where)
    require_numbers(arrays, where)
    name = _ACCURACY.name
    costs = (_PARAMS.name, _FLOPS.name)
    return TableData(
        "nas-bench-macro",
        "nas-bench-macro",
        choices,
        [_ACCURACY, _PARAMS, _FLOPS],
        arrays,
        [Problem("cifar10", search=name, report=(name,), costs=costs)],
        f"{path.name}: Su et al., NAS-Bench-Macro (Apache-2.0)",
    )


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object; a name that is there twice is refused."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise NasError(f"'{name:.20}' is there twice")
        made[name] = value
    return made


def _numbers(text: str, entry: Any) -> list[float]:
    """Return the accuracies in percent, the parameters and the FLOPs of an entry."""
    try:
        accuracies = [float(accuracy) for accuracy in entry["test_acc"]]
        if len(accuracies) != _SEEDS or not all(0 <= accuracy <= 100 for accuracy in accuracies):
            raise ValueError
        return [*accuracies, float(entry["params"]), float(entry["flops"])]
    except (KeyError, TypeError, ValueError):
        raise NasError(
            f"entry '{text:.20}' is not of the form {{test_acc: [{_SEEDS} percentages], params: "
            "number, flops: number}"
        ) from None

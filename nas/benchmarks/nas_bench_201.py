"""NAS-Bench-201: all 15,625 cells on CIFAR-10, CIFAR-100 and ImageNet16-120; the `.pth` files.

Source: Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326; github D-X-Y/NAS-Bench-201.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas import registry
from nas.benchmarks.arch_results import Collector
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.benchmarks.torch_files import is_torch_file, stream_torch
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["NASBench201Reader"]

_EPOCHS = {"less": 12, "full": 200}


@registry.register(
    "benchmarks",
    "nas-bench-201",
    "15,625 cells trained on three image datasets, 12 and 200 epochs",
    "Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326",
)
class NASBench201Reader(Reader):
    """Reads `NAS-Bench-201-v1_0-e61699.pth` and `NAS-Bench-201-v1_1-096897.pth`.

    The files hold one dictionary: `meta_archs`, `arch2infos` (number of an architecture -> "less"
    and "full", the results of 12 and of 200 epochs) and `evaluated_indexes`. As Python's objects
    the 4.7 GB of the second take some 28 GB; so an architecture's results are taken as soon as
    they are complete, and forgotten. What stays is what the pickle could refer to again, 58 kB an
    architecture, so 1 GB for a whole file; the time is 18 ms an architecture, so 5 minutes. Both
    were measured on 240 architectures of this form with three trainings each, not on the file.
    """

    files = (
        "NAS-Bench-201-v1_1-096897.pth or NAS-Bench-201-v1_0-e61699.pth, "
        "see github.com/D-X-Y/NAS-Bench-201"
    )

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".pth" and is_torch_file(path, b"meta_archs", b"arch2infos")

    def read(self, path: Path | None, progress: Progress) -> TableData:
        if path is None:
            raise NasError(f"nas-bench-201 is read from a file: {self.files}")
        space = registry.get("search_spaces", "nas-bench-201").factory()
        collector = Collector(space, str(path))
        with progress.bar("reading nas-bench-201", space.size) as bar:

            def take(entries: dict[Any, Any]) -> None:
                if entries.keys() == _EPOCHS.keys():
                    collector.add({_EPOCHS[name]: state for name, state in entries.items()})
                    _forget(entries)
                    bar.advance()

            data = stream_torch(path, take)
        self._check(path, data, collector)
        return collector.table(
            "nas-bench-201", 12, f"{path.name}: Dong & Yang, NAS-Bench-201 (MIT)"
        )

    @staticmethod
    def _check(path: Path, data: Any, collector: Collector) -> None:
        if not isinstance(data, dict) or not isinstance(data.get("meta_archs"), list):
            raise NasError(f"{path}: it has no meta_archs; not a file of NAS-Bench-201")
        if len(data["meta_archs"]) != len(collector):
            raise NasError(
                f"{path}: results of {len(collector)} architectures, "
                f"where {len(data['meta_archs'])} are listed"
            )


def _forget(entries: dict[Any, Any]) -> None:
    """Empty a dictionary and all that lie in it."""
    left = [entries]
    while left:
        found = left.pop()
        left += [value for value in found.values() if type(value) is dict]
        found.clear()

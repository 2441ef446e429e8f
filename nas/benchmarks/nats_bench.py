"""NATS-Bench: cells (tss) and widths (sss) on three image datasets; folders with a file a network.

Source: Dong, Liu, Musial & Gabrys, NATS-Bench, TPAMI 2021, arXiv:2009.00437; github
D-X-Y/NATS-Bench.
"""

from __future__ import annotations

import bz2
from pathlib import Path
from typing import Any, ClassVar

from nas import registry
from nas.benchmarks.arch_results import Collector
from nas.benchmarks.reader import Reader
from nas.benchmarks.table import TableData
from nas.benchmarks.unpickling import DATA, load_pickle
from nas.errors import NasError
from nas.progress import Progress

__all__ = ["NATSSizeReader", "NATSTopologyReader"]

_PAPER = "Dong et al., NATS-Bench, TPAMI 2021, arXiv:2009.00437"
_META = "meta.pickle.pbz2"
_LARGEST = 1 << 25
"""Bytes of a file, decompressed; the largest official one has 1.4 million."""


class _NATSReader(Reader):
    name: ClassVar[str]
    space: ClassVar[str]
    mark: ClassVar[bytes]
    """What the start of the list of architectures has in this folder, and not in the other."""
    budget: ClassVar[int] = 12

    def recognises(self, path: Path) -> bool:
        meta = path / _META
        if not meta.is_file():
            return False
        try:
            with bz2.open(meta) as stream:
                return self.mark in stream.read(1000)
        except (OSError, EOFError):
            return False

    def read(self, path: Path | None, progress: Progress) -> TableData:
        if path is None:
            raise NasError(f"{self.name} is read from a folder: {self.files}")
        texts = _texts(path / _META)
        files = [_file(path, number) for number in range(len(texts))]
        missing = [number for number, file in enumerate(files) if not file.is_file()]
        if missing:
            raise NasError(
                f"{path}: {len(missing)} of {len(files)} files are missing, "
                f"the first is {files[missing[0]].name}; unpack the archive anew"
            )
        space = registry.get("search_spaces", self.space).factory()
        collector = Collector(space, str(path))
        with progress.bar(f"reading {self.name}", len(files)) as bar:
            for text, file in zip(texts, files, strict=True):
                collector.add(_results(file), text)
                bar.advance()
        return collector.table(self.name, self.budget, f"{path.name}: {_PAPER} (MIT)")


@registry.register(
    "benchmarks",
    "nats-tss",
    "15,625 cells trained on three image datasets, 12 and 200 epochs",
    _PAPER,
)
class NATSTopologyReader(_NATSReader):
    """Reads `NATS-tss-v1_0-3ffb9-simple`: the cells of NAS-Bench-201, 12 and 200 epochs."""

    files = "folder NATS-tss-v1_0-3ffb9-simple, unpacked, see github.com/D-X-Y/NATS-Bench"
    name, space, mark = "nats-tss", "nas-bench-201", b"~0|"


@registry.register(
    "benchmarks",
    "nats-sss",
    "32,768 combinations of widths trained on three image datasets, 1, 12 and 90 epochs",
    _PAPER,
)
class NATSSizeReader(_NATSReader):
    """Reads `NATS-sss-v1_0-50262-simple`: five widths of 8 to 64; 1, 12 and 90 epochs."""

    files = "folder NATS-sss-v1_0-50262-simple, unpacked, see github.com/D-X-Y/NATS-Bench"
    name, space, mark = "nats-sss", "nats-size", b"8:8:8"


def _file(folder: Path, number: int) -> Path:
    """Return where an architecture's file is; the official code knows both names."""
    short = folder / f"{number}.pickle.pbz2"
    return short if short.is_file() else folder / f"{number:06d}.pickle.pbz2"


def _load(file: Path) -> Any:
    try:
        with bz2.open(file) as stream:
            data = stream.read(_LARGEST + 1)
    except (OSError, EOFError) as error:
        raise NasError(f"{file}: it is truncated or not compressed by bzip2 ({error})") from error
    if len(data) > _LARGEST:
        raise NasError(f"{file}: it is larger than any file of NATS-Bench")
    return load_pickle(data, DATA, str(file))


def _texts(meta: Path) -> list[str]:
    """Return all architectures; their files are numbered in this order."""
    found = _load(meta)
    texts = found.get("meta_archs") if isinstance(found, dict) else None
    if not isinstance(texts, list) or not all(type(text) is str for text in texts):
        raise NasError(f"{meta}: it has no list of architectures")
    return texts


def _results(file: Path) -> dict[int, Any]:
    """Return epochs -> results; the keys of the files are "01", "12" ..."""
    found = _load(file)
    try:
        return {int(epochs): state for epochs, state in found.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise NasError(f"{file}: it does not hold results by their epochs") from error

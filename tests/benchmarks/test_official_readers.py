"""What holds for every reader of official files: nothing runs, nothing half is taken."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from official_files import (
    CELLS,
    WIDTHS,
    Attack,
    hw_nas_bench,
    nas_bench_201,
    nats,
    save_torch,
    transnas,
    write_bz2,
    write_nas_bench_101,
)

from nas import registry
from nas.benchmarks.table import Table, write_table
from nas.errors import NasError
from nas.progress import Silent


def _pickle(path: Path, data: Any) -> Path:
    path.write_bytes(pickle.dumps(data))
    return path


WHOLE: dict[str, Callable[[Path], Path]] = {
    "nas-bench-201": lambda at: save_torch(at / "nas-bench-201.pth", nas_bench_201()),
    "nats-tss": lambda at: nats(at / "tss", CELLS, ("12", "200")),
    "nats-sss": lambda at: nats(at / "sss", WIDTHS, ("01", "12", "90")),
    "nas-bench-101": lambda at: write_nas_bench_101(at / "nasbench.tfrecord"),
    "transnas-micro": lambda at: save_torch(at / "transnas.pth", transnas(), old=False),
    "transnas-macro": lambda at: save_torch(at / "transnas.pth", transnas()),
    "hw-nas-bench": lambda at: _pickle(at / "hw.pickle", hw_nas_bench()),
}
"""Reader -> how a small file of its official structure is written."""


def first_file(path: Path) -> Path:
    """A file that a reader opens: the path, or one in the folder."""
    return path / "000001.pickle.pbz2" if path.is_dir() else path


@pytest.mark.parametrize("name", WHOLE)
def test_only_its_readers_recognise_a_file(name: str, tmp_path: Path) -> None:
    path = WHOLE[name](tmp_path)
    readers = {n: entry.factory() for n, entry in registry.names("benchmarks").items()}
    found = {n for n, reader in readers.items() if reader.recognises(path)}
    both = {"transnas-micro", "transnas-macro"}
    assert found == (both if name in both else {name})


@pytest.mark.parametrize("name", WHOLE)
def test_a_table_can_be_made(name: str, tmp_path: Path) -> None:
    data = registry.get("benchmarks", name).factory().read(WHOLE[name](tmp_path), Silent())
    assert data.benchmark == name
    write_table(data, tmp_path / f"{name}.table")
    table = Table(tmp_path / f"{name}.table")
    table.verify()
    assert table.rows(data.choices).tolist() == list(range(len(data.choices)))


@pytest.mark.parametrize("keep", [0, 1, 30, 0.3, 0.6, 0.97])
@pytest.mark.parametrize("name", WHOLE)
def test_truncated_files_are_refused_by_name(name: str, keep: float, tmp_path: Path) -> None:
    path = WHOLE[name](tmp_path)
    file = first_file(path)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(keep if keep >= 1 else keep * len(whole))])
    with pytest.raises(NasError) as caught:
        registry.get("benchmarks", name).factory().read(path, Silent())
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def attacked(name: str, path: Path, marker: Path) -> Path:
    """Write a file that looks official and calls os.system, deep inside."""
    attack = Attack(marker)
    if name == "nas-bench-201":
        data = nas_bench_201()
        data["arch2infos"][0]["full"]["all_results"]["cifar10", 777]["flop"] = attack
        return save_torch(path / "nas-bench-201.pth", data)
    if name.startswith("nats"):
        folder = nats(path / "folder", *(
            (CELLS, ("12", "200")) if name == "nats-tss" else (WIDTHS, ("01", "12", "90"))
        ))  # fmt: skip
        write_bz2(folder / "000001.pickle.pbz2", {"12": {"all_results": [attack]}})
        return folder
    if name.startswith("transnas"):
        data = transnas()
        data["info_names"].append(attack)
        return save_torch(path / "transnas.pth", data, old=name.endswith("micro"))
    data = hw_nas_bench()
    data["fbnet"]["attack"] = {"nested": [attack]}
    return _pickle(path / "hw.pickle", data)


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "nas-bench-101"])
def test_nothing_malicious_runs(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "OWNED"
    path = attacked(name, tmp_path, marker)
    reader = registry.get("benchmarks", name).factory()
    assert reader.recognises(path)
    with pytest.raises(NasError, match=r"it asks for '\w+\.system'") as caught:
        reader.read(path, Silent())
    assert str(first_file(path)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["nats-tss", "nats-sss"])
def test_nothing_malicious_runs_in_a_list_of_architectures(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "OWNED"
    path = WHOLE[name](tmp_path)
    mark = CELLS[0] if name == "nats-tss" else WIDTHS[0]
    write_bz2(path / "meta.pickle.pbz2", {"meta_archs": [mark, Attack(marker)]})
    reader = registry.get("benchmarks", name).factory()
    assert reader.recognises(path)
    with pytest.raises(NasError, match=r"meta\.pickle\.pbz2: it asks for '\w+\.system'"):
        reader.read(path, Silent())
    assert not marker.exists()


@pytest.mark.parametrize("name", WHOLE)
def test_a_reader_of_files_says_which(name: str) -> None:
    reader = registry.get("benchmarks", name).factory()
    with pytest.raises(NasError, match=name):
        reader.read(None, Silent())
    assert not reader.recognises(Path("nowhere"))

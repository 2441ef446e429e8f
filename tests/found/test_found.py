"""Finding an architecture by whatever a user wrote, and building it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nas
from nas.errors import NasError
from nas.found.find import find
from nas.progress import Silent
from nas.run import Run
from nas.run.found import Found
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.nasnet import NASNet
from nas.space import SearchSpace
from nas.task import Task, TaskInfo

SPACE = NASBench201()
ARCHITECTURE = SPACE.sample(np.random.default_rng(0), 1)[0]
TEXT = SPACE.format(ARCHITECTURE)
INFO = TaskInfo((3, 8, 8), 3)
SMALL = {"channels": 4, "cells": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_npz: Path) -> Run:
    """A finished search."""
    return nas.search(
        "nas-bench-201", "darts", f"npz:{tiny_npz}", out=tmp_path_factory.mktemp("found") / "run",
        settings={"strategy": {"epochs": 1}, "supernet": SMALL, "network": SMALL},
        progress=Silent(),
    )  # fmt: skip


# -- finding --------------------------------------------------------------------------------------


def test_a_run(run: Run) -> None:
    for source in (run.folder, str(run.folder), f"{run.folder}/"):
        found = find(source)
        assert found.architecture == run.best.architecture
        assert found.run is not None
        assert found.metrics == run.best.metrics


@pytest.mark.parametrize(
    ("space", "name"), [(DARTS(), "DARTS_V2"), (DARTS(), "PC_DARTS"), (NASNet(), "AmoebaNet-A")]
)
def test_a_published_name(space: SearchSpace, name: str) -> None:
    found = find(name)
    assert (found.space.name, found.name, found.run) == (space.name, name, None)
    assert found.architecture == space.catalogue()[name]


def test_text_in_the_notation_of_a_space() -> None:
    for space, text in ((SPACE, TEXT), (DARTS(), DARTS().format(DARTS().catalogue()["DARTS_V1"]))):
        found = find(text)
        assert found.space.name == space.name
        assert space.format(found.architecture) == text
        assert find(text, space.name).architecture == found.architecture


@pytest.mark.parametrize("content", [TEXT, TEXT + "\n", ARCHITECTURE.to_json(), "DARTS_V2"])
def test_a_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.txt").write_text(content)
    expected = find("DARTS_V2").architecture if content == "DARTS_V2" else ARCHITECTURE
    assert find(tmp_path / "mine.txt").architecture == expected


def test_the_result_file_of_a_run(run: Run) -> None:
    assert find(run.folder / "best.json").architecture == run.best.architecture


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "DARTS_V3",
            r"'DARTS_V3' is no run folder.*Did you mean 'DARTS_V\d'\? Published: .*PC_DARTS",
        ),
        ("runs/absent", "is no run folder, file, genotype or published architecture"),
        (TEXT.replace("nor", "not"), r"nas-bench-201: unknown operation of edge .*Did you mean"),
        ("Genotype(normal=[", "darts: genotype: not readable.*nasnet: genotype: not readable"),
        ("", "config.json is missing"),
    ],
)
def test_what_is_none_of_these(
    source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NasError, match=message) as error:
        find(source)
    assert "\n" not in str(error.value)


def test_an_unknown_space() -> None:
    with pytest.raises(NasError, match=r"unknown search space 'dart'\. Did you mean 'darts'"):
        find(TEXT, "dart")


def test_an_architecture_of_another_space_than_named() -> None:
    with pytest.raises(NasError, match="not an architecture of any space; darts: "):
        find(TEXT, "darts")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected an architecture"),
        (b"  \n", "is empty"),
        (b"{}", "not an architecture: '{}'"),
        (b'{"space": "nas-bench-201", "choices": [0]}', "it has 1 choices; 6 are needed"),
        (b'{"space": "nas-bench-201", "choices": [0,0,0,0,0,7]}', "is not in the range 0 to 4"),
        (b'{"space": "no-space", "choices": [0]}', "unknown search space 'no-space'"),
        (b'{"space": "darts", "choices": [1.5]}', "not an architecture"),
        (b"{broken", "not an architecture"),
        (b"\xff\xfe\x01", "cannot be read"),
    ],
)
def test_a_broken_file_is_named_or_quoted(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "mine").write_bytes(content)
    with pytest.raises(NasError, match=message):
        find(tmp_path / "mine")


def test_a_file_that_names_a_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("self").write_text("self")
    with pytest.raises(NasError, match="'self' is no run folder, file, genotype"):
        find("self")


def test_a_text_longer_than_any_file_name() -> None:
    text = DARTS().format(DARTS().catalogue()["DARTS_V2"]) + " " * 5000
    assert find(text).architecture == DARTS().catalogue()["DARTS_V2"]


# -- building -------------------------------------------------------------------------------------


def test_fresh_networks_take_settings_and_shapes(run: Run) -> None:
    found = find(TEXT)
    network = found.build(info=INFO, **SMALL)
    assert not network.training
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 3)
    narrow, wide = (run.best.build(channels=c) for c in (4, 8))
    counts = [sum(p.numel() for p in n.parameters()) for n in (narrow, wide)]
    assert counts[0] < counts[1]
    default = run.best.build()
    assert sum(p.numel() for p in default.parameters()) == counts[0]  # the run's own settings


def test_inherited_weights(run: Run) -> None:
    first, second = (run.best.build("inherited").state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(NasError, match="inherited weights have fixed widths"):
        run.best.build("inherited", channels=8)


def test_trained_weights(tmp_path: Path, run: Run, tiny_npz: Path) -> None:
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    with pytest.raises(NasError, match=f"{folder} is not trained yet: nas train {folder}"):
        find(folder).build("trained")
    data = dict(np.load(tiny_npz))
    data["y_train"], data["y_test"] = np.arange(40) % 5, np.arange(12) % 5
    np.savez(tmp_path / "five.npz", **data)
    nas.train(
        str(folder), data=f"npz:{tmp_path}/five.npz", progress=Silent(),
        settings={"train": {"epochs": 1}, "network": SMALL | {"channels": 8}},
    )  # fmt: skip
    network = find(folder).build("trained")  # of other data and widths than the run's
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 5)
    for content in ("", "{}", "[]", '{"network": 3}'):
        (folder / "train" / "result.json").write_text(content)
        with pytest.raises(NasError, match=r"result\.json is damaged"):
            find(folder).build("trained")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("inherited", "comes from no search: it has no inherited weights"),
        ("trained", "comes from no run: it has no trained weights"),
        ("fresh", "comes without a task: say which with --data"),
        ("old", "weights 'old': allowed is fresh, inherited, trained"),
    ],
)
def test_weights_that_there_are_not(weights: str, message: str) -> None:
    with pytest.raises(NasError, match=message):
        find("DARTS_V2").build(weights)


def test_a_run_that_kept_no_weights(tmp_path: Path, tiny_task: Task) -> None:
    config: dict[str, Any] = {
        "space": "nas-bench-201",
        "objective": "accuracy",
        "settings": {},
        "task": {"input_shape": [3, 8, 8], "outputs": 3},
    }
    run = Run.create(tmp_path, config, SPACE)
    run.save_best(ARCHITECTURE, {}, "")
    with pytest.raises(NasError, match="kept no weights; use --weights fresh or trained"):
        run.best.build("inherited")


def test_settings_that_do_not_exist(run: Run) -> None:
    with pytest.raises(NasError, match=r"unknown setting of network 'chanels'\. Did you mean"):
        run.best.build(chanels=8)


def test_found_without_a_run_has_no_metrics() -> None:
    found = find(TEXT)
    assert isinstance(found, Found)
    assert found.metrics == {}
    assert json.loads(found.architecture.to_json())["space"] == "nas-bench-201"

"""`nas.train`: training what was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nas
from nas.errors import NasError
from nas.progress import Silent

CELL = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
TINY = {
    "train": {"epochs": 2, "batch_size": 16},
    "network": {"channels": 4, "cells": 1},
}


def make_task(seed: int = 0) -> nas.Task:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    return nas.Task.from_arrays(x, np.arange(60) % 3, seed=0)


def run_train(out: Path | None, source: Any = CELL, **options: Any) -> dict[str, Any]:
    options = {"data": make_task(), "settings": TINY, "progress": Silent()} | options
    return nas.train(source, out=out, **options)


def test_a_training_is_recorded_and_not_repeated(tmp_path: Path) -> None:
    first = run_train(tmp_path / "t")
    assert 0 <= first["accuracy"] <= 1 and first["parameters"] > 0
    result = json.loads((tmp_path / "t" / "result.json").read_text())
    assert result["accuracy"] == first["accuracy"] and result["architecture"] == CELL
    assert (tmp_path / "t" / "weights.safetensors").exists()
    assert run_train(tmp_path / "t") == first


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    losses = [run_train(tmp_path / str(i), seed=i // 2)["loss"] for i in range(3)]
    assert losses[0] == losses[1] != losses[2]


def test_a_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    run_train(tmp_path / "t")
    with pytest.raises(NasError, match=r"another train\.epochs; choose another --out"):
        run_train(tmp_path / "t", settings=TINY | {"train": {"epochs": 3}})
    with pytest.raises(NasError, match="another data"):
        run_train(tmp_path / "t", data=nas.Task.from_arrays(*_other()))


def _other() -> tuple[Any, Any]:
    return np.zeros((40, 8, 8), np.uint8), np.arange(40) % 4


def test_a_folder_in_use_is_refused_unharmed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NasError, match="is in use"):
        run_train(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unknown_group_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"unknown group of settings 'trian'\. Did you mean 'train'"):
        run_train(tmp_path / "t", settings={"trian": {}})


def test_a_run_is_trained_at_its_own_widths_and_loads_again(tmp_path: Path) -> None:
    run = nas.search(
        "nas-bench-201", "gdas", make_task(), out=tmp_path / "run", progress=Silent(),
        settings={
            "strategy": {"epochs": 1, "batch_size": 16},
            "supernet": {"channels": 4, "cells": 1},
            "network": {"channels": 4, "cells": 1},
        },
    )  # fmt: skip
    result = run_train(None, run, settings={"train": TINY["train"]})
    assert Path(result["folder"]) == tmp_path / "run" / "train"
    network = nas.load(run.folder).best.build(weights="trained")
    task = make_task()
    correct = sum(task.correct(network(x), y) for x, y in task.batches("test", 16))
    assert correct / task.size("test") == pytest.approx(result["accuracy"])
    inherited = run.best.build(weights="inherited")
    with torch.no_grad():
        assert inherited(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_a_setting_that_cannot_work_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="channels=0"):
        run_train(tmp_path / "t", settings=TINY | {"network": {"channels": 0}})
    assert not (tmp_path / "t").exists()


def test_repeats_are_trainings_with_the_seeds_that_follow(tmp_path: Path) -> None:
    several = run_train(tmp_path / "t", repeats=3, seed=4)
    single = [run_train(tmp_path / f"s{i}", seed=4 + i)["accuracy"] for i in range(3)]
    assert several["accuracies"] == single and several["accuracy"] == single[0]
    assert several["mean"] == pytest.approx(np.mean(single))
    assert several["deviation"] == pytest.approx(np.std(single, ddof=1))
    folders = {file.parent.name for file in (tmp_path / "t").rglob("result.json")}
    assert folders == {"t", "seed-5", "seed-6"}
    assert json.loads((tmp_path / "t" / "repeats.json").read_text())["mean"] == several["mean"]
    with pytest.raises(NasError, match="repeats=0: at least 1 is needed"):
        run_train(tmp_path / "u", repeats=0)

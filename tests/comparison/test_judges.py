"""Evaluators by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas import registry
from nas.comparison.judges import Workbench, described, expand, make_evaluator
from nas.errors import NasError
from nas.progress import Silent
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.settings import Groups
from nas.task import Task


def bench(task: Task, settings: Groups | None = None) -> Workbench:
    return Workbench(NASBench201(), task, "small", 3, settings or {}, Path("x"), Silent())


def test_all_proxies_at_once() -> None:
    names = expand(["train", "proxy:all", "train"])
    assert names == ["train", *(f"proxy:{name}" for name in registry.names("proxies"))]


def test_settings_of_all_and_of_one(tiny_task: Task) -> None:
    groups: Groups = {"evaluator": {"batch_size": 8}, "train": {"epochs": 3}}
    trained = make_evaluator("train", bench(tiny_task, groups))
    assert trained.settings.batch_size == 8 and trained.settings.epochs == 3
    scored = make_evaluator("proxy:synflow", bench(tiny_task, groups))
    assert scored.settings.batch_size == 8 and scored.settings.score == "synflow"
    assert described(scored, "proxy:synflow").startswith("proxy:synflow score=synflow batch_size=8")


def test_what_an_evaluator_works_with(tiny_task: Task) -> None:
    groups: Groups = {"network": {"channels": 4}, "supernet": {"channels": 4}}
    made = make_evaluator("train", bench(tiny_task, groups), ("params",), seed=9).context
    assert made.network["channels"] == 4 and made.supernet["channels"] == 4
    assert made.costs == ("params",) and made.seed == 9
    other = make_evaluator("proxy:synflow", bench(tiny_task, groups)).context
    assert other.seed == 3 and other.folder != made.folder


def test_mistakes(tiny_task: Task) -> None:
    with pytest.raises(NasError, match="unknown evaluator 'trian'"):
        make_evaluator("trian", bench(tiny_task))
    with pytest.raises(NasError, match="unknown setting of train 'epoch'"):
        make_evaluator("train", bench(tiny_task, {"evaluator": {"epoch": 3}}))

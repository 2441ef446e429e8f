"""A search from its settings to its result."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import nas
from nas.data import load_task
from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.supernet import SupernetSettings, score_path
from nas.evaluators.train import CandidateSettings, TrainEvaluator
from nas.mutables import OneOf
from nas.progress import Console
from nas.run import Run
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.task import Task

SMALL: dict[str, dict[str, Any]] = {
    "supernet": {"channels": 4, "cells": 1},
    "network": {"channels": 4, "cells": 1},
}
Search = Callable[..., Run]


@pytest.fixture
def search(tmp_path: Path, tiny_npz: Path, no_report: None) -> Search:
    """Search NAS-Bench-201, or as told, for two evaluations or epochs."""

    def run(
        strategy: str = "random",
        evaluator: str = "supernet",
        out: str | None = "run",
        **options: Any,
    ) -> Run:
        small = {} if "space" in options else SMALL
        settings = {group: dict(values) for group, values in small.items()}
        if strategy == "random" or evaluator == "train":
            settings["evaluator"] = {"epochs": 2}
        if strategy != "random":
            settings["strategy"] = {"epochs": 2}
        for group, values in options.pop("settings", {}).items():
            settings.setdefault(group, {}).update(values)
        chosen: dict[str, Any] = {
            "space": "nas-bench-201",
            "data": f"npz:{tiny_npz}",
            "evaluations": 2 if strategy == "random" else None,
            "device": "cpu",
            "out": tmp_path / out if out else None,
        }
        return nas.search(
            strategy=strategy, evaluator=evaluator, settings=settings, **(chosen | options)
        )

    return run


class Net(nn.Module):
    """Four architectures."""

    def __init__(self) -> None:
        super().__init__()
        self.first = OneOf({"linear": nn.Linear(192, 8), "wide": nn.Linear(192, 8)}, label="first")
        self.second = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="second")
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.second(self.first(x.flatten(1))))
        return output


# -- the folder -----------------------------------------------------------------------------------


def test_a_run_folder_holds_everything(tmp_path: Path, tiny_npz: Path) -> None:
    run = nas.search(
        "nas-bench-201", "darts", f"npz:{tiny_npz}", out=tmp_path / "run",
        settings=SMALL | {"strategy": {"epochs": 1}},
    )  # fmt: skip
    assert sorted(p.name for p in run.folder.iterdir()) == [
        *(".lock", "best.json", "best.png", "best.safetensors", "checkpoint", "config.json"),
        *("log.jsonl", "report.html", "study.journal"),
    ]
    assert (run.folder / "best.png").read_bytes().startswith(b"\x89PNG")
    assert "nas-bench-201" in (run.folder / "report.html").read_text()
    assert [e["event"] for e in run.events()] == ["epoch", "trial", "done"]
    assert run.finished


def test_the_config_says_all_there_is_to_say(search: Search) -> None:
    config = search("darts", seed=3).config
    assert config["settings"]["strategy"]["gate_weight_decay"] == 1e-3  # defaults, too
    assert config["settings"]["supernet"] == {"channels": 4, "cells": 1}
    assert config["seed"] == 3 and config["scale"] == "small"
    assert config["task"]["splits"]["sizes"] == {"train": 20, "valid": 20, "test": 12}
    assert len(config["task"]["splits"]["sha256"]["train"]) == 64


def test_the_default_folder_is_named_by_the_search(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = search(out=None)
    assert first.folder == Path("runs/nas-bench-201-random-tiny-s0")
    assert search(out=None).folder == first.folder  # the same search
    other = search(out=None, settings={"evaluator": {"epochs": 1}})
    assert other.folder == Path("runs/nas-bench-201-random-tiny-s0-2")
    assert search(out=None, seed=1).folder == Path("runs/nas-bench-201-random-tiny-s1")


def test_a_search_goes_on_from_another_folder(
    search: Search, tmp_path: Path, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_npz.parent)
    run = search(data="npz:tiny.npz")
    monkeypatch.chdir(tmp_path)
    assert search(data=run.config["data"]).folder == run.folder


# -- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["random", "darts"])
def test_memory_is_said_before_a_supernet_is_trained(
    search: Search, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setattr("nas.costs.memory_watch._WORTH", 0)
    printed = io.StringIO()
    run = search(strategy, progress=Console(printed))
    events = run.events()
    assert "\nmemory: about " in printed.getvalue() and "(batch 20)" in printed.getvalue()
    assert events[0]["event"] == "memory" and events[0]["batch_size"] == 20
    monkeypatch.setattr("nas.costs.memory_watch._WORTH", 10**9)
    assert search(strategy, out="without").read_best() == run.read_best()  # as it was


def test_memory_of_paths_that_does_not_suffice(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.costs.memory_watch._WORTH", 0)
    monkeypatch.setattr("nas.costs.memory_watch.free_memory", lambda device: 400_000)
    printed = io.StringIO()
    search(progress=Console(printed))
    [warning] = [line for line in printed.getvalue().splitlines() if "warning" in line]
    assert "--set evaluator.batch_size=" in warning and "--set supernet.channels=2" in warning
    monkeypatch.setattr("nas.costs.memory_watch.free_memory", lambda device: -90_000)
    with pytest.raises(NasError, match=r"a batch of 1 example takes about .* nothing smaller"):
        search(out="none")


# -- the result -----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [7, 64])
@pytest.mark.parametrize("strategy", ["random", "darts"])
def test_inherited_weights_give_the_accuracy_that_was_measured(
    search: Search, tiny_npz: Path, strategy: str, batch_size: int
) -> None:
    run = search(strategy, settings={"evaluator": {"batch_size": batch_size}})
    network = run.best.build("inherited")
    task = load_task(f"npz:{tiny_npz}")
    [(x, y)] = list(task.batches("valid", 20))
    with torch.no_grad():
        output = network(x)
    assert task.correct(output, y) / 20 == run.best.metrics["accuracy"]
    assert task.loss(output, y).item() == pytest.approx(run.best.metrics["loss"], rel=1e-4)


def test_weights_of_trained_candidates_are_kept(search: Search) -> None:
    run = search("random", "train", settings={"evaluator": {"cutout": 0}})
    assert run.read_best()["weights"] == "network"
    state = load_file(run.folder / "best.safetensors")
    network = run.best.build("inherited")
    assert all(torch.equal(w, state[name]) for name, w in network.state_dict().items())


def test_what_gates_chose_is_measured_by_another_evaluator(search: Search) -> None:
    """Judged as the same architecture is in any search, with the shared weights kept beside."""
    settings = {"evaluator": {"cutout": 0, "epochs": 1}}
    run = search("darts", "train", settings=settings)
    assert run.read_best()["weights"] == "supernet"
    judged = search("random", "train", out="other", evaluations=1, settings=settings)
    space = NASBench201()
    context = Context(space, load_task(run.config["data"]), 0, network=SMALL["network"])
    evaluator = TrainEvaluator(context, CandidateSettings(**judged.settings("evaluator")))
    assert evaluator([run.best.architecture])[0].metrics == run.best.metrics


def test_the_best_trial_is_the_result(search: Search) -> None:
    for objective, better in (("accuracy", max), ("-loss", min)):
        run = search(out=objective, objective=objective, evaluations=6)
        metric = objective.removeprefix("-")
        values = [t.measurement.metrics[metric] for t in run.trials()]
        assert run.best.metrics[metric] == better(values)
        assert run.study.best_value == better(values)


def test_the_seed_decides(search: Search) -> None:
    def outcome(out: str, seed: int) -> tuple[str, bytes]:
        run = search("darts", out=out, seed=seed)
        best = (run.folder / "best.json").read_text()
        return best, (run.folder / "best.safetensors").read_bytes()

    torch.manual_seed(1)
    first = outcome("a", 0)
    torch.manual_seed(2)
    np.random.seed(2)
    assert outcome("b", 0) == first
    assert outcome("c", 1) != first


def test_a_tiny_space_is_exhausted(search: Search, tiny_task: Task) -> None:
    run = search(space=Net, data=tiny_task, evaluations=50)
    architectures = {t.architecture for t in run.trials()}
    assert len(run.trials()) == len(architectures) == 4


# -- going on -------------------------------------------------------------------------------------


def test_a_finished_search_is_not_repeated(search: Search) -> None:
    run = search("darts")
    before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    again = search("darts")
    assert {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()} == before
    assert again.best.architecture == run.best.architecture


def test_a_result_that_was_lost_is_found_again(search: Search) -> None:
    for strategy in ("darts", "random"):
        run = search(strategy, out=strategy)
        best = (run.folder / "best.json").read_bytes()
        (run.folder / "best.json").unlink()
        search(strategy, out=strategy)
        assert (run.folder / "best.json").read_bytes() == best


def test_a_report_that_is_missing_is_written(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    run = search()
    reported = []
    monkeypatch.setattr(
        sys.modules["nas.search.search"], "_report", lambda *a: reported.append(a[1])
    )
    search()
    assert reported == [run.best.architecture]


def test_other_settings_in_the_same_folder_are_refused(search: Search) -> None:
    search()
    with pytest.raises(NasError, match=r"run holds a run with other settings \(seed=0, not 1\)"):
        search(seed=1)


def test_changed_data_are_refused(search: Search, tmp_path: Path, tiny_npz: Path) -> None:
    arrays = dict(np.load(tiny_npz))
    np.savez(tmp_path / "mine.npz", **arrays)
    search(data=f"npz:{tmp_path}/mine.npz")
    arrays["x_train"], arrays["y_train"] = arrays["x_train"][:30], arrays["y_train"][:30]
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(NasError, match="is not what it was when this run was started"):
        search(data=f"npz:{tmp_path}/mine.npz")


def test_a_module_of_a_user_is_found_again_by_its_file(search: Search, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "from nas import OneOf\n"
        "class Mine(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), OneOf([nn.Linear(192, 3), nn.Linear(192, 3)]))\n"
    )
    run = search(space=f"{tmp_path}/mine.py:Mine")
    again = nas.load(run.folder)
    assert again.best.architecture == run.best.architecture
    assert isinstance(again.best.build("inherited"), nn.Module)


# -- refusals, before anything is written ---------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": "dart"}, r"unknown search space 'dart'\. Did you mean 'darts'"),
        ({"strategy": "dart"}, r"unknown strategy 'dart'\. Did you mean 'darts'"),
        ({"evaluator": "supernett"}, r"unknown evaluator 'supernett'\. Did you mean 'supernet'"),
        ({"data": "digit"}, r"unknown data 'digit'\. Did you mean 'digits'"),
        ({"data": 3}, "not data: 3"),
        ({"space": 3}, "not a search space: 3"),
        ({"scale": "larg"}, "unknown scale 'larg'"),
        ({"objective": "acuracy"}, r"unknown objective 'acuracy'\. Did you mean 'accuracy'"),
        ({"objective": "-los"}, r"unknown objective 'los'\. Did you mean 'loss'"),
        ({"objective": "-", "strategy": "darts"}, "expected a metric"),
        ({"strategy": "darts", "objective": "f1"}, "unknown objective 'f1'"),
        ({"evaluations": 0}, "evaluations=0: at least 1"),
        ({"evaluations": 5, "strategy": "darts"}, "evaluations=5: this is the budget of a black"),
        ({"seed": -1}, "seed=-1"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
        ({"device": "meta"}, "device 'meta' holds no data"),
        ({"device": "tpu"}, "device 'tpu' cannot be used"),
        ({"settings": {"strateg": {}}}, r"unknown group of settings 'strateg'\. Did you mean"),
        ({"settings": {"strategy": {"x": 1}}}, "unknown setting of strategy 'x'"),
        (
            {"strategy": "darts", "settings": {"evaluator": {"epochs": 7}}},
            "evaluator.epochs: 'darts' trains the supernet itself",
        ),
        ({"settings": {"evaluator": {"epoch": 1}}}, r"'epoch'\. Did you mean 'epochs'"),
        ({"settings": {"evaluator": {"epochs": "x"}}}, "evaluator.epochs='x': expected int"),
        ({"settings": {"supernet": {"chanels": 4}}}, r"'chanels'\. Did you mean 'channels'"),
        ({"settings": {"network": {"chanels": 4}}}, r"'chanels'\. Did you mean 'channels'"),
        ({"settings": {"supernet": {"channels": 0}}}, "channels=0: at least 1"),
        ({"settings": {"supernet": {"partial_channels": 3}}}, "must divide"),
        ({"settings": {"data": {"valid_fractoin": 0.5}}}, "Did you mean 'valid_fraction'"),
        ({"space": "nasnet"}, "has no supernet"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(
    search: Search, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(NasError, match=message) as error:
        search(**options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_data_that_are_no_images_are_refused(search: Search, tmp_path: Path) -> None:
    x = np.zeros((30, 5), "float32")
    np.savez(tmp_path / "vectors.npz", x_train=x, y_train=np.arange(30) % 3)
    with pytest.raises(NasError, match=r"needs images \[C, H, W\]"):
        search(data=f"npz:{tmp_path}/vectors.npz")
    assert not (tmp_path / "run").exists()


def test_a_candidate_that_cannot_be_built_does_not_stop_a_search(
    tmp_path: Path, tiny_task: Task, no_report: None
) -> None:
    """Where other architectures can be, it is a failed measurement."""

    class Picky(ModuleSpace):
        def build(self, architecture: Any, task: Any, **settings: Any) -> nn.Module:
            if self.options(architecture)["first"] == "wide":
                raise NasError("too wide")
            return super().build(architecture, task, **settings)

    run = nas.search(
        Picky(Net), "random", tiny_task, "train", evaluations=4, out=tmp_path / "run",
        settings={"evaluator": {"epochs": 1}},
    )  # fmt: skip
    errors = [t.measurement.error for t in run.trials()]
    assert sorted(errors) == ["", "", "NasError: too wide", "NasError: too wide"]


# -- scores ---------------------------------------------------------------------------------------


def test_a_differentiable_search_reports_the_score_of_its_path(search: Search) -> None:
    run = search("darts")
    task = load_task(run.config["data"])
    space = NASBench201()
    supernet = space.supernet(task.info, **run.settings("supernet"))
    state = torch.load(run.folder / "checkpoint" / "search.pt", weights_only=True)
    supernet.load_state_dict(state["supernet"])
    settings = SupernetSettings(**run.settings("evaluator"))
    path = supernet.path(run.best.architecture)
    assert score_path(supernet, path, task, "valid", settings) == run.best.metrics
    [trial] = run.trials()
    assert trial.measurement.metrics == run.best.metrics


def test_progress_says_what_is_going_on(search: Search, capsys: pytest.CaptureFixture[str]) -> None:
    search("darts")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "searching nas-bench-201 with darts into" in captured.err
    search("darts")
    assert "is finished already" in capsys.readouterr().err


def test_what_is_recorded_is_json(search: Search) -> None:
    run = search("gdas")
    for name in ("config.json", "best.json"):
        json.loads((run.folder / name).read_text())
    for line in (run.folder / "log.jsonl").read_text().splitlines():
        json.loads(line)

"""`nas.rerank`: the best of a search, trained again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nas
from nas.errors import NasError
from nas.evaluators.train import TrainEvaluator
from nas.found.rerank import _ranked
from nas.mutables import OneOf
from nas.objective import Measurement
from nas.progress import Silent
from nas.run import Run

RECIPE = {"train": {"epochs": 4, "batch_size": 20, "learning_rate": 0.1}}


class Zero(nn.Linear):
    """Learns nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 0


class Net(nn.Module):
    """Two layers that learn and one that cannot, which alone has the most parameters."""

    def __init__(self) -> None:
        super().__init__()
        small, middle = nn.Linear(64, 2, bias=False), nn.Linear(64, 2)
        large = nn.Sequential(Zero(64, 8), nn.Linear(8, 2))
        self.layer = OneOf({"small": small, "middle": middle, "large": large}, label="layer")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(x.flatten(1))
        return output


def make_task() -> nas.Task:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    x = rng.integers(0, 100, (120, 8, 8)) + 150 * y[:, None, None] * (np.arange(8) < 4)
    return nas.Task.from_arrays(x.astype(np.uint8), y, seed=0)


def search(folder: Path, **options: Any) -> Run:
    """Search by a proxy that prefers what cannot learn."""
    chosen = {"strategy": "random", "evaluator": "proxy:params", "evaluations": 8} | options
    return nas.search(Net, data=make_task(), out=folder, progress=Silent(), **chosen)


def rerank(run: Run, **options: Any) -> Any:
    options = {"settings": RECIPE, "repeats": 2} | options
    return nas.rerank(run, data=make_task(), progress=Silent(), **options)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return search(tmp_path / "run", objective="accuracy", evaluator="train", settings=ONE_EPOCH)


ONE_EPOCH = {"evaluator": {"epochs": 1, "batch_size": 20, "learning_rate": 1e-6}}


def test_the_best_mean_becomes_the_result(run: Run) -> None:
    before = run.read_best()
    found = rerank(run, top=3)
    assert [one.text for one in found][-1] == "layer=large"
    assert len({one.text for one in found}) == 3
    for one in found:
        assert one.metrics["accuracy"] == pytest.approx(mean(one.values))
        assert one.deviation == pytest.approx(stdev(one.values))
    assert found[0].metrics["accuracy"] > 0.9 > found[-1].metrics["accuracy"]
    again = nas.load(run.folder, run.space)
    assert again.best.architecture == found[0].architecture
    assert again.best.metrics["accuracy"] == found[0].metrics["accuracy"]
    kept = json.loads((run.folder / "rerank" / "before" / "best.json").read_text())
    assert kept == before


def test_the_weights_are_those_of_the_first_training(run: Run) -> None:
    best = rerank(run, top=3)[0]
    network = run.best.build(weights="inherited").eval()
    task = make_task()
    with torch.no_grad():
        correct = sum(task.correct(network(x), y) for x, y in task.batches("valid", 20))
    assert correct / task.size("valid") == pytest.approx(best.values[0])


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what is trained."""
    calls: list[int] = []
    usual = TrainEvaluator._trained

    def counted(self: TrainEvaluator, *given: Any) -> dict[str, float]:
        calls.append(1)
        return usual(self, *given)

    monkeypatch.setattr(TrainEvaluator, "_trained", counted)
    return calls


def test_the_report_shows_what_was_trained_again(run: Run) -> None:
    [*texts] = (one.text for one in rerank(run, top=3))
    page = (run.folder / "report.html").read_text()
    section = page[page.index("Trained again") :]
    places = [section.index(text) for text in texts]
    assert places == sorted(places)


def test_a_stop_loses_one_training(
    run: Run, trainings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: Callable[..., dict[str, float]] = TrainEvaluator._trained

    def third_fails(self: TrainEvaluator, *given: Any) -> dict[str, float]:
        if len(trainings) == 2:
            trainings.append(1)
            raise KeyboardInterrupt
        return counted(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(TrainEvaluator, "_trained", third_fails)
        with pytest.raises(KeyboardInterrupt):
            rerank(run, top=2)
    file = run.folder / "rerank" / "trainings.jsonl"
    with file.open("a") as stream:
        stream.write('{"choices": [0')  # as a kill leaves it
    trainings.clear()
    stopped = rerank(run, top=2)
    assert len(trainings) == 3  # two that were missing and one for the weights
    assert len(file.read_text().splitlines()) == 5

    whole = search(run.folder.parent / "whole", evaluator="train", settings=ONE_EPOCH)
    assert [one.to_json() for one in rerank(whole, top=2)] == [one.to_json() for one in stopped]


class Breaks(nn.Linear):
    """Cannot be trained."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise RuntimeError("broken")
        return super().forward(x)


def test_what_cannot_be_trained_comes_last(tmp_path: Path) -> None:
    class Some(Net):
        def __init__(self) -> None:
            super().__init__()
            broken = Breaks(64, 2)
            self.layer = OneOf({"good": nn.Linear(64, 2), "bad": broken, "worse": Breaks(64, 2)})

    chosen: dict[str, Any] = {"strategy": "random", "evaluator": "proxy:params"}
    run = nas.search(Some, data=make_task(), out=tmp_path / "run", progress=Silent(), **chosen)
    best, *others = rerank(run, top=3)
    assert "good" in best.text and not best.error
    assert all("broken" in one.error for one in others)
    assert "measured_by" in run.read_best() and run.best.architecture == best.architecture


def test_more_repeats_train_what_is_missing(run: Run, trainings: list[int]) -> None:
    few = rerank(run, top=2, repeats=1)
    trainings.clear()
    more = rerank(run, top=3, repeats=2)
    assert len(trainings) == 2 * 3 - 2 + 1
    values = {one.text: one.values for one in more}
    assert all(values[one.text][:1] == one.values for one in few)
    kept = json.loads((run.folder / "rerank" / "before" / "best.json").read_text())
    assert kept["metrics"] == run.trials()[0].measurement.metrics or kept["text"]


def test_of_trained_gates_what_they_named_after_every_epoch(tmp_path: Path) -> None:
    settings = {"strategy": {"epochs": 1, "batch_size": 20}}
    run = nas.search(
        Net, "darts", make_task(), out=tmp_path / "run", progress=Silent(), settings=settings
    )
    with pytest.raises(NasError, match="has found 1 architecture"):
        rerank(run)
    result = run.space.format(run.best.architecture)
    others = [text for text in ("layer=small", "layer=middle", "layer=large") if text != result]
    for epoch, text in enumerate([*others, result], start=2):  # as of a longer search
        run.log({"event": "epoch", "phase": "search", "epoch": epoch, "architecture": text})
    origins = {one.text: one.origin for one in rerank(run, top=3)}
    assert origins == {result: "result", others[0]: "epoch 2", others[1]: "epoch 3"}
    few = rerank(nas.load(run.folder, run.space), top=2)
    assert {one.origin for one in few} == {"result", "epoch 3"}


def test_other_settings_are_refused(run: Run) -> None:
    rerank(run, top=2, repeats=1)
    with pytest.raises(NasError, match=r"another train\.epochs; remove .*rerank to begin anew"):
        rerank(run, top=2, settings={"train": RECIPE["train"] | {"epochs": 5}})


def test_a_training_of_the_former_result_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    run = search(tmp_path / "run", objective="params", evaluator="proxy:params")
    assert run.best.space.format(run.best.architecture) == "layer=large"
    nas.train(run, data=make_task(), settings=RECIPE, progress=Silent())
    assert rerank(run, top=3)[0].metric == "accuracy"  # which a training measures
    with pytest.raises(NasError, match="holds the training of another architecture; rename it"):
        run.best.build(weights="trained")


def test_another_objective(run: Run) -> None:
    found = rerank(run, top=3, objective="-loss")
    losses = [one.metrics["loss"] for one in found]
    assert losses == sorted(losses) and found[0].metric == "loss"
    with pytest.raises(NasError, match=r"unknown objective 'acuracy'\. Did you mean 'accuracy'"):
        rerank(run, objective="acuracy")


@pytest.mark.parametrize("options", [{"top": 0}, {"repeats": 0}])
def test_too_few_are_refused(run: Run, options: dict[str, int]) -> None:
    with pytest.raises(NasError, match="=0: at least 1 is needed"):
        rerank(run, **options)


def test_settings_are_those_of_the_training(run: Run) -> None:
    with pytest.raises(NasError, match=r"train\.keep.*Did you mean 'best'"):
        rerank(run, settings={"train": {"keep": "bets"}})
    with pytest.raises(NasError, match="unknown group of settings 'network'"):
        rerank(run, settings={"network": {}})
    assert not (run.folder / "rerank").exists()


def test_a_run_without_a_choice_is_refused(tmp_path: Path) -> None:
    run = search(tmp_path / "run", evaluations=1)
    with pytest.raises(NasError, match="has found 1 architecture; at least 2"):
        rerank(run)


def test_what_was_evaluated_again_is_ranked_by_its_last_score(tmp_path: Path) -> None:
    """Three networks, the first of which seemed best when it was looked at first."""
    run = search(tmp_path / "run", evaluator="weight-inheritance", settings=ONE_EPOCH)
    trials = run.trials()
    first = trials[0].architecture
    before = Measurement({"accuracy": 1.0, "loss": 0.0})
    run.record(first, before, "leader")
    run.record(first, Measurement({"accuracy": 0.01, "loss": 9.0}), "leader")
    assert [one.architecture for one in _ranked(run)][-1] == first

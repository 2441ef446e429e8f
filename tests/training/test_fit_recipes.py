"""Training with Adam, at a constant rate, keeping the best epoch: the recipe for nodes."""

from __future__ import annotations

import json
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import make_task
from torch import Tensor, nn

from nas.errors import NasError
from nas.evaluators.train import CandidateSettings, TrainEvaluator
from nas.found.train import train
from nas.progress import Silent
from nas.storage.checkpoint import seed_everything
from nas.task import Task
from nas.training.evaluate import Diverged, evaluate
from nas.training.fit import TrainResult, fit
from nas.training.recipes import train_defaults
from nas.training.settings import TrainSettings

QUICK: dict[str, Any] = {"epochs": 4, "batch_size": 10, "drop_path": 0.0, "cutout": 0}
BEST: dict[str, Any] = {**QUICK, "optimizer": "adam", "schedule": "constant", "keep": "best"}

training = import_module("nas.training.loop")


class Net(nn.Module):
    """A linear classifier."""

    def __init__(self) -> None:
        super().__init__()
        seed_everything(0)
        self.head = nn.Linear(192, 3)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(x.flatten(1))
        return output


def run(task: Task, network: nn.Module, **changes: Any) -> TrainResult:
    chosen = TrainSettings(**(BEST | changes))
    return fit(network, task, chosen, split="train", evaluate_on="test")


# -- optimizer, schedule --------------------------------------------------------------------------


def test_steps_are_adams_with_weight_decay(tiny_task: Task) -> None:
    """Two epochs of a single batch, made by hand."""
    network, by_hand = Net(), Net()
    changes = {"epochs": 2, "batch_size": 20, "weight_decay": 0.01, "keep": "last"}
    run(tiny_task, network, **changes, learning_rate=0.1, grad_clip=0.0, augment=False)
    ((x, y),) = tiny_task.batches("train", 20)
    weight, bias = by_hand.head.weight, by_hand.head.bias
    means = [torch.zeros_like(p) for p in (weight, bias)]
    squares = [torch.zeros_like(p) for p in (weight, bias)]
    for step in (1, 2):
        gradients = torch.autograd.grad(tiny_task.loss(by_hand(x), y), (weight, bias))
        for p, g, mean, square in zip((weight, bias), gradients, means, squares, strict=True):
            decayed = g + 0.01 * p.detach()
            mean.mul_(0.9).add_(decayed, alpha=0.1)
            square.mul_(0.999).addcmul_(decayed, decayed, value=0.001)
            unbiased = mean / (1 - 0.9**step), square / (1 - 0.999**step)
            p.data -= 0.1 * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
    torch.testing.assert_close(network.head.weight, weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.head.bias, bias, rtol=1e-4, atol=1e-5)


def test_a_constant_rate_does_not_fall(tiny_task: Task) -> None:
    rates = {
        schedule: [r["learning_rate"] for r in run(tiny_task, Net(), schedule=schedule).history]
        for schedule in ("constant", "cosine")
    }
    assert rates["constant"] == [0.025] * 4
    assert rates["cosine"][-1] < rates["cosine"][0] == 0.025


@pytest.mark.parametrize("name", ["optimizer", "schedule", "keep"])
def test_names_that_there_are_not_are_refused(name: str) -> None:
    with pytest.raises(NasError, match=rf"unknown train\.{name} 'adan'"):
        TrainSettings(**{name: "adan"})


# -- the best epoch -------------------------------------------------------------------------------


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Accuracy and loss on the validation split, one pair an epoch, that tests fill in."""
    values: list[tuple[float, float]] = []
    at = iter(range(100))

    def given(network: nn.Module, task: Task, split: str, *args: Any, **kw: Any) -> Any:
        if split != "valid":
            return evaluate(network, task, split, *args, **kw)
        accuracy, loss = values[next(at)]
        return {"accuracy": accuracy, "loss": loss}

    monkeypatch.setattr(training, "evaluate", given)
    return values


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([(0.1, 1.0), (0.3, 1.0), (0.2, 0.5), (0.2, 0.5)], 2),
        ([(0.3, 1.0), (0.3, 0.9), (0.3, 0.8), (0.3, 0.95)], 3),
        ([(0.3, 1.0), (0.3, 1.0), (0.1, 1.0), (0.3, 1.0)], 1),
    ],
)
def test_the_weights_of_the_best_epoch_are_kept(
    tiny_task: Task, judged: list[tuple[float, float]], values: list[tuple[float, float]], best: int
) -> None:
    """The best accuracy; where several have it, the lowest loss; then the first."""
    judged += values
    network, shorter = Net(), Net()
    result = run(tiny_task, network)
    assert result.metrics["epoch"] == best
    assert result.metrics["valid_accuracy"] == values[best - 1][0]
    assert result.metrics["valid_loss"] == values[best - 1][1]
    run(tiny_task, shorter, keep="last", epochs=best)
    assert torch.equal(network.head.weight, shorter.head.weight)
    assert result.metrics["accuracy"] == evaluate(network, tiny_task, "test")["accuracy"]


def test_keeping_the_best_changes_no_step(tiny_task: Task) -> None:
    histories = [run(tiny_task, Net(), keep=keep).history for keep in ("best", "last")]
    for best, last in zip(*histories, strict=True):
        assert best["train_loss"] == last["train_loss"]
        assert "valid_loss" in best and "valid_loss" not in last


def test_validation_examples_that_choose_are_not_trained_on(tiny_task: Task) -> None:
    with pytest.raises(NasError, match=r"training on 'train\+valid' and evaluating on 'valid'"):
        fit(Net(), tiny_task, TrainSettings(**BEST))


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_resumed_training_keeps_the_same_epoch(
    tiny_task: Task, judged: list[tuple[float, float]], tmp_path: Path, after: int
) -> None:
    judged += [(0.1, 1.0), (0.5, 1.0), (0.4, 1.0), (0.2, 1.0)]
    file, done = tmp_path / "checkpoint.pt", 0

    def log(record: dict[str, Any]) -> None:
        nonlocal done
        done += 1
        if done == after:
            raise Killed

    chosen = TrainSettings(**BEST)
    arguments: dict[str, Any] = {"split": "train", "evaluate_on": "test", "checkpoint": file}
    with pytest.raises(Killed):
        fit(Net(), tiny_task, chosen, log=log, **arguments)
    network, whole = Net(), Net()
    result = fit(network, tiny_task, chosen, **arguments)
    assert result.metrics["epoch"] == 2
    run(tiny_task, whole, keep="last", epochs=2)
    assert torch.equal(network.head.weight, whole.head.weight)
    assert fit(Net(), tiny_task, chosen, **arguments).metrics == result.metrics


# -- whose recipe ---------------------------------------------------------------------------------


def test_nodes_have_a_recipe_of_their_own() -> None:
    for scale in ("small", "paper"):
        nodes, others = train_defaults(scale, "nodes"), train_defaults(scale)
        assert (nodes["optimizer"], nodes["keep"], nodes["schedule"]) == (
            "adam",
            "best",
            "constant",
        )
        assert (nodes["learning_rate"], nodes["weight_decay"]) == (0.01, 5e-4)
        for kind in ("examples", "table", "sequence", "graphs"):
            assert train_defaults(scale, kind) == others
            assert TrainEvaluator.defaults(scale, kind) == TrainEvaluator.defaults(scale)
        few = TrainEvaluator.defaults(scale)
        assert TrainEvaluator.defaults(scale, "nodes") == train_defaults("paper", "nodes") | few


def test_text_has_a_recipe_of_its_own_at_small_scale() -> None:
    adam = {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.0}
    assert train_defaults("small", "tokens") == train_defaults("small") | adam
    assert train_defaults("paper", "tokens") == train_defaults("paper")
    few = TrainEvaluator.defaults("small")
    assert TrainEvaluator.defaults("small", "tokens") == adam | few


def test_nodes_are_trained_so_without_the_validation_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    batches = Task.batches

    def watched(self: Task, split: str, *arguments: Any, **settings: Any) -> Any:
        seen.add((split, settings.get("seed") is not None))
        return batches(self, split, *arguments, **settings)

    monkeypatch.setattr(Task, "batches", watched)
    notes: list[str] = []
    progress = Silent()
    monkeypatch.setattr(progress, "note", notes.append)
    train(
        "gcn", space="gnn", data=make_task("nodes"), out=tmp_path / "t",
        settings={"train": {"epochs": 2}}, progress=progress,
    )  # fmt: skip
    assert "recipe for data of kind 'nodes': epochs=2, optimizer=adam, " in notes[-2]
    assert ("train", True) in seen
    assert {split for split, shuffled in seen if shuffled} == {"train"}
    result = json.loads((tmp_path / "t" / "result.json").read_text())
    assert result["train"]["optimizer"] == "adam"
    assert result["valid_accuracy"] == max(r["valid_accuracy"] for r in result["history"])


# -- messages -------------------------------------------------------------------------------------


class Breaks(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * math.nan


@pytest.mark.parametrize(
    ("settings", "group"), [(TrainSettings, "train"), (CandidateSettings, "evaluator")]
)
def test_a_failure_names_the_settings_that_it_ran_with(
    tiny_task: Task, settings: type[TrainSettings], group: str
) -> None:
    with pytest.raises(Diverged, match=rf"lower {group}\.learning_rate, or set {group}\.grad_clip"):
        fit(Breaks(), tiny_task, settings(**QUICK))
    with pytest.raises(NasError, match=rf"{group}\.epochs=0: expected at least 1"):
        settings(epochs=0)

"""Training: the recipe, interruptions, refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.search_spaces.cells.genotypes import DARTS_GENOTYPES
from nas.search_spaces.cells.network import CellNetwork
from nas.settings import fill
from nas.storage.checkpoint import load_checkpoint, save_checkpoint, seed_everything
from nas.task import Task
from nas.training.evaluate import Diverged, OutOfMemory, evaluate
from nas.training.fit import TrainResult, fit
from nas.training.recipes import train_defaults
from nas.training.settings import TrainSettings

QUICK: dict[str, Any] = {"epochs": 3, "batch_size": 8, "learning_rate": 0.1, "drop_path": 0.3}

training = import_module("nas.training.loop")


def make_task(n: int = 60, **settings: Any) -> Task:
    """Noise with a bright corner that tells the class; 24 train, 24 valid, 12 test."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 1, 8, 8)).astype(np.float32), np.arange(n) % 3
    x[:, 0, :4, :4] += 3 * y[:, None, None]
    return Task.from_arrays(x, y, layout="NCHW", **settings)


class Net(nn.Module):
    """A small network with batch norm, dropout and drop path that records what it is told."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        seed_everything(seed)
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten()
        )
        self.head = nn.Linear(4 * 36, 3)
        self.drop_paths: list[float] = []
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen.append(x)
        out: Tensor = self.head(self.body(x))
        return out

    def set_drop_path(self, probability: float) -> None:
        self.drop_paths.append(probability)


def settings(**changes: Any) -> TrainSettings:
    return TrainSettings(**{**QUICK, **changes})


def outcome(network: nn.Module, result: TrainResult) -> tuple[Any, ...]:
    """What has to be the same bit for bit: numbers and weights, not times."""
    history = [
        {name: value for name, value in record.items() if name != "seconds"}
        for record in result.history
    ]
    weights = {name: value.tolist() for name, value in network.state_dict().items()}
    return result.metrics, history, weights


# -- settings -------------------------------------------------------------------------------------


def test_the_papers_settings_are_the_defaults() -> None:
    assert train_defaults("paper") == {}
    chosen = TrainSettings()
    assert (chosen.epochs, chosen.batch_size, chosen.learning_rate) == (600, 96, 0.025)
    assert (chosen.momentum, chosen.weight_decay, chosen.grad_clip) == (0.9, 3e-4, 5.0)
    assert chosen.drop_path == 0.2


def test_small_defaults_are_settings() -> None:
    assert fill(TrainSettings, train_defaults("small"), "train").epochs < 100


def test_another_scale_is_refused() -> None:
    with pytest.raises(NasError, match=r"unknown scale 'smal'.*'small'"):
        train_defaults("smal")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("momentum", 1.0),
        ("weight_decay", -0.1),
        ("grad_clip", -1.0),
        ("drop_path", 1.0),
        ("cutout", -1),
        ("label_smoothing", 1.0),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(NasError, match=rf"train\.{name}={value}: expected "):
        TrainSettings(**{name: value})


# -- the recipe -----------------------------------------------------------------------------------


def test_training_learns() -> None:
    task, network = make_task(), Net()
    before = evaluate(network, task, "test")
    result = fit(network, task, settings(epochs=8, cutout=0, learning_rate=0.05))
    assert set(result.metrics) == {"accuracy", "loss", "train_accuracy", "train_loss"}
    assert result.metrics["accuracy"] > 0.9 > before["accuracy"]
    assert result.metrics["loss"] < before["loss"]
    assert result.metrics["train_loss"] == result.history[-1]["train_loss"]
    assert evaluate(network, task, "test") == {
        name: pytest.approx(result.metrics[name]) for name in ("loss", "accuracy")
    }
    assert not network.training


def test_rate_falls_and_drop_path_grows() -> None:
    network = Net()
    result = fit(network, make_task(), settings(epochs=4))
    rates = [record["learning_rate"] for record in result.history]
    expected = [0.05 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)]
    assert rates == pytest.approx(expected)
    assert network.drop_paths == pytest.approx([0.0, 0.075, 0.15, 0.225])


def test_steps_are_sgd_with_momentum_and_clipping() -> None:
    """Two epochs of a single batch, made by hand."""
    task, network, by_hand = make_task(), Net(), Net()
    chosen = settings(epochs=2, batch_size=24, grad_clip=0.5, cutout=0, augment=False)
    for module in (network, by_hand):
        module.body[3].p = 0.0
    fit(network, task, chosen, split="train", evaluate_on="valid")
    ((x, y),) = task.batches("train", 24)
    parameters = list(by_hand.parameters())
    velocities = [torch.zeros_like(parameter) for parameter in parameters]
    for rate in (0.1, 0.05):
        gradients = torch.autograd.grad(task.loss(by_hand(x), y), parameters)
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        assert norm > 0.5  # so that the limit matters
        with torch.no_grad():
            for p, gradient, v in zip(parameters, gradients, velocities, strict=True):
                v.mul_(0.9).add_(gradient * 0.5 / norm + 3e-4 * p)
                p -= rate * v
    for p, trained in zip(parameters, network.parameters(), strict=True):
        assert torch.allclose(p, trained, atol=1e-5)


def test_a_network_in_evaluation_mode_is_trained_in_training_mode() -> None:
    network = Net().eval()
    fit(network, make_task(), settings(epochs=1))
    assert network.body[1].num_batches_tracked == 6


def blanked(network: Net) -> set[int]:
    """Return the numbers of zeros in the images that the network has seen in training."""
    return {int((image == 0).sum()) for image in torch.cat(network.seen)}


def test_cutout_is_half_of_the_image_unless_set() -> None:
    for changes, largest in (({}, 16), ({"cutout": 2}, 4), ({"cutout": 0}, 0)):
        network = Net()
        fit(network, make_task(), settings(**changes))
        assert max(blanked(network)) == largest, changes
    network = Net()
    fit(network, make_task(), settings(augment=False))
    assert blanked(network) == {0}


def test_every_epoch_has_its_own_order() -> None:
    network = Net()
    fit(network, make_task(), settings(epochs=2, cutout=0))
    first, second = torch.cat(network.seen[:6]), torch.cat(network.seen[6:])
    assert not torch.equal(first, second)
    assert torch.equal(first.flatten(1).sum(1).sort()[0], second.flatten(1).sum(1).sort()[0])


def test_the_auxiliary_head_is_trained() -> None:
    seed_everything(0)
    genotype = DARTS_GENOTYPES["PC_DARTS"]
    network = CellNetwork(genotype, 1, 8, 3, channels=4, layers=2, auxiliary=True)
    before = network.auxiliary_head.classifier.weight.clone()
    fit(network, make_task(), settings(epochs=2, batch_size=24))
    assert not torch.equal(network.auxiliary_head.classifier.weight, before)
    assert network.cells[0].cell.drop_path == pytest.approx(0.15)


def test_label_smoothing_overrides_the_tasks() -> None:
    """It is part of the training, not of the evaluation."""
    tasks = {value: make_task(label_smoothing=value) for value in (0.0, 0.3)}
    frozen = settings(epochs=1, learning_rate=1e-12)
    plain = fit(Net(), tasks[0.0], frozen).metrics
    own = fit(Net(), tasks[0.3], frozen).metrics
    assert own["train_loss"] != plain["train_loss"]
    both = settings(epochs=1, learning_rate=1e-12, label_smoothing=0.3)
    given = fit(Net(), tasks[0.0], both).metrics
    assert given["train_loss"] == own["train_loss"]
    assert given["loss"] == plain["loss"]


def test_a_last_batch_of_one_is_left_out() -> None:
    """Batch norm over one value raises in training."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    result = fit(network, make_task(61), settings(epochs=1, batch_size=6))
    assert make_task(61).size("train+valid") % 6 == 1
    assert math.isfinite(result.metrics["train_loss"])


def test_vectors_are_trained_on_too() -> None:
    rng = np.random.default_rng(0)
    task = Task.from_arrays(rng.normal(size=(40, 5)), np.arange(40) % 2)
    result = fit(nn.Linear(5, 2), task, settings())
    assert 0 <= result.metrics["accuracy"] <= 1


class Convolution(nn.Module):
    """Records the memory format of its activations; `view` does not take channels-last ones."""

    def __init__(self, flatten: str) -> None:
        super().__init__()
        seed_everything(0)
        self.convolution, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4 * 36, 3)
        self.flatten = flatten
        self.channels_last: set[bool] = set()

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(x)
        if self.training:
            self.channels_last.add(x.is_contiguous(memory_format=torch.channels_last))
        x = x.view(len(x), -1) if self.flatten == "view" else x.flatten(1)
        out: Tensor = self.head(x)
        return out


@pytest.mark.parametrize(
    ("flatten", "switch", "used"),
    [("flatten", True, True), ("view", True, False), ("flatten", False, False)],
)
def test_channels_last_where_the_network_allows_it(flatten: str, switch: bool, used: bool) -> None:
    network, plain = Convolution(flatten), Convolution(flatten)
    result = fit(network, make_task(), settings(channels_last=switch))
    assert network.channels_last == {used}
    assert network.convolution.weight.is_contiguous()
    expected = fit(plain, make_task(), settings())
    assert result.metrics["loss"] == pytest.approx(expected.metrics["loss"], rel=1e-3)


# -- splits and evaluation ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "evaluate_on"),
    [("train+valid", "valid"), ("train", "train+valid"), ("train", "train")],
)
def test_judging_on_training_examples_is_refused(split: str, evaluate_on: str) -> None:
    with pytest.raises(NasError, match="share examples"):
        fit(Net(), make_task(), settings(), split=split, evaluate_on=evaluate_on)


def test_unknown_splits_are_refused() -> None:
    with pytest.raises(NasError, match=r"unknown split 'tests'.*'test'"):
        fit(Net(), make_task(), settings(), evaluate_on="tests")


def test_evaluation_of_each_epoch_is_for_the_validation_split() -> None:
    task, network = make_task(), Net()
    result = fit(network, task, settings(), split="train", evaluate_on="valid", each_epoch=True)
    assert result.history[-1]["valid_loss"] == result.metrics["loss"]
    assert all(0 <= record["valid_accuracy"] <= 1 for record in result.history)
    with pytest.raises(NasError, match="test examples"):
        fit(network, task, settings(), each_epoch=True)


def test_evaluating_each_epoch_changes_nothing_else() -> None:
    halves = {"split": "train", "evaluate_on": "valid"}
    one, two = Net(), Net()
    plain = fit(one, make_task(), settings(), **halves)
    fit(two, make_task(), settings(), each_epoch=True, **halves)
    assert outcome(one, plain)[2] == outcome(two, plain)[2]


# -- log and progress -----------------------------------------------------------------------------


class Recorder:
    """A progress that records its bars."""

    def __init__(self) -> None:
        self.bars: list[tuple[str, int, int]] = []
        self.figures: list[dict[str, float]] = []

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Recorder]:
        self.bars.append((title, total, done))
        yield self

    def advance(self, **figures: float) -> None:
        self.figures.append(figures)

    def note(self, message: str) -> None:
        raise AssertionError(message)

    warn = note


def test_log_and_bar() -> None:
    events: list[dict[str, Any]] = []
    recorder = Recorder()
    result = fit(Net(), make_task(), settings(), log=events.append, progress=recorder)
    assert [event["epoch"] for event in events] == [1, 2, 3]
    for event, record in zip(events, result.history, strict=True):
        assert event == {"event": "epoch", "phase": "train", "epochs": 3, **record}
        assert {"train_loss", "train_accuracy", "learning_rate", "seconds"} < set(event)
    assert recorder.bars == [("training", 18, 0)] and len(recorder.figures) == 18
    assert recorder.figures[-1]["loss"] == result.history[1]["train_loss"]
    assert result.seconds == pytest.approx(sum(event["seconds"] for event in events))


def test_figures_are_shown_before_an_epoch_ends() -> None:
    recorder = Recorder()
    fit(Net(), make_task(), settings(epochs=1, batch_size=2), progress=recorder)
    assert recorder.figures[14] == {} and set(recorder.figures[16]) == {"loss", "accuracy"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_network_goes_where_the_data_is() -> None:
    network = Net()
    result = fit(network, make_task(device="cuda"), settings())
    assert network.head.weight.is_cuda and result.metrics["accuracy"] >= 0


# -- failures -------------------------------------------------------------------------------------


def test_divergence_names_the_step() -> None:
    class Breaks(Net):
        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            return out * math.nan if len(self.seen) == 9 else out

    with pytest.raises(Diverged, match=r"loss became nan in epoch 2, step 3; lower train\.l"):
        fit(Breaks(), make_task(), settings())


def test_divergence_of_the_last_step_is_seen() -> None:
    class Breaks(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * (1.0 if self.training else math.inf)

    with pytest.raises(Diverged, match="on 'test'"):
        fit(Breaks(), make_task(), settings(epochs=1))


def test_too_little_memory_names_the_batch_size() -> None:
    class Large(Net):
        def forward(self, x: Tensor) -> Tensor:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    with pytest.raises(OutOfMemory, match=r"batches of 8 examples; lower train\.batch_size"):
        fit(Large(), make_task(), settings())


# -- interruptions --------------------------------------------------------------------------------


def interrupted(path: Path, after: int, **changes: Any) -> None:
    """Train up to an epoch with a checkpoint, and stop as by Ctrl-C in the one after."""

    def stop(event: dict[str, Any]) -> None:
        if event["epoch"] == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Net(), make_task(), settings(**changes), checkpoint=path, log=stop)


@pytest.mark.parametrize(
    ("after", "changes"), [(1, {}), (2, {}), (3, {}), (1, {"channels_last": True})]
)
def test_a_resumed_training_is_the_uninterrupted_one(
    tmp_path: Path, after: int, changes: dict[str, Any]
) -> None:
    whole, resumed = Net(), Net(seed=7)  # the checkpoint brings the weights
    expected = outcome(whole, fit(whole, make_task(), settings(**changes)))
    path = tmp_path / "train" / "state.pt"
    interrupted(path, after, **changes)
    seed_everything(99)
    events: list[dict[str, Any]] = []
    recorder = Recorder()
    result = fit(
        resumed,
        make_task(),
        settings(**changes),
        checkpoint=path,
        log=events.append,
        progress=recorder,
    )
    assert outcome(resumed, result) == expected
    assert [event["epoch"] for event in events] == list(range(after + 1, 4))
    assert recorder.bars == [("training", 18, 6 * after)]
    assert result.seconds > sum(event["seconds"] for event in events)


def test_a_finished_training_returns_at_once(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "state.pt"
    first, again = Net(), Net(seed=7)
    done = fit(first, make_task(), settings(), checkpoint=path)
    monkeypatch.setattr(training, "evaluate", None)
    result = fit(again, make_task(), settings(), checkpoint=path, log=pytest.fail)
    assert outcome(again, result) == outcome(first, done)
    assert result.seconds == done.seconds
    assert not again.training


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_decides(seed: int) -> None:
    one, same, other = Net(), Net(), Net()
    results = [
        outcome(network, fit(network, make_task(), settings(), seed=number))
        for network, number in ((one, seed), (same, seed), (other, seed + 1))
    ]
    assert results[0] == results[1]
    assert results[0] != results[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": settings(learning_rate=0.2)}, r"train\.learning_rate=0\.1 there, 0\.2 here"),
        ({"settings": settings(epochs=4)}, r"train\.epochs=3 there, 4 here"),
        ({"seed": 1}, "seed=0 there, 1 here"),
        ({"split": "train"}, "split='train[+]valid' there, 'train' here"),
        ({"task": make_task(seed=5)}, "another data"),
        ({"task": make_task(label_smoothing=0.1)}, "label_smoothing"),
        ({"network": nn.Sequential(nn.Flatten(), nn.Linear(64, 3))}, "another network"),
    ],
    ids=["setting", "epochs", "seed", "split", "data", "loss", "network"],
)
def test_a_checkpoint_of_another_training_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "state.pt"
    interrupted(path, 1)
    kept = path.read_bytes()
    arguments = {"network": Net(), "task": make_task(), "settings": settings(), **changes}
    with pytest.raises(NasError, match=f"of another training .*{message}.*delete it"):
        fit(**arguments, checkpoint=path)
    assert path.read_bytes() == kept


def test_metrics_of_another_split_are_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    fit(Net(), make_task(), settings(), split="train", checkpoint=path)
    with pytest.raises(NasError, match="evaluate_on='test' there, 'valid' here"):
        fit(Net(), make_task(), settings(), split="train", evaluate_on="valid", checkpoint=path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_checkpoint(path, {"epoch": 3})
    with pytest.raises(NasError, match="of another training"):
        fit(Net(), make_task(), settings(), checkpoint=path)


def test_a_checkpoint_holds_data_only(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    fit(Net(), make_task(), settings(), checkpoint=path)
    state = load_checkpoint(path)
    assert state is not None
    assert [record["epoch"] for record in state["history"]] == [1, 2, 3]
    assert state["metrics"]["accuracy"] >= 0

"""Steps of several paths, phases, sorted units, interruptions in every mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import text_task
from torch import Tensor, nn

from nas.errors import NasError
from nas.evaluators.evaluator import Context
from nas.evaluators.supernet import SupernetEvaluator, SupernetSettings
from nas.evaluators.supernet_paths import extreme
from nas.progress import Bar
from nas.search_spaces.mobilenet import MobileNet
from nas.search_spaces.moe import MoE
from nas.space import SearchSpace
from nas.storage.checkpoint import load_checkpoint, save_checkpoint
from nas.task import Task

QUICK: dict[str, Any] = {"epochs": 3, "batch_size": 10, "learning_rate": 0.05}
SMALL_MOE = {"width": 8, "heads": 2, "expansion": 1}
SMALL_MOBILE = {"stem": "cifar", "scale": 0.25, "dropout": 0.0}


class Interrupted(BaseException):
    """What a test stops a training with."""


class Watcher:
    """Progress that keeps its notes and stops a piece of work after some units."""

    def __init__(self, after: int = 10**6) -> None:
        self.left, self.notes = after, list[str]()

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        yield self

    def advance(self, **figures: float) -> None:
        self.left -= 1
        if not self.left:
            raise Interrupted

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None: ...


def make_moe(
    folder: Path | None = None, progress: Any = None, **settings: Any
) -> SupernetEvaluator:
    values = QUICK | {"paths": "sandwich"} | settings
    context = Context(MoE(1), text_task(), supernet=SMALL_MOE, folder=folder)
    context.progress = progress or Watcher()
    return SupernetEvaluator(context, SupernetSettings(**values))


def make_mobile(
    task: Task, folder: Path | None = None, progress: Any = None, **settings: Any
) -> SupernetEvaluator:
    context = Context(MobileNet(), task, supernet=SMALL_MOBILE, folder=folder)
    context.progress = progress or Watcher()
    return SupernetEvaluator(context, SupernetSettings(**(QUICK | settings)))


def weights(evaluator: SupernetEvaluator) -> dict[str, Tensor]:
    return {name: w.clone() for name, w in evaluator.supernet.state_dict().items()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first.keys() | second.keys())


# -- steps ----------------------------------------------------------------------------------------


def test_gradients_of_a_step_are_the_sum_of_those_of_its_paths() -> None:
    evaluator = make_moe(learning_rate=1e-9, grad_clip=1e9)
    training, supernet, space = (
        evaluator.training,
        evaluator.supernet.eval(),
        evaluator.context.space,
    )
    rng = np.random.default_rng(0)
    step = training.schedule.phase(2).step(lambda r: space.sample(r, 1)[0], rng)
    paths = [supernet.path(architecture) for architecture in step]
    x, y = next(iter(evaluator.context.task.batches("train", 10)))
    losses, right, single = [], [], {name: torch.zeros_like(p) for name, p in named(supernet)}
    for path in paths:
        loss, correct = training.step([path], x, y)
        losses.append(loss)
        right.append(correct)
        for name, parameter in named(supernet):
            if parameter.grad is not None:
                single[name] += parameter.grad
    loss, correct = training.step(paths, x, y)
    assert loss == pytest.approx(np.mean(losses), rel=1e-5) and correct == np.mean(right)
    assert len(set(losses)) == 4
    for name, parameter in named(supernet):
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(found, single[name], rtol=1e-4, atol=1e-7)


def named(supernet: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(supernet.named_parameters())


def test_a_path_that_raises_spoils_no_weights() -> None:
    evaluator = make_moe()
    training, supernet = evaluator.training, evaluator.supernet
    good = supernet.path(extreme(MoE(1), True, np.random.default_rng(0)))
    before = weights(evaluator)
    x, y = next(iter(evaluator.context.task.batches("train", 10)))
    assert training._try_step([good, {}], x, y) is None
    assert equal(before, weights(evaluator)) and training.failures == 1


# -- phases ---------------------------------------------------------------------------------------


def phases(evaluator: SupernetEvaluator) -> list[str | None]:
    events: list[dict[str, Any]] = []
    evaluator.context.log = events.append
    evaluator.prepare()
    return [event.get("paths") for event in events]


def test_the_log_and_the_progress_name_the_phase(tiny_task: Task) -> None:
    progress = Watcher()
    found = phases(make_moe(epochs=4, progress=progress))
    assert found == ["largest", "sandwich", "sandwich", "sandwich"]
    assert progress.notes == [
        "supernet, from epoch 1: largest", "supernet, from epoch 2: sandwich",
    ]  # fmt: skip
    assert phases(make_moe(paths="single")) == [None] * 3
    assert phases(make_moe(largest_epochs=0)) == ["sandwich"] * 3


def test_progressive_shrinking_is_usual_where_a_space_has_it(tiny_task: Task) -> None:
    found = phases(make_mobile(tiny_task, epochs=7, batch_size=20))
    assert found == ["full", "kernel", "depth", "depth", "expansion", "expansion", "width"]
    assert phases(make_mobile(tiny_task, paths="single", epochs=1)) == [None]


def test_units_are_sorted_once_between_the_largest_and_the_first_smaller_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluator = make_moe(epochs=5, largest_epochs=2)
    done: list[int] = []
    sort = evaluator.supernet.network.sort_hidden
    training = evaluator.training

    def watched() -> None:
        done.append(training.epoch)
        assert training.optimizer.state
        sort()

    training._sort = watched
    passed = training._pass

    def without_momentum(*arguments: Any) -> dict[str, float]:
        assert not (done and training.epoch == 2 and training.optimizer.state)
        return passed(*arguments)

    monkeypatch.setattr(training, "_pass", without_momentum)
    evaluator.prepare()
    assert done == [2]


def test_nothing_is_sorted_where_smaller_sizes_run_from_the_start() -> None:
    for settings in ({"largest_epochs": 0}, {"paths": "single"}, {"epochs": 1}):
        evaluator = make_moe(**settings)
        evaluator.training._sort = lambda: pytest.fail("sorted")
        evaluator.prepare()


# -- interruptions --------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("paths", ["single", "sandwich"])
def test_interrupted_training_goes_on_bit_for_bit(tmp_path: Path, paths: str, after: int) -> None:
    """Also around the epoch before which units are sorted, the third."""
    settings: dict[str, Any] = {"paths": paths, "epochs": 4, "largest_epochs": 2}
    whole = make_moe(**settings)
    whole.prepare()
    with pytest.raises(Interrupted):
        make_moe(folder=tmp_path, progress=Watcher(after), **settings).prepare()
    resumed = make_moe(folder=tmp_path, **settings)
    resumed.prepare()
    assert equal(weights(whole), weights(resumed))


def test_interrupted_progressive_shrinking_goes_on_bit_for_bit(
    tiny_task: Task, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 20}
    whole = make_mobile(tiny_task, **settings)
    whole.prepare()
    with pytest.raises(Interrupted):
        make_mobile(tiny_task, tmp_path, Watcher(after=2), **settings).prepare()
    resumed = make_mobile(tiny_task, tmp_path, **settings)
    resumed.prepare()
    assert equal(weights(whole), weights(resumed))


def test_a_sandwich_of_proposals_goes_on_bit_for_bit(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "train_on": "proposals", "warmup_epochs": 1, "proposals_per_epoch": 2, "epochs": 4,
    }  # fmt: skip
    drawn = MoE(1).sample(np.random.default_rng(0), 6)
    whole = make_moe(tmp_path, **settings)
    whole.prepare()
    resumed = make_moe(tmp_path, **settings)
    resumed.prepare()
    for at, architecture in enumerate(drawn):
        whole.observe(architecture, whole([architecture])[0])
        if at == 2:
            save_checkpoint(tmp_path / "search.pt", whole.state_dict())
            resumed.load_state_dict(load_checkpoint(tmp_path / "search.pt") or {})
        if at > 2:
            resumed.observe(architecture, resumed([architecture])[0])
    assert whole.training.epoch == 4
    assert equal(weights(whole), weights(resumed))


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"paths": "sandwhich"}, "Did you mean 'sandwich'"),
        ({"largest_epochs": -1}, "largest_epochs=-1: expected at least 0"),
        ({"paths": "progressive", "train_on": "proposals"}, "cannot go with"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        SupernetSettings(**settings)


def test_progressive_shrinking_of_a_space_without_it_is_refused_before_a_search() -> None:
    space: SearchSpace = MoE(1)
    with pytest.raises(NasError, match="no stages of shrinking"):
        SupernetEvaluator.require(space, SupernetSettings(paths="progressive"))


# -- what is measured -----------------------------------------------------------------------------


def test_text_is_scored_in_bits_per_byte_too() -> None:
    evaluator = make_moe(epochs=1, paths="single")
    found = evaluator(MoE(1).sample(np.random.default_rng(0), 3))
    assert {"accuracy", "loss", "bits_per_byte"} <= {*evaluator.metrics}
    for measurement in found:
        metrics = measurement.metrics
        assert metrics["bits_per_byte"] == pytest.approx(metrics["loss"] / np.log(2))

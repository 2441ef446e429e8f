"""The loop around a differentiable strategy: epochs, collapse, stopping early, interruptions."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.errors import NasError
from nas.mutables import OneOf
from nas.progress import Bar
from nas.run import Run
from nas.search.collapse import collapse, identity_counts
from nas.search.differentiable import run_differentiable
from nas.search.memory import estimate_search
from nas.search_spaces.darts import DARTS
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.differentiable.settings import DifferentiableSettings
from nas.strategies.differentiable.strategy import DifferentiableStrategy
from nas.task import Task

SPACE = NASBench201()
SKIPS = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
CONFIG: dict[str, Any] = {
    "space": "nas-bench-201",
    "objective": "accuracy",
    "settings": {},
    "task": {"input_shape": [3, 8, 8], "outputs": 3},
}


class Interrupted(BaseException):
    """What a test stops a search with."""


class Heard:
    """Progress that keeps what was said, and stops after some epochs."""

    def __init__(self, stop_after: int = 0) -> None:
        self.left = stop_after
        self.notes: list[str] = []
        self.warnings: list[str] = []

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        yield self

    def advance(self, **figures: float) -> None:
        self.left -= 1
        if not self.left:
            raise Interrupted

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


class Script:
    """Sets, epoch by epoch, which architecture the gates choose, in place of training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
        rows = [SPACE.parse(text).choices for text in texts]

        def scores(strategy: DifferentiableStrategy) -> dict[str, Any]:
            row = rows[min(strategy.epoch, len(rows) - 1)]
            return {
                decision.name: np.eye(len(decision.options))[choice]
                for decision, choice in zip(SPACE.decisions, row, strict=True)
            }

        monkeypatch.setattr(DifferentiableStrategy, "scores", scores)


def strategy_of(task: Task, **settings: Any) -> DifferentiableStrategy:
    torch.manual_seed(0)
    supernet = SPACE.supernet(task.info, channels=4, cells=1)
    chosen = {"epochs": 4, "batch_size": 8, "gate_lr": 0.1} | settings
    return DifferentiableStrategy(DifferentiableSettings(**chosen), supernet, task)


def search(
    folder: Path, task: Task, progress: Heard | None = None, seed: int = 0, **settings: Any
) -> tuple[Architecture, DifferentiableStrategy]:
    run = Run.create(folder, CONFIG, SPACE)
    strategy = strategy_of(task, **settings)
    return run_differentiable(run, strategy, task, seed, progress or Heard()), strategy


def events(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in e.items() if k != "seconds"} for e in Run(folder).events()]


# -- epochs ---------------------------------------------------------------------------------------


def test_every_epoch_is_logged(tmp_path: Path, tiny_task: Task) -> None:
    found, _ = search(tmp_path, tiny_task, warm_up=0.5)
    logged = [event for event in events(tmp_path) if event["event"] == "epoch"]
    assert [event["epoch"] for event in logged] == [1, 2, 3, 4]
    for event in logged:
        assert (event["phase"], event["epochs"]) == ("search", 4)
        assert SPACE.check(SPACE.parse(event["architecture"])) is None
        assert 0 <= event["train_accuracy"] <= 1
        assert ("valid_loss" in event) == (event["epoch"] > 2)  # gates frozen until then
    assert SPACE.format(found) == logged[-1]["architecture"]


def test_the_two_halves_are_kept_apart(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[float]] = {"train": set(), "valid": set()}

    def step(self: Any, train_batch: Any, valid_batch: Any) -> dict[str, float]:
        for split, (x, _) in (("train", train_batch), ("valid", valid_batch)):
            assert len(x) == 8
            seen[split] |= set(x[:, 0, 0, 0].tolist())
        return {"train_count": 8.0, "train_loss": 8.0, "train_correct": 4.0}

    monkeypatch.setattr(DifferentiableStrategy, "step", step)
    search(tmp_path, tiny_task)
    for split, values in seen.items():
        [(x, _)] = list(tiny_task.batches(split, 20))
        assert values == set(x[:, 0, 0, 0].tolist())  # over the epochs, all of them
    assert not seen["train"] & seen["valid"]


def test_data_that_fill_no_batch_are_one_batch(tmp_path: Path, tiny_task: Task) -> None:
    search(tmp_path, tiny_task, batch_size=1000, epochs=1)
    assert events(tmp_path)[0]["train_accuracy"] in [n / 20 for n in range(21)]


def test_the_seed_decides(tmp_path: Path, tiny_task: Task) -> None:
    logs = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        search(tmp_path / name, tiny_task, seed=seed, relaxation="gumbel")
        logs.append(events(tmp_path / name))
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


# -- collapse -------------------------------------------------------------------------------------


def test_identities_are_counted_by_cell() -> None:
    assert identity_counts(SPACE, SPACE.parse(SKIPS)) == {"cell": (4, 6)}
    darts = DARTS()
    counts = identity_counts(darts, darts.catalogue()["DARTS_V2"])
    assert counts == {"normal": (2, 8), "reduction": (3, 8)}


def test_more_than_half_is_a_collapse() -> None:
    reason = collapse(SPACE, SPACE.parse(SKIPS))
    assert reason is not None
    assert "4 of 6 operations of cell 'cell' are skip_connect" in reason
    assert "--strategy drnas or pc-darts" in reason and "stop_at_identities" in reason


def test_half_is_none() -> None:
    text = "|skip_connect~0|+|skip_connect~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
    assert collapse(SPACE, SPACE.parse(text)) is None
    darts = DARTS()
    for name, architecture in darts.catalogue().items():
        assert collapse(darts, architecture) is None, name


def test_a_collapsed_cell_among_two_is_named() -> None:
    darts = DARTS()
    found = darts.catalogue()["DARTS_V2"]
    row = list(found.choices)
    skip = darts.operations.index("skip_connect")
    operations = [
        i
        for i, d in enumerate(darts.decisions)
        if d.name.startswith("reduction") and "op" in d.name
    ]
    for column in operations:
        row[column] = skip
    reason = collapse(darts, Architecture("darts", tuple(row)))
    assert reason is not None and "8 of 8 operations of cell 'reduction'" in reason


def test_a_space_without_identities_never_collapses() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.choice = OneOf([nn.Identity(), nn.Linear(3, 3)])

    space = ModuleSpace(Net)
    for architecture in space.sample(np.random.default_rng(0), 5):
        assert collapse(space, architecture) is None
        assert identity_counts(space, architecture) == {"": (0, 1)}


GOOD = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"


def test_a_collapse_is_warned_of_once(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    Script(monkeypatch, GOOD, SKIPS, SKIPS, GOOD)
    heard = Heard()
    found, _ = search(tmp_path, tiny_task, heard)
    assert SPACE.format(found) == GOOD
    [warning] = heard.warnings
    assert warning.startswith("epoch 2: collapse: 4 of 6")
    assert [e["message"] for e in events(tmp_path) if e["event"] == "warning"] == [warning]
    epochs = [e for e in events(tmp_path) if e["event"] == "epoch"]
    assert [e["identities"] for e in epochs] == [1, 4, 4, 1]


def test_no_warning_while_the_gates_are_frozen(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    Script(monkeypatch, SKIPS, SKIPS, GOOD)
    heard = Heard()
    search(tmp_path, tiny_task, heard, warm_up=0.5)
    assert not heard.warnings


def test_stopping_at_identities_returns_the_architecture_before(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    Script(monkeypatch, GOOD, GOOD, SKIPS, GOOD)
    heard = Heard()
    found, _ = search(tmp_path, tiny_task, heard, stop_at_identities=2)
    assert SPACE.format(found) == GOOD
    assert "stopped in epoch 3: a cell has 4 identity operations" in heard.warnings
    assert len([e for e in events(tmp_path) if e["event"] == "epoch"]) == 3
    again, _ = search(tmp_path, tiny_task, stop_at_identities=2)  # from the checkpoint
    assert again == found


def test_identities_that_were_there_at_the_start_do_not_stop_a_search(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gates start at random; only a rise says that identities take over."""
    Script(monkeypatch, SKIPS, SKIPS, GOOD, SKIPS)
    heard = Heard()
    found, _ = search(tmp_path, tiny_task, heard, stop_at_identities=2)
    assert SPACE.format(found) == GOOD
    assert "stopped in epoch 4: a cell has 4 identity operations" in heard.warnings


# -- memory ---------------------------------------------------------------------------------------


@pytest.fixture
def always_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimate memory for a search however short."""
    monkeypatch.setattr("nas.costs.memory_watch._WORTH", 0)


@pytest.mark.usefixtures("always_said")
def test_memory_is_said_before_the_first_epoch(tmp_path: Path, tiny_task: Task) -> None:
    heard = Heard()
    search(tmp_path, tiny_task, heard)
    [note] = heard.notes
    assert re.fullmatch(r"memory: about [\d.]+ [KM]iB of .* \(batch 8\)", note)
    first, *others = events(tmp_path)
    assert first["event"] == "memory" and first["batch_size"] == 8
    assert 0 < first["gradients"] < first["weights"] < first["total"]
    assert all(event["event"] == "epoch" for event in others)


@pytest.mark.usefixtures("always_said")
def test_memory_is_logged_once(tmp_path: Path, tiny_task: Task) -> None:
    with pytest.raises(Interrupted):
        search(tmp_path, tiny_task, Heard(stop_after=2))
    heard = Heard()
    search(tmp_path, tiny_task, heard)
    assert len(heard.notes) == 1
    assert [event["event"] for event in events(tmp_path)] == ["memory", *["epoch"] * 4]


@pytest.mark.parametrize("relaxation", ["softmax", "gumbel-hard"])
def test_an_estimate_changes_nothing(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch, relaxation: str
) -> None:
    found, without = search(tmp_path / "without", tiny_task, relaxation=relaxation)
    monkeypatch.setattr("nas.costs.memory_watch._WORTH", 0)
    again, strategy = search(tmp_path / "with", tiny_task, relaxation=relaxation)
    assert again == found
    assert events(tmp_path / "with")[1:] == events(tmp_path / "without")
    weights = without.supernet.state_dict()
    for name, tensor in strategy.supernet.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_an_estimate_of_a_search(tiny_task: Task) -> None:
    strategy = strategy_of(tiny_task)
    assert (
        estimate_search(strategy, tiny_task, 20).total
        > estimate_search(strategy, tiny_task, 8).total
    )
    assert all(weight.grad is None for weight in strategy.weights)
    assert all(logits.grad is None for logits in strategy.logits.values())


@pytest.mark.usefixtures("always_said")
def test_what_does_not_fit_is_warned_of(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = estimate_search(strategy_of(tiny_task), tiny_task, 8)
    free = need.at(3) - need.weights - need.optimizer  # which are there already
    monkeypatch.setattr("nas.costs.memory_watch.free_memory", lambda device: free)
    monkeypatch.setitem(CONFIG["settings"], "supernet", {"channels": 4, "cells": 1})
    heard = Heard()
    search(tmp_path, tiny_task, heard, epochs=1)
    [warning] = heard.warnings
    assert "what would fit: --set batch_size=3, or " in warning
    assert "--set supernet.channels=2" in warning
    assert [e["message"] for e in events(tmp_path) if e["event"] == "warning"] == [warning]


def failing(monkeypatch: pytest.MonkeyPatch, message: str) -> list[Any]:
    """Let steps raise from the second epoch on; return references to what such a step holds."""
    made: list[Any] = []
    step = DifferentiableStrategy.step

    def too_large(self: DifferentiableStrategy, *batches: Any) -> dict[str, float]:
        if self.epoch < 1:
            return step(self, *batches)
        tensor = torch.ones(5)
        made.append(weakref.ref(tensor))
        raise RuntimeError(message)

    monkeypatch.setattr(DifferentiableStrategy, "step", too_large)
    return made


def test_a_batch_that_does_not_fit_is_reported(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = search(tmp_path / "whole", tiny_task)
    with monkeypatch.context() as patch, pytest.raises(NasError) as caught:
        failing(patch, "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0")
        search(tmp_path / "cut", tiny_task)
    text = str(caught.value)
    assert "out of memory with batches of 8 examples on cpu; 20.00 MiB more were asked for" in text
    assert "the estimate is about" in text and "what would fit: --set batch_size=" in text
    assert text.endswith(
        "Other settings need another --out; this run keeps 1 of 4 epochs and goes on where there "
        f"is more memory: nas resume {tmp_path / 'cut'}"
    )
    resumed, _ = search(tmp_path / "cut", tiny_task)
    assert resumed == whole and events(tmp_path / "cut") == events(tmp_path / "whole")


def test_the_tensors_of_a_step_are_gone_when_it_is_explained(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Estimating, then, has the memory that the step had."""
    made, gone = failing(monkeypatch, "out of memory"), []
    explain = lambda watch, error: gone.append(made[0]() is None) or "why"  # noqa: E731
    monkeypatch.setattr("nas.costs.memory_watch.MemoryWatch.explain", explain)
    with pytest.raises(NasError, match=r"^why"):
        search(tmp_path, tiny_task)
    assert gone == [True]


def test_other_errors_of_a_step_are_not_of_memory(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "shapes differ")
    with pytest.raises(RuntimeError, match=r"^shapes differ$"):
        search(tmp_path, tiny_task)


# -- interruptions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "selection"),
    [
        *((after, selection) for after in (1, 2, 3) for selection in ("magnitude", "perturbation")),
        *((after, "perturbation") for after in (5, 20, 45)),  # while it selects
    ],
)
def test_an_interrupted_search_ends_bit_for_bit(
    tmp_path: Path, tiny_task: Task, after: int, selection: str
) -> None:
    settings: dict[str, Any] = {"selection": selection, "relaxation": "gumbel-hard", "epochs": 3}
    whole, first = search(tmp_path / "whole", tiny_task, **settings)
    with pytest.raises(Interrupted):
        search(tmp_path / "cut", tiny_task, Heard(stop_after=after), **settings)
    torch.manual_seed(5)  # another start must not matter
    resumed, second = search(tmp_path / "cut", tiny_task, **settings)
    assert resumed == whole
    weights, weights_2 = first.supernet.state_dict(), second.supernet.state_dict()
    assert all(torch.equal(weights[name], weights_2[name]) for name in weights)
    assert events(tmp_path / "cut") == events(tmp_path / "whole")


def test_events_after_the_last_checkpoint_are_forgotten(tmp_path: Path, tiny_task: Task) -> None:
    with pytest.raises(Interrupted):
        search(tmp_path, tiny_task, Heard(stop_after=2))
    Run(tmp_path).log({"event": "epoch", "phase": "search", "epoch": 3, "half": "done"})
    search(tmp_path, tiny_task)
    assert [e["epoch"] for e in events(tmp_path)] == [1, 2, 3, 4]
    assert not any("half" in e for e in events(tmp_path))


def test_a_log_without_a_checkpoint_starts_over(tmp_path: Path, tiny_task: Task) -> None:
    run = Run.create(tmp_path, CONFIG, SPACE)
    run.log({"event": "epoch", "phase": "search", "epoch": 1})
    search(tmp_path, tiny_task)
    assert [e["epoch"] for e in events(tmp_path)] == [1, 2, 3, 4]


def test_a_checkpoint_of_another_search_is_refused(tmp_path: Path, tiny_task: Task) -> None:
    Run.create(tmp_path, CONFIG, SPACE)
    (tmp_path / "checkpoint").mkdir()
    torch.save({"number": 3, "strategy": {}}, tmp_path / "checkpoint" / "search.pt")
    with pytest.raises(NasError, match=r"search\.pt is of another search .*delete it"):
        search(tmp_path, tiny_task)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path, tiny_task: Task) -> None:
    search(tmp_path, tiny_task)
    file = tmp_path / "checkpoint" / "search.pt"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(NasError, match=r"search\.pt is damaged .*delete it to start over"):
        search(tmp_path, tiny_task)

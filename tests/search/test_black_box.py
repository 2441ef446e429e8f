"""The loop around a black-box strategy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

from nas.errors import NasError
from nas.evaluators.evaluator import Context, Evaluator
from nas.objective import Measurement, Objective
from nas.progress import Bar, Silent
from nas.run import Run
from nas.search import black_box as black_box_module
from nas.search.black_box import run_black_box
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.strategies.random import RandomSearch
from nas.strategies.strategy import Strategy
from nas.task import Task

SPACE = NASBench201()
CONFIG: dict[str, Any] = {
    "space": "nas-bench-201",
    "objective": "accuracy",
    "settings": {},
    "task": {"input_shape": [3, 8, 8], "outputs": 3},
}


def architecture(*choices: int) -> Architecture:
    return Architecture(SPACE.name, choices)


class Listed(Strategy):
    """Proposes what it is given, again and again from the start, and remembers what it is told."""

    proposals: Sequence[Architecture] = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.asked = 0
        self.told: list[tuple[Architecture, Measurement]] = []

    def ask(self, n: int) -> list[Architecture]:
        assert n == 1
        self.asked += 1
        return [self.proposals[(self.asked - 1) % len(self.proposals)]]

    def tell(self, results: Sequence[tuple[Architecture, Measurement]]) -> None:
        self.told += results

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"asked": self.asked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.asked = state["asked"]


def listed(*proposals: Architecture) -> Listed:
    strategy = Listed(SPACE, Objective())
    strategy.proposals = proposals
    return strategy


class Counting(Evaluator):
    """Says how many convolutions there are, in thousandths; fails, or is stopped, on demand."""

    failing: tuple[Architecture, ...] = ()
    stop_after: int | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.evaluated: list[Architecture] = []

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        if len(self.evaluated) == self.stop_after:
            raise KeyboardInterrupt
        self.evaluated.append(architecture)
        if architecture in self.failing:
            raise RuntimeError("no")
        return {"accuracy": sum("conv" in name for name in SPACE.operations(architecture)) / 1000}


@pytest.fixture
def evaluator(tiny_task: Task) -> Counting:
    return Counting(Context(SPACE, tiny_task))


def run_of(folder: Path, objective: str = "accuracy") -> Run:
    return Run.create(folder, CONFIG | {"objective": objective}, SPACE)


def search(run: Run, strategy: Strategy, evaluator: Evaluator, evaluations: int) -> Any:
    with run.locked():
        return run_black_box(run, strategy, evaluator, evaluations, Silent())


def test_the_budget_is_spent_and_the_best_is_returned(tmp_path: Path, evaluator: Counting) -> None:
    run = run_of(tmp_path)
    best = search(run, RandomSearch(SPACE, Objective()), evaluator, 20)
    trials = run.trials()
    assert len(trials) == len(evaluator.evaluated) == 20
    assert [t.architecture for t in trials] == evaluator.evaluated
    assert [t.number for t in trials] == list(range(20))
    top = max(t.measurement.metrics["accuracy"] for t in trials)
    assert best.measurement.metrics["accuracy"] == top


def test_the_first_of_equals_is_the_best(tmp_path: Path, evaluator: Counting) -> None:
    worse, first, equal = (architecture(0, 0, 0, operation, 0, 0) for operation in (1, 2, 3))
    best = search(run_of(tmp_path), listed(worse, first, equal), evaluator, 3)
    assert (best.number, best.architecture) == (1, first)


def test_minimising(tmp_path: Path, evaluator: Counting) -> None:
    none, conv = architecture(0, 0, 0, 0, 0, 1), architecture(0, 0, 0, 3, 0, 0)
    best = search(run_of(tmp_path, "-accuracy"), listed(conv, none), evaluator, 2)
    assert best.architecture == none
    assert run_of(tmp_path, "-accuracy").study.direction == optuna.study.StudyDirection.MINIMIZE


def test_equal_networks_are_evaluated_once_and_told_again(
    tmp_path: Path, evaluator: Counting
) -> None:
    """`none` into a node makes all that leaves it nothing: different rows, one network."""
    first, same = architecture(0, 0, 0, 3, 0, 0), architecture(0, 0, 3, 3, 3, 0)
    other = architecture(0, 0, 0, 2, 0, 0)
    assert SPACE.canonical(first) == SPACE.canonical(same)
    strategy = listed(first, same, first, other)
    run = run_of(tmp_path)
    search(run, strategy, evaluator, 2)
    assert evaluator.evaluated == [first, other]
    assert [a for a, _ in strategy.told] == [first, same, first, other]
    assert strategy.told[0][1] is strategy.told[1][1] is strategy.told[2][1]


def test_a_strategy_with_nothing_new_ends_the_search(tmp_path: Path, evaluator: Counting) -> None:
    strategy = listed(architecture(0, 0, 0, 3, 0, 0), architecture(0, 0, 0, 2, 0, 0))
    run = run_of(tmp_path)
    search(run, strategy, evaluator, 50)
    assert len(run.trials()) == 2


def test_failures_are_recorded_and_the_search_goes_on(tmp_path: Path, evaluator: Counting) -> None:
    bad, good = architecture(0, 0, 0, 3, 0, 0), architecture(0, 0, 0, 2, 0, 0)
    evaluator.failing = (bad,)
    run, strategy = run_of(tmp_path), listed(bad, good, bad)
    best = search(run, strategy, evaluator, 2)
    assert best.architecture == good
    failed, complete = run.study.trials
    assert failed.state == optuna.trial.TrialState.FAIL
    assert complete.state == optuna.trial.TrialState.COMPLETE
    assert strategy.told[0][1].error == "RuntimeError: no"
    statuses = [event["status"] for event in run.events()]
    assert statuses == ["failed", "ok"]


def test_nothing_but_failures_is_an_error_with_the_reason(
    tmp_path: Path, evaluator: Counting
) -> None:
    bad = architecture(0, 0, 0, 3, 0, 0)
    evaluator.failing = (bad,)
    with pytest.raises(NasError, match="none of 1 architectures could be evaluated: RuntimeError"):
        search(run_of(tmp_path), listed(bad), evaluator, 1)


def test_an_invalid_proposal_is_an_error(tmp_path: Path, evaluator: Counting) -> None:
    with pytest.raises(NasError, match="not in the range 0 to 4"):
        search(run_of(tmp_path), listed(architecture(0, 0, 0, 0, 0, 9)), evaluator, 1)


# -- many at once ---------------------------------------------------------------------------------


class Groups(Counting):
    """Evaluates many at once, and remembers how many."""

    at_once = 6  # type: ignore[assignment]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.groups: list[int] = []

    def evaluate_many(
        self, architectures: Sequence[Architecture]
    ) -> list[dict[str, float] | Exception]:
        self.groups.append(len(architectures))
        return super().evaluate_many(architectures)


def trials_of(folder: Path) -> list[Any]:
    return [(t.number, t.architecture, t.measurement.metrics) for t in run_of(folder).trials()]


def test_a_strategy_that_does_not_learn_has_many_evaluated_at_once(
    tmp_path: Path, tiny_task: Task, evaluator: Counting
) -> None:
    groups = Groups(Context(SPACE, tiny_task))
    for folder, judge in ((tmp_path / "one", evaluator), (tmp_path / "many", groups)):
        best = search(run_of(folder), RandomSearch(SPACE, Objective()), judge, 20)
        assert best.number == max(
            range(20), key=lambda i: (trials_of(folder)[i][2]["accuracy"], -i)
        )
    assert trials_of(tmp_path / "one") == trials_of(tmp_path / "many")
    assert groups.groups == [6, 6, 6, 2]


def test_a_strategy_that_learns_is_told_before_it_is_asked_again(
    tmp_path: Path, tiny_task: Task
) -> None:
    groups = Groups(Context(SPACE, tiny_task))
    search(run_of(tmp_path), listed(*(architecture(0, 0, 0, i, 0, 0) for i in range(4))), groups, 4)
    assert groups.groups == [1, 1, 1, 1]


def test_duplicates_within_a_group_are_evaluated_once(tmp_path: Path, tiny_task: Task) -> None:
    class Random(RandomSearch):
        def ask(self, n: int) -> list[Architecture]:
            return [architecture(0, 0, 0, int(self.rng.integers(2, 4)), 0, 0)]

    groups, progress = Groups(Context(SPACE, tiny_task)), Noting()
    run = run_of(tmp_path)
    with run.locked():
        run_black_box(run, Random(SPACE, Objective()), groups, 50, progress)
    assert len(run.trials()) == len(groups.evaluated) == 2
    assert progress.notes == ["the strategy has proposed nothing new 1000 times: done"]
    assert progress.advanced == 2
    again = Groups(Context(SPACE, tiny_task))
    search(run_of(tmp_path), Random(SPACE, Objective()), again, 50)
    assert not again.evaluated


class Noting(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.advanced = 0

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        yield self

    def advance(self, **figures: float) -> None:
        self.advanced += 1

    def note(self, message: str) -> None:
        self.notes.append(message)


def test_one_failure_in_a_group(tmp_path: Path, tiny_task: Task) -> None:
    groups, strategy = Groups(Context(SPACE, tiny_task)), RandomSearch(SPACE, Objective())
    proposals = [RandomSearch.ask(RandomSearch(SPACE, Objective()), 1)[0]]
    groups.failing = (proposals[0],)
    run = run_of(tmp_path)
    search(run, strategy, groups, 6)
    assert [t.measurement.ok for t in run.trials()] == [False, *[True] * 5]
    assert [event["status"] for event in run.events()] == ["failed", *["ok"] * 5]


def test_groups_are_as_large_as_patience(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(black_box_module.time, "perf_counter", lambda: now[0])

    def slow(self: Groups, architectures: Sequence[Architecture]) -> list[Measurement]:
        self.groups.append(len(architectures))
        now[0] += 3.0 * len(architectures)
        return [Measurement({"accuracy": 0.5}) for _ in architectures]

    monkeypatch.setattr(Groups, "__call__", slow)
    groups = Groups(Context(SPACE, tiny_task))
    search(run_of(tmp_path), RandomSearch(SPACE, Objective()), groups, 14)
    assert groups.groups == [6, 3, 3, 2]  # 10 seconds at most, once the pace is known


@pytest.mark.parametrize("stop_after", [0, 1, 5, 6, 9])
@pytest.mark.parametrize("keep", [True, False])
def test_an_interruption_within_a_group(
    tmp_path: Path, tiny_task: Task, stop_after: int, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while a group is recorded; the resumed search has other groups."""
    monkeypatch.setattr(black_box_module, "_SAVE_EVERY", -1.0 if keep else 1e9)
    whole, cut, again = (Groups(Context(SPACE, tiny_task)) for _ in range(3))
    search(run_of(tmp_path / "whole"), RandomSearch(SPACE, Objective()), whole, 14)
    record = Run.record

    def killed(run: Run, *arguments: Any) -> int:
        if len(run.trials()) == stop_after:
            raise KeyboardInterrupt
        return record(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            search(run_of(tmp_path / "cut"), RandomSearch(SPACE, Objective()), cut, 14)
    search(run_of(tmp_path / "cut"), RandomSearch(SPACE, Objective()), again, 14)
    assert len(again.evaluated) == 14 - stop_after  # nothing that is recorded is evaluated again
    assert trials_of(tmp_path / "whole") == trials_of(tmp_path / "cut")
    logs = [
        [(e["number"], e["metrics"]) for e in run_of(tmp_path / name).events()]
        for name in ("whole", "cut")
    ]
    assert logs[0] == logs[1]


# -- interruptions --------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [0, 1, 5, 9])
@pytest.mark.parametrize("keep", [True, False])
def test_an_interrupted_search_ends_the_same(
    tmp_path: Path, tiny_task: Task, stop_after: int, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a checkpoint after every trial, or none at all: then the study is replayed."""
    monkeypatch.setattr(black_box_module, "_SAVE_EVERY", -1.0 if keep else 1e9)
    results = []
    for folder, stop in ((tmp_path / "whole", None), (tmp_path / "cut", stop_after)):
        evaluator = Counting(Context(SPACE, tiny_task))
        if stop is not None:
            evaluator.stop_after = stop
            with pytest.raises(KeyboardInterrupt):
                search(run_of(folder), RandomSearch(SPACE, Objective()), evaluator, 10)
            again = Counting(Context(SPACE, tiny_task))
            best = search(run_of(folder), RandomSearch(SPACE, Objective()), again, 10)
            assert len(again.evaluated) == 10 - stop  # nothing is evaluated twice
        else:
            best = search(run_of(folder), RandomSearch(SPACE, Objective()), evaluator, 10)
        trials = [
            (t.number, t.architecture, t.measurement.metrics) for t in run_of(folder).trials()
        ]
        logged = [(e["number"], e["metrics"]) for e in run_of(folder).events()]
        results.append((best.number, trials, logged))
    assert results[0] == results[1]


def test_duplicates_are_known_again_after_an_interruption(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(black_box_module, "_SAVE_EVERY", -1.0)
    first, same = architecture(0, 0, 0, 3, 0, 0), architecture(0, 0, 3, 3, 3, 0)
    other = architecture(0, 0, 0, 2, 0, 0)
    cut, again = (Counting(Context(SPACE, tiny_task)) for _ in range(2))
    cut.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        search(run_of(tmp_path), listed(first, other, same), cut, 2)
    strategy = listed(first, same, other)
    search(run_of(tmp_path), strategy, again, 2)
    assert cut.evaluated == [first]
    assert again.evaluated == [other]
    assert [a for a, _ in strategy.told] == [same, other]  # goes on where it was


def test_a_trial_that_was_recorded_but_not_logged_is_logged(
    tmp_path: Path, evaluator: Counting
) -> None:
    run = run_of(tmp_path)
    search(run, RandomSearch(SPACE, Objective()), evaluator, 3)
    log = (tmp_path / "log.jsonl").read_text()
    (tmp_path / "log.jsonl").write_text("".join(log.splitlines(keepends=True)[:2]))
    (tmp_path / "checkpoint" / "search.pt").unlink()
    search(run_of(tmp_path), RandomSearch(SPACE, Objective()), evaluator, 3)
    assert (tmp_path / "log.jsonl").read_text() == log


def test_a_study_that_was_changed_is_refused(tmp_path: Path, evaluator: Counting) -> None:
    search(run_of(tmp_path), RandomSearch(SPACE, Objective()), evaluator, 3)
    (tmp_path / "checkpoint" / "search.pt").unlink()
    with pytest.raises(NasError, match="trial 0 is another architecture than the search proposes"):
        search(run_of(tmp_path), RandomSearch(SPACE, Objective(), seed=1), evaluator, 3)


def test_a_study_that_lost_trials_is_refused(tmp_path: Path, evaluator: Counting) -> None:
    search(run_of(tmp_path), RandomSearch(SPACE, Objective()), evaluator, 3)
    (tmp_path / "study.journal").unlink()
    with pytest.raises(NasError, match=r"study\.journal lacks trials"):
        search(run_of(tmp_path), RandomSearch(SPACE, Objective()), evaluator, 3)


def test_a_checkpoint_of_another_search_is_refused(tmp_path: Path, evaluator: Counting) -> None:
    import torch

    run = run_of(tmp_path)
    (tmp_path / "checkpoint").mkdir()
    torch.save({"epoch": 3}, tmp_path / "checkpoint" / "search.pt")
    with pytest.raises(NasError, match=r"search\.pt is of another search \(KeyError"):
        search(run, RandomSearch(SPACE, Objective()), evaluator, 3)


def test_the_log_is_json(tmp_path: Path, evaluator: Counting) -> None:
    search(run_of(tmp_path), RandomSearch(SPACE, Objective()), evaluator, 3)
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        event = json.loads(line)
        assert SPACE.parse(event["architecture"]) in evaluator.evaluated

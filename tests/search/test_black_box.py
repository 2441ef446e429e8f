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
from nas.run import PROTOCOL, Run
from nas.search import black_box as black_box_module
from nas.search.black_box import run_black_box
from nas.search.proposals import MOST_REPEATS
from nas.search.start import Start
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture
from nas.storage import SavePace
from nas.strategies.random import RandomSearch
from nas.strategies.strategy import Strategy
from nas.task import Task

SPACE = NASBench201()
CONFIG: dict[str, Any] = {
    "space": "nas-bench-201",
    "objective": "accuracy",
    "settings": {},
    "task": {"input_shape": [3, 8, 8], "outputs": 3},
    "protocol": PROTOCOL,
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


def test_a_strategy_with_nothing_new_does_not_end_the_search(
    tmp_path: Path, evaluator: Counting
) -> None:
    """The budget is spent on what is near its proposals, each network once."""
    strategy = listed(architecture(0, 0, 0, 3, 0, 0), architecture(0, 0, 0, 2, 0, 0))
    run, progress = run_of(tmp_path), Noting()
    with run.locked():
        run_black_box(run, strategy, evaluator, 10, progress)
    trials = run.trials()
    assert len(trials) == 10
    assert len({SPACE.canonical(trial.architecture) for trial in trials}) == 10
    made = 2 + 8 * MOST_REPEATS
    assert progress.notes == [f"{made} proposals for 10 evaluations; the others were known"]
    assert run.events()[-1] == {"event": "proposals", "proposals": made, "evaluations": 10}


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
        run_black_box(run, Random(SPACE, Objective()), groups, 20, progress)
    networks = {SPACE.canonical(a) for a in groups.evaluated}
    assert len(run.trials()) == len(groups.evaluated) == len(networks) == progress.advanced == 20
    again = Groups(Context(SPACE, tiny_task))
    search(run_of(tmp_path), Random(SPACE, Objective()), again, 20)
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
    monkeypatch.setattr(SavePace, "due", lambda pace: keep)
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
    monkeypatch.setattr(SavePace, "due", lambda pace: keep)
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
    monkeypatch.setattr(SavePace, "due", lambda pace: True)
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


# -- answers that change --------------------------------------------------------------------------


class Learning(Counting):
    """What it says of an architecture rises with every observation of it; says that it changes."""

    constant = False  # type: ignore[assignment]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.observed: list[tuple[int, ...]] = []

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        super().evaluate(architecture)
        return {"accuracy": self.observed.count(architecture.choices) / 100}

    def observe(self, architecture: Architecture, measurement: Measurement) -> None:
        self.observed.append(architecture.choices)

    def state_dict(self) -> dict[str, Any]:
        return {"observed": [list(choices) for choices in self.observed]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.observed = [tuple(choices) for choices in state["observed"]]


ONE, TWO, THREE = (architecture(0, 0, 0, operation, 0, 0) for operation in (1, 2, 3))


def test_what_is_proposed_again_is_evaluated_observed_and_counted(
    tmp_path: Path, tiny_task: Task
) -> None:
    evaluator, strategy = Learning(Context(SPACE, tiny_task)), listed(ONE, TWO, ONE)
    run = run_of(tmp_path)
    search(run, strategy, evaluator, 6)
    assert evaluator.observed == [a.choices for a in (ONE, TWO, ONE, ONE, TWO, ONE)]
    told = [(a, m.metrics["accuracy"]) for a, m in strategy.told]
    assert told == [(ONE, 0), (TWO, 0), (ONE, 0.01), (ONE, 0.02), (TWO, 0.01), (ONE, 0.03)]


def test_leaders_are_evaluated_again_at_the_end(tmp_path: Path, tiny_task: Task) -> None:
    """The best is what is best now: of what was good once only the first scores are known."""

    class Fading(Learning):
        def evaluate(self, architecture: Architecture) -> dict[str, float]:
            super().evaluate(architecture)
            bonus = 0.5 if architecture == ONE and len(self.observed) < 10 else 0.0
            return {"accuracy": bonus + 0.1 * (architecture == TWO)}

    evaluator = Fading(Context(SPACE, tiny_task))
    run = run_of(tmp_path)
    best = search(run, listed(ONE, TWO, THREE), evaluator, 10)
    assert [t.origin for t in run.trials()] == ["search"] * 10 + ["leader"] * 2
    again = {t.architecture: t.measurement.metrics["accuracy"] for t in run.trials()[10:]}
    assert again == {TWO: 0.1, ONE: 0.0}
    assert (best.architecture, best.origin) == (TWO, "leader")
    assert len(evaluator.observed) == 10  # leaders teach nothing


@pytest.mark.parametrize("stop_after", [1, 9, 10, 11])
def test_a_search_of_changing_answers_ends_the_same_after_a_stop(
    tmp_path: Path, tiny_task: Task, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SavePace, "due", lambda pace: True)
    for folder, stop in ((tmp_path / "whole", None), (tmp_path / "cut", stop_after)):
        evaluator = Learning(Context(SPACE, tiny_task))
        evaluator.stop_after = stop
        try:
            search(run_of(folder), listed(ONE, TWO, ONE), evaluator, 10)
        except KeyboardInterrupt:
            again = Learning(Context(SPACE, tiny_task))
            search(run_of(folder), listed(ONE, TWO, ONE), again, 10)
    assert trials_of(tmp_path / "whole") == trials_of(tmp_path / "cut")


def test_runs_of_before_go_on_as_they_began(tmp_path: Path, tiny_task: Task) -> None:
    """They were told what was known, whatever the evaluator, and ended where nothing was new."""
    run = Run.create(tmp_path, {n: v for n, v in CONFIG.items() if n != "protocol"}, SPACE)
    evaluator, strategy = Learning(Context(SPACE, tiny_task)), listed(ONE, TWO)
    search(run, strategy, evaluator, 6)
    assert evaluator.observed == [ONE.choices, TWO.choices]
    assert [t.origin for t in run.trials()] == ["search", "search"]


# -- what a search must not see, what it starts from ----------------------------------------------


def test_hidden_metrics_reach_the_record_and_not_the_strategy(
    tmp_path: Path, evaluator: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "hidden_metrics", frozenset({"accuracy@test"}))
    evaluate = Counting.evaluate
    monkeypatch.setattr(
        Counting, "evaluate", lambda self, a: evaluate(self, a) | {"accuracy@test": 0.9}
    )
    strategy, run = listed(ONE, ONE, TWO), run_of(tmp_path)
    search(run, strategy, evaluator, 2)
    assert all(list(m.metrics) == ["accuracy"] for _, m in strategy.told)
    assert all("accuracy@test" in t.measurement.metrics for t in run.trials())


@pytest.mark.parametrize("stop_after", [None, 0, 1, 2])
def test_what_is_known_is_told_first_and_what_is_listed_is_evaluated_first(
    tmp_path: Path, tiny_task: Task, stop_after: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SavePace, "due", lambda pace: True)
    start = Start(known=[(ONE, Measurement({"accuracy": 0.7}))], first=[TWO])
    run, evaluator = run_of(tmp_path), Counting(Context(SPACE, tiny_task))
    evaluator.stop_after = stop_after

    def run_it(evaluator: Counting) -> tuple[Listed, Any]:
        strategy = listed(ONE, THREE, architecture(0, 0, 0, 4, 0, 0))
        with run.locked():
            return strategy, run_black_box(run, strategy, evaluator, 3, Silent(), start)

    try:
        strategy, best = run_it(evaluator)
    except KeyboardInterrupt:
        strategy, best = run_it(Counting(Context(SPACE, tiny_task)))
    trials = run.trials()
    assert [t.origin for t in trials] == ["start", "search", "search", "search"]
    assert [t.architecture for t in trials[:3]] == [ONE, TWO, THREE]
    assert (best.architecture, best.measurement.metrics["accuracy"]) == (ONE, 0.7)
    if stop_after is None:
        assert [a for a, _ in strategy.told[:3]] == [ONE, TWO, ONE]  # reminded of the first


# -- limits ---------------------------------------------------------------------------------------


def test_what_breaks_a_limit_before_it_is_trained_is_a_pruned_trial(tmp_path: Path) -> None:
    config = CONFIG | {"limit": "latency<5"}
    run = Run.create(tmp_path, config, SPACE)
    number = run.record(ONE, Measurement({"latency": 7.0}))
    run.record(TWO, Measurement({"latency": 4.0, "accuracy": 0.5}))
    states = [trial.state for trial in run.study.trials]
    assert states == [optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.COMPLETE]
    assert run.trials()[number].measurement.metrics == {"latency": 7.0}
    assert [trial.architecture for trial in run.front()] == [TWO]

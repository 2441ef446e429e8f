"""Comparisons of strategies."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from nas.comparison.asked import EVALUATIONS
from nas.comparison.compare import compare
from nas.comparison.repeat import Repeat
from nas.comparison.results import Comparison
from nas.errors import NasError
from nas.progress import Silent
from nas.strategies.evolution import RegularizedEvolution
from nas.strategies.random import RandomSearch

module = import_module("nas.comparison.compare")
OLD = ["random", "optuna:random"]
NEWER = ("protocol", "rules", "initial", "objective", "limits")
"""Parts of a config that came later."""


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Leave out the drawing, which takes longer than a tiny comparison."""
    monkeypatch.setattr("nas.comparison.report.draw_regret", lambda *_: None)


class Noted(Silent):
    """Remembers warnings and bars."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def run(out: str = "out", **options: Any) -> Comparison:
    given: dict[str, Any] = {
        "benchmarks": ["made:toy"], "strategies": ["random", "evolution"], "repeats": 2,
        "evaluations": 8, "processes": 1, "progress": Silent(),
    }  # fmt: skip
    return compare(out=out, **(given | options))


def trajectories(comparison: Comparison) -> list[dict[str, Any]]:
    return [{**r.to_json(), "wall": 0} for r in comparison.repeats]


def test_every_repeat_is_recorded_and_reported() -> None:
    found = run(benchmarks=["made:toy", "other:toy"])
    expected = [
        (benchmark, strategy, repeat)
        for repeat in range(2)
        for benchmark in ("made:toy", "other:toy")
        for strategy in ("random", "evolution")
    ]
    assert [r.key for r in found.repeats] == expected
    lines = [json.loads(line) for line in Path("out/repeats.jsonl").read_text().splitlines()]
    assert [Repeat.from_json(line).key for line in lines] == expected
    assert all(len(r) == 8 for r in found.repeats)
    assert "regret" in Path("out/comparison.txt").read_text()
    everything = json.loads(Path("out/comparison.json").read_text())
    assert set(everything["benchmarks"]) == {"made:toy", "other:toy"}
    assert len(found.of("made:toy", "random")) == 2
    assert len({str(r.choices) for r in found.repeats}) == 8  # all with seeds of their own


def test_the_same_command_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trajectories(run("whole"))
    original, asked = RandomSearch.ask, 0

    def interrupted(self: RandomSearch, n: int) -> Any:
        nonlocal asked
        asked += 1
        if asked == 12:
            raise KeyboardInterrupt
        return original(self, n)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RandomSearch, "ask", interrupted)
        run("part")
    assert len(Path("part/repeats.jsonl").read_text().splitlines()) == 2
    assert trajectories(run("part")) == whole


def test_a_torn_line_is_done_again(home: Path) -> None:
    whole = trajectories(run())
    file = Path("out/repeats.jsonl")
    text = file.read_text()
    file.write_text(text[: len(text) * 5 // 8])
    assert trajectories(run()) == whole
    assert file.read_text().count("\n") == 4


def test_a_finished_comparison_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trajectories(run())
    monkeypatch.setattr(module, "run_job", lambda job: pytest.fail("done again"))
    progress = Noted()
    assert trajectories(run(progress=progress)) == whole
    assert progress.notes == ["out is finished already: all 4 repeats"]


def test_more_of_the_same_is_added() -> None:
    few = trajectories(run(strategies=["random"]))
    more = trajectories(run(strategies=["evolution", "random"], repeats=3))
    assert [r for r in more if r["strategy"] == "random"][:2] == few and len(more) == 6


def test_a_folder_of_before_goes_on_without_noise() -> None:
    """As it was begun: without a word on protocols, and with defaults of no budget."""
    whole = trajectories(run("whole", protocol="noise-free", strategies=OLD, repeats=2))
    run("old", protocol="noise-free", strategies=OLD, repeats=1)
    config = json.loads(Path("old/config.json").read_text())
    for key in NEWER:
        del config[key]
    Path("old/config.json").write_text(json.dumps(config))
    lines = [json.loads(line) for line in Path("old/repeats.jsonl").read_text().splitlines()]
    before = [{k: v for k, v in line.items() if k != "proposals"} for line in lines]
    Path("old/repeats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in before))
    with pytest.raises(NasError, match="protocol='noise-free', not 'counted'"):
        run("old", protocol="counted", strategies=OLD, repeats=2)
    again = run("old", strategies=OLD, repeats=2)
    assert [r["choices"] for r in trajectories(again)] == [r["choices"] for r in whole]
    text = Path("old/comparison.txt").read_text()
    assert "protocol: noise-free" in text
    assert json.loads(Path("old/config.json").read_text())["protocol"] == "noise-free"


def test_a_folder_of_before_keeps_its_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RegularizedEvolution, "defaults", classmethod(lambda *_: {}))
        run("old", protocol="noise-free", strategies=["evolution"])
    config = json.loads(Path("old/config.json").read_text())
    Path("old/config.json").write_text(
        json.dumps({k: v for k, v in config.items() if k not in NEWER})
    )
    assert "population=20" in config["strategies"][0]
    monkeypatch.setattr(RegularizedEvolution, "defaults", classmethod(lambda *_: {"population": 3}))
    assert len(run("old", strategies=["evolution"], repeats=3).repeats) == 3
    run("new", strategies=["evolution"])
    assert "population=3" in Path("new/config.json").read_text()


def test_one_strategy_with_several_settings() -> None:
    names = ["evolution", "evolution?population=9", "evolution?population=9&tournament=1"]
    found = run(strategies=names, evaluations=25)
    assert found.strategies == names
    assert len({str(r.choices) for r in found.repeats if r.repeat == 0}) == 3
    plain = run("plain", strategies=["evolution"], evaluations=25)
    assert trajectories(plain)[0] == trajectories(found)[0]
    text = Path("out/comparison.txt").read_text()
    assert all(name in text for name in names)


def test_several_objectives() -> None:
    found = run(strategies=["optuna:random", "nsga-ii"], objective="accuracy,-params")
    for repeat in found.repeats:
        assert repeat.best == sorted(repeat.best) and 0 < repeat.best[-1] < 1  # type: ignore
        assert repeat.reported == {}
    everything = json.loads(Path("out/comparison.json").read_text())["benchmarks"]["made:toy"]
    optimum = everything["facts"]["optimum"]
    for result in everything["results"].values():
        assert result["regret"]["mean"] == pytest.approx(optimum - result["best"]["mean"])
    assert "hypervolume of accuracy, -params" in Path("out/comparison.txt").read_text()
    with pytest.raises(NasError, match="objective='accuracy,-params', not ''"):
        run(strategies=["optuna:random", "nsga-ii"])


def test_strategies_are_paired_by_common_initial_designs() -> None:
    found = run(repeats=3, initial=4)
    for number in range(3):
        starts = [r.choices[:4] for r in found.repeats if r.repeat == number]
        assert starts[0] == starts[1]
    text = " ".join(Path("out/comparison.txt").read_text().split())
    assert "initial design: 4 random architectures" in text
    assert "Wilcoxon signed-rank test (paired by repeat)" in text and "Mann" not in text
    everything = json.loads(Path("out/comparison.json").read_text())
    assert everything["initial"] == 4 and "paired" in everything["tests"]
    with pytest.raises(NasError, match="initial=4, not 0"):
        run(repeats=3)


def test_limits_hold_in_all_that_is_proposed() -> None:
    found = run(limits="params<1.05M", initial=3)
    for repeat in found.repeats:
        assert all(sum(choices) < 12 for choices in repeat.choices)  # see the table


def test_another_configuration_is_refused(
    made_tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    for options, reason in [
        ({"evaluations": 9}, "evaluations=8, not 9"),
        ({"seed": 1}, "seed=0, not 1"),
        ({"strategies": ["random"]}, "strategies: evolution"),
        ({"repeats": 1}, "repeats=2, not 1"),
        ({"settings": {"evolution": {"population": 3}}}, "strategies: evolution population="),
        ({"workers": 2}, "workers=1, not 2"),
        ({"limits": "params<2M"}, "limits="),
    ]:
        with pytest.raises(NasError, match=f"out holds results of other settings .{reason}"):
            run(**options)
    other = Path("home").resolve()
    other.mkdir()
    shutil.copy(made_tables / "other.table", other / "made.table")
    monkeypatch.setenv("NAS_HOME", str(other))
    with pytest.raises(NasError, match="tables: made:toy"):
        run()


def test_processes_change_nothing() -> None:
    assert trajectories(run("one")) == trajectories(run("two", processes=2))


def test_a_failing_repeat_is_reported_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: RandomSearch, n: int) -> Any:
        raise ValueError("no ideas")

    progress = Noted()
    with monkeypatch.context() as patch:
        patch.setattr(RandomSearch, "ask", failing)
        found = run(progress=progress)
    assert progress.warnings == [
        f"random on made:toy, repeat {i}: ValueError: no ideas" for i in (0, 1)
    ]
    assert list(found.failures) == [f"random on made:toy, repeat {i}" for i in (0, 1)]
    assert {r.strategy for r in found.repeats} == {"evolution"}
    assert "Traceback" in Path("out/failures.txt").read_text()
    assert "2 repeats failed" in Path("out/comparison.txt").read_text()
    again = run()
    assert not again.failures and len(again.repeats) == 4
    assert not Path("out/failures.txt").exists()


def test_nothing_but_failures_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandomSearch, "ask", lambda *_: 1 / 0)
    with pytest.raises(NasError, match="none of 2 repeats could be done: ZeroDivisionError"):
        run(strategies=["random"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"benchmarks": ["mad:toy"]}, "Did you mean 'made'"),
        ({"benchmarks": ["made:toi"]}, "unknown problem of made 'toi'"),
        ({"benchmarks": []}, "no benchmark is named"),
        ({"strategies": ["random", "random"]}, "strategy 'random' is named twice"),
        ({"strategies": ["darts"]}, "trains gates in a supernet"),
        ({"repeats": 0}, "at least 1"),
        ({"evaluations": 0}, "at least 1"),
        ({"seconds": 0.0}, "above 0"),
        ({"initial": 8}, "initial=8: expected fewer than the 8 evaluations"),
        ({"initial": -1}, "initial=-1"),
        ({"objective": "accuracy,-params"}, "'random' searches for one metric; .* nsga-ii"),
        ({"objective": "acuracy"}, "Did you mean 'accuracy'"),
        ({"limits": "parms<1M"}, "Did you mean 'params'"),
        ({"limits": "params<1"}, "no architecture of made:toy keeps the limits"),
        ({"benchmarks": ["noisy:toy"], "limits": "accuracy>0.6"}, "differs between trainings"),
        ({"strategies": ["evolution?populaton=3"]}, "Did you mean 'population'"),
        ({"workers": 0}, "at least 1"),
        ({"benchmarks": ["made:untimed"], "seconds": 9.0}, "no recorded times"),
        ({"benchmarks": ["made:untimed"], "workers": 2}, "workers=2: .*no recorded times"),
        ({"settings": {"evolutoin": {}}}, "Did you mean 'evolution'"),
    ],
)
def test_mistakes_leave_nothing_behind(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(NasError, match=reason):
        run(**options)
    assert not Path("out").exists()


def test_default_budget_and_folder() -> None:
    found = run(out=None, strategies=["random"], repeats=1, evaluations=None)  # type: ignore[arg-type]
    assert len(found.repeats[0]) == EVALUATIONS
    assert found.folder == Path("runs/bench-made-toy-s0")
    assert run(out=None, strategies=["random"], seconds=300.0, repeats=1).folder == Path(  # type: ignore[arg-type]
        "runs/bench-made-toy-s0-2"
    )

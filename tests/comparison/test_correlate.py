"""Evaluators against tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread
from scipy import stats

from nas import registry
from nas.aliases import ALIASES
from nas.comparison.correlate import correlate
from nas.comparison.correlation import Correlation
from nas.comparison.correlation_report import draw_scatter
from nas.errors import NasError
from nas.evaluators.evaluator import Evaluator
from nas.progress import Silent
from nas.space import Architecture
from nas.task import Task


class Summing(Evaluator):
    """Scores by the sum of the options; fails for some, learns nothing."""

    default_objective = "-badness"
    evaluated: list[Architecture] = []  # noqa: RUF012
    stop_at: int | None = None

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        if len(self.evaluated) == self.stop_at:
            raise KeyboardInterrupt
        self.evaluated.append(architecture)
        if architecture.choices[:2] == (0, 0):
            raise ValueError("too small")
        return {"badness": -float(sum(architecture.choices[1:]))}


@pytest.fixture(autouse=True)
def evaluators(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One evaluator more."""
    registry.names("evaluators")
    entries = {"summing": registry.Entry("summing", Summing, "sums")}
    known = registry._entries["evaluators"]
    monkeypatch.setitem(registry._entries, "evaluators", known | entries)
    monkeypatch.setattr("nas.comparison.correlation_report.draw_scatter", lambda *_: None)  # slow
    monkeypatch.setattr(Summing, "evaluated", [])
    monkeypatch.setattr(Summing, "stop_at", None)
    yield


def run(tiny_task: Task, *names: str, **options: Any) -> Correlation:
    given: dict[str, Any] = {
        "benchmark": "made:toy",
        "samples": 80,
        "train": 60,
        "data": tiny_task,
        "device": "cpu",
    }
    return correlate(names or ("summing",), out="out", progress=Silent(), **(given | options))


def test_scores_against_every_column(tiny_task: Task) -> None:
    found = run(tiny_task, "summing", "predictor:trees")
    summed = found.judged["summing"]
    assert set(found.targets) == {"accuracy", "test_accuracy"}
    assert found.described["test_accuracy"] == "test accuracy on toy, 200 epochs"
    assert 0.7 < summed.agreements["accuracy"].spearman.value < 1
    assert summed.failed > 0
    assert {one.n for judged in found.judged.values() for one in judged.agreements.values()} == {80}
    learned = found.judged["predictor:trees"].agreements["accuracy"].spearman.value
    assert learned > 0.8
    assert found.trained_on == 60
    # The baseline: params follow exactly from what the accuracy follows from.
    assert found.judged["params"].agreements["accuracy"].kendall.value == pytest.approx(1)


def test_failures_rank_last(tiny_task: Task) -> None:
    found = run(tiny_task)
    summed, truth = found.judged["summing"], found.targets["accuracy"]
    last = np.where(np.isnan(summed.scores), -1.0, summed.scores)
    agreed = summed.agreements["accuracy"]
    assert agreed.spearman.value == pytest.approx(stats.spearmanr(last, truth).statistic)
    assert agreed.kendall.value == pytest.approx(stats.kendalltau(last, truth).statistic)


def test_evaluators_are_compared_with_the_number_of_parameters(tiny_task: Task) -> None:
    found = run(tiny_task)
    assert found.baseline == "params" and "proxy:params" not in found.judged
    versus = found.judged["summing"].agreements["accuracy"].versus
    assert versus is not None and versus.spearman.high < 0  # the column is exact here
    assert found.judged["params"].agreements["accuracy"].versus is None
    text = Path("out/correlation.txt").read_text()
    assert "Spearman vs params" in text and "Kendall vs params" in text
    assert "80 of 15,625 architectures, the same for all" in text
    plain = json.loads(Path("out/correlation.json").read_text())
    assert (plain["baseline"], plain["architectures"]) == ("params", 80)
    written = plain["evaluators"]["summing"]["agreements"]["accuracy"]["versus"]["spearman"]
    assert (written["low"], written["high"]) == (versus.spearman.low, versus.spearman.high)


def test_parameters_are_counted_where_the_table_does_not_say(tiny_task: Task) -> None:
    found = run(tiny_task, benchmark="made:untimed", samples=12)
    assert found.baseline == "proxy:params"
    assert found.judged["summing"].agreements["accuracy"].versus is not None
    again = run(tiny_task, benchmark="made:untimed", samples=12)
    assert np.array_equal(again.judged["proxy:params"].scores, found.judged["proxy:params"].scores)
    recorded = Path("out/scores.jsonl").read_text().splitlines()
    assert len(recorded) == 24


def test_nothing_to_compare_with_is_said(tiny_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry._entries["evaluators"], "proxy")
    found = run(tiny_task, benchmark="made:untimed")
    assert found.baseline is None
    assert found.judged["summing"].agreements["accuracy"].versus is None
    text = Path("out/correlation.txt").read_text()
    assert " vs " not in text and "Nothing tells the number of parameters" in text


def test_who_judged_fewer_than_three_is_not_judged(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(self: Summing, architecture: Architecture) -> dict[str, float]:
        self.evaluated.append(architecture)
        if len(self.evaluated) > 2:
            raise ValueError("no more")
        return {"badness": 1.0 * len(self.evaluated)}

    monkeypatch.setattr(Summing, "evaluate", evaluate)
    found = run(tiny_task, samples=20)
    assert found.judged["summing"].agreements == {} and found.judged["summing"].failed == 18
    [line] = {x for x in Path("out/correlation.txt").read_text().splitlines() if "summing" in x}
    assert line.split()[:4] == ["summing", "-", "-", "-"]


def test_a_record_of_before_goes_on(tiny_task: Task) -> None:
    """Only scores were recorded; what was made of them came later."""
    found = run(tiny_task)
    recorded = Path("out/scores.jsonl").read_text()
    assert {*json.loads(recorded.splitlines()[0])} == {
        "evaluator", "choices", "score", "metrics", "seconds", "error",
    }  # fmt: skip
    evaluated = len(Summing.evaluated)
    for name in ("correlation.txt", "correlation.json"):
        Path("out", name).unlink()
    again = run(tiny_task)
    assert len(Summing.evaluated) == evaluated
    assert again.judged["summing"].agreements == found.judged["summing"].agreements


def test_the_scatter_shows_failures_at_the_worst_ranks(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(tiny_task)
    drawn: list[tuple[Any, Any]] = []
    real = Axes.scatter
    monkeypatch.setattr(
        Axes,
        "scatter",
        lambda self, x, y, **look: drawn.append((x, look)) or real(self, x, y, **look),
    )
    draw_scatter(found, "accuracy", Path("scatter.png"))
    crosses = [x for x, look in drawn if look.get("marker") == "x" and len(x)]
    others = [x for x, look in drawn if look.get("marker") != "x" and len(x)]
    failed = found.judged["summing"].failed
    assert [len(x) for x in crosses] == [failed]
    assert crosses[0].max() < min(x.min() for x in others if len(x) == 80 - failed)


def test_the_report(tiny_task: Task) -> None:
    found = run(tiny_task)
    text = Path("out/correlation.txt").read_text()
    assert "against accuracy: valid accuracy on toy, 12 epochs" in text
    assert "against test accuracy: test accuracy on toy, 200 epochs" in text
    assert "made:toy: 80 of 15,625 architectures" in text and "\nparams" in text
    plain = json.loads(Path("out/correlation.json").read_text())
    assert len(plain["evaluators"]["summing"]["scores"]) == 80
    assert plain["evaluators"]["summing"]["agreements"]["accuracy"]["kendall"]["value"] > 0.5
    draw_scatter(found, "test_accuracy", Path("scatter.png"))
    image = imread("scatter.png")
    assert image.std() > 0.02 and image.shape[1] > image.shape[0]  # two panels side by side


def test_it_continues(tiny_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Summing, "stop_at", 50)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_task)
    first = list(Summing.evaluated)
    monkeypatch.setattr(Summing, "stop_at", None)
    found = run(tiny_task)
    recorded = Path("out/scores.jsonl").read_text().splitlines()
    assert len(recorded) == 80 and len(Summing.evaluated) < 50 + 80
    assert len({str(json.loads(line)["choices"]) for line in recorded}) == 80
    again = run(tiny_task, "table:made", "summing")  # one more evaluator
    assert np.array_equal(
        again.judged["summing"].scores, found.judged["summing"].scores, equal_nan=True
    )
    assert first == Summing.evaluated[: len(first)]


def test_an_evaluator_of_another_name_goes_on(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ALIASES, "evaluators", {"adding": "summing"})
    found = run(tiny_task)
    for file in (Path("out/config.json"), Path("out/scores.jsonl")):
        file.write_text(file.read_text().replace('"summing"', '"adding"'))
    monkeypatch.setattr(Summing, "stop_at", len(Summing.evaluated))
    again = run(tiny_task, "adding")
    assert np.array_equal(
        again.judged["summing"].scores, found.judged["summing"].scores, equal_nan=True
    )


def test_other_settings_are_refused(tiny_task: Task) -> None:
    run(tiny_task, samples=10)
    with pytest.raises(NasError, match="samples=10, not 11"):
        run(tiny_task, samples=11)


def test_a_predictor_needs_something_to_learn_from(tiny_task: Task) -> None:
    with pytest.raises(NasError, match="at least 2 architectures"):
        run(tiny_task, "predictor:trees", train=1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"samples": 2}, "at least 3"),
        ({"top": 1.0}, "between 0 and 1"),
        ({"scale": "tiny"}, "unknown scale"),
        ({"settings": {"sumning": {}}}, "Did you mean 'summing'"),
        ({"settings": {"evaluator": {"x": 1}}}, "unknown setting of summing 'x'"),
    ],
)
def test_mistakes(tiny_task: Task, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(NasError, match=reason):
        run(tiny_task, **options)
    assert not Path("out").exists()

"""Comparisons that were begun when strategies or evaluators had other names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nas.comparison.compare import compare
from nas.comparison.renamed import by_current_names
from nas.comparison.results import Comparison
from nas.errors import NasError
from nas.progress import Silent

pytestmark = pytest.mark.usefixtures("home")
OLD = ["evolution-pareto", "bandit:manas", "bandit"]
NEW = ["nsga-ii", "manas", "cmab"]
WORDS = {
    "nsga-ii ": "evolution-pareto ",
    "manas credit": "bandit:manas algorithm=manas credit",
    "mixing=0.1": "mixing=0.1 level=1 explore=0.75 local=ucb epsilon=0.3 ucb=0.1",
    "cmab level": "bandit algorithm=cmab credit=lsq eta=0.1 mixing=0.1 level",
}
"""How strategies of today were described once."""


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.comparison.report.draw_regret", lambda *_: None)


def run(out: str, strategies: list[str], repeats: int, **settings: Any) -> Comparison:
    return compare(
        ["made:toy"], strategies, repeats=repeats, evaluations=8, processes=1, out=out,
        settings=settings, progress=Silent(),
    )  # fmt: skip


def trajectories(comparison: Comparison) -> list[dict[str, Any]]:
    return [{**r.to_json(), "wall": 0} for r in comparison.repeats]


def make_old(folder: Path) -> None:
    """Write today's comparison as it was written before."""
    config = json.loads((folder / "config.json").read_text())
    for new, old in WORDS.items():
        config["strategies"] = [text.replace(new, old) for text in config["strategies"]]
    (folder / "config.json").write_text(json.dumps(config))
    text = (folder / "repeats.jsonl").read_text()
    for new, old in zip(NEW, OLD, strict=True):
        text = text.replace(f'"strategy": "{new}"', f'"strategy": "{old}"')
    (folder / "repeats.jsonl").write_text(text)


def test_old_names_are_those_of_today() -> None:
    old = run("old", OLD, 1, **{"evolution-pareto": {"population": 4}})
    new = run("new", NEW, 1, **{"nsga-ii": {"population": 4}})
    assert old.strategies == NEW
    assert trajectories(old) == trajectories(new)


def test_an_old_comparison_goes_on() -> None:
    run("out", NEW, 1)
    make_old(Path("out"))
    lines = Path("out/repeats.jsonl").read_text()
    found = run("out", OLD, 2)
    assert Path("out/repeats.jsonl").read_text().startswith(lines)
    assert len(Path("out/repeats.jsonl").read_text().splitlines()) == 6
    assert trajectories(found) == trajectories(run("whole", NEW, 2))
    assert json.loads(Path("out/config.json").read_text())["strategies"][0].startswith("nsga-ii")


def test_what_its_results_do_not_tell_apart_is_refused() -> None:
    run("out", ["manas"], 1)
    config = json.loads(Path("out/config.json").read_text())
    config["strategies"] = ["bandit algorithm=manas credit=lsq eta=0.1 mixing=0.1 level=1"]
    Path("out/config.json").write_text(json.dumps(config))
    with pytest.raises(NasError, match=r"holds results of other settings \(strategies: bandit"):
        run("out", ["manas"], 1)


def test_settings_by_names() -> None:
    groups = {"inherit": {"epochs": 2}, "evaluator": {"seed": 1}}
    assert by_current_names("evaluators", ["inherit", "proxy:zen"], groups) == (
        ["weight-inheritance", "proxy:zen"],
        {"weight-inheritance": {"epochs": 2}, "evaluator": {"seed": 1}},
    )
    groups = {"bandit": {"algorithm": "manas", "eta": 0.2}}
    assert by_current_names("strategies", ["bandit"], groups) == (
        ["manas"],
        {"manas": {"eta": 0.2}},
    )

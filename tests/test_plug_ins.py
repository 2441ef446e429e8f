"""What others add in a file of their own keeps the shipped contracts, and is searched with.

The files are in `fixtures/plug_ins/`. A space, a strategy and an evaluator are found by the entry
points of an installed distribution; a space and data also as `FILE.py:Name`, which is the only way
of data. A metric is added by what measures it: here by the evaluator; a space may name metrics of
its networks' own (`network_metrics`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("nas.testing")

import nas  # noqa: E402
from nas import cli, registry  # noqa: E402
from nas.evaluators import Context, Evaluator  # noqa: E402
from nas.objective import Objective  # noqa: E402
from nas.space import SearchSpace  # noqa: E402
from nas.strategies import Strategy  # noqa: E402
from nas.task import Task, TaskInfo  # noqa: E402
from nas.testing import (  # noqa: E402
    DataContract,
    EvaluatorContract,
    SpaceContract,
    StrategyContract,
    SupernetContract,
)

PLACE = Path(__file__).parent / "fixtures" / "plug_ins"
ENTRY_POINTS = """
[nas.search_spaces]
own-space = own_space:make

[nas.strategies]
own-strategy = own_strategy:Climber

[nas.evaluators]
own-evaluator = own_evaluator:Spread
"""


def own(name: str) -> Any:
    return registry.import_object(f"{PLACE}/{name}")


def rings(seed: int = 0) -> Task:
    made: Task = own("own_data.py:rings")(seed)
    return made


# -- contracts ------------------------------------------------------------------------------------


class TestSpace(SpaceContract, SupernetContract):
    def make_space(self) -> SearchSpace:
        made: SearchSpace = own("own_space.py:make")()
        return made

    def make_task(self) -> TaskInfo:
        return TaskInfo((2,), 2)


class TestStrategy(StrategyContract):
    def make_space(self) -> SearchSpace:
        return TestSpace().make_space()

    def make_strategy(self, space: SearchSpace, objective: Objective, seed: int) -> Strategy:
        made: Strategy = own("own_strategy.py:Climber")(space, objective, seed)
        return made


class TestEvaluator(EvaluatorContract):
    def make_space(self) -> SearchSpace:
        return TestSpace().make_space()

    def make_evaluator(
        self, space: SearchSpace, seed: int, folder: Path | None = None
    ) -> Evaluator:
        factory = own("own_evaluator.py:Spread")
        made: Evaluator = factory(Context(space, rings(), seed, folder=folder), factory.Settings())
        return made


class TestData(DataContract):
    def make_task(self, seed: int = 0) -> Task:
        return rings(seed)


# -- use ------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the plug-ins for one test, as `pip` would: by files in a folder on the path."""
    for kind in registry.KINDS:  # what is built in stays; what the plug-ins add is forgotten
        registry.names(kind)
    entries = {kind: dict(known) for kind, known in registry._entries.items()}
    monkeypatch.setattr(registry, "_entries", entries)
    monkeypatch.setattr(registry, "_discovered", set())
    facts = tmp_path / "site" / "own_plug_ins-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: own-plug-ins\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(PLACE))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield
    for name in ("own_space", "own_strategy", "own_evaluator"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("space", ["own-space", f"{PLACE}/own_space.py:Net"])
def test_a_search_with_plug_ins_only(
    installed: None, no_report: None, tmp_path: Path, space: str
) -> None:
    data = f"{PLACE}/own_data.py:rings"
    common: dict[str, Any] = {"evaluator": "own-evaluator", "device": "cpu", "evaluations": 5}
    run = nas.search(space, "own-strategy", data, out=tmp_path / "run", **common)
    assert set(run.best.metrics) == {"spread"}
    scores = [trial.measurement.metrics["spread"] for trial in run.trials()]
    assert len(scores) == 5 and run.best.metrics["spread"] == max(scores)
    again = nas.search(space, "own-strategy", data, out=tmp_path / "again", seed=0, **common)
    assert again.best.architecture == run.best.architecture


def test_plug_ins_go_with_what_is_built_in(
    installed: None, no_report: None, tmp_path: Path
) -> None:
    """Own space and data by trained gates; an own metric in a limit beside a cost."""
    data, common = rings(), {"device": "cpu", "out": tmp_path / "run"}
    settings = {"strategy": {"epochs": 1}}
    gates = nas.search("own-space", "darts", data, settings=settings, **common)
    assert "accuracy" in gates.best.metrics
    common["out"] = tmp_path / "two"
    two = nas.search(
        "own-space", "evolution", data, "own-evaluator", objective="-params",
        limit="spread>0", evaluations=4, **common,
    )  # fmt: skip
    assert set(two.best.metrics) == {"spread", "params"}


def test_plug_ins_are_listed_with_their_settings(
    installed: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command, name, summary in (
        ("spaces", "own-space", "Small networks on points of a plane."),
        ("strategies", "own-strategy", "Mutates the best architecture so far"),
        ("evaluators", "own-evaluator", "The mean distance between the outputs"),
    ):
        monkeypatch.setattr(sys, "argv", ["nas", command, name, "--json"])
        with pytest.raises(SystemExit):
            cli.main()
        [entry] = json.loads(capsys.readouterr().out)
        assert entry["name"] == name and entry["summary"].startswith(summary)


def test_without_the_distribution_there_are_none() -> None:
    assert "own-strategy" not in registry.names("strategies")

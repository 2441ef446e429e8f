"""What a search starts from."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.table import TableData, write_table
from nas.errors import NasError
from nas.objective import Measurement
from nas.progress import Console, Silent
from nas.run import Run
from nas.search.start import Start
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.space import Architecture

SPACE = NASBench201()
CELLS = [Architecture(SPACE.name, (0, 0, 0, 0, 0, n)) for n in range(4)]
Search = Callable[..., Run]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Cells of NAS-Bench-201 on two problems, one the other's opposite; test accuracy of one."""
    choices = np.indices((5,) * 6).reshape(6, -1).T
    convs = np.isin(choices, (2, 3)).sum(1) / 20
    columns = [
        Column("accuracy", "up", "valid", 12, unit="share"),
        Column("accuracy", "up", "test", 200, unit="share"),
        Column("accuracy", "down", "valid", 12, unit="share"),
    ]
    arrays = dict(zip([c.name for c in columns], (convs, convs + 0.1, 1 - convs), strict=True))
    problems = [
        Problem("up", columns[0].name, (columns[1].name,)),
        Problem("down", columns[2].name),
    ]
    data = TableData("made", SPACE.name, choices, columns, arrays, problems, "for tests")
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    write_table(data, tmp_path / "home" / "made.table")
    return "made"


@pytest.fixture
def search(tmp_path: Path, table: str, no_report: None) -> Search:
    def run(out: str = "run", problem: str = "up", **options: Any) -> Run:
        chosen: dict[str, Any] = {"space": SPACE.name, "strategy": "random", "evaluations": 10}
        chosen |= {"evaluator": f"table:{table}:{problem}", "progress": Silent()}
        return nas.search(out=tmp_path / out, **(chosen | options))

    return run


def test_results_of_the_same_problem_are_known(search: Search) -> None:
    first = search("first")
    printed = io.StringIO()
    again = search("again", seed=1, start_from=first, progress=Console(printed))
    trials = again.trials()
    assert [t.origin for t in trials] == ["start"] * 10 + ["search"] * 10
    assert [t.measurement.metrics for t in trials[:10]] == [
        t.measurement.metrics for t in first.trials()
    ]
    keys = [SPACE.canonical(t.architecture) for t in trials]
    assert len(set(keys)) == 20  # nothing that is known is evaluated again
    assert f"10 results of {first.folder} are known" in printed.getvalue()
    best = max(t.measurement.metrics["accuracy"] for t in trials)
    assert again.best.metrics["accuracy"] == best


def test_of_another_problem_the_best_are_evaluated_first(search: Search) -> None:
    first = search("first", problem="down", evaluations=30)
    again = search("again", start_from=str(first.folder))
    ranked = sorted(first.trials(), key=lambda t: -t.measurement.metrics["accuracy"])
    expected = [t.architecture for t in ranked[:2]]
    assert [t.architecture for t in again.trials()[:2]] == expected
    assert [t.origin for t in again.trials()] == ["search"] * 10


def test_a_table_is_a_problem_of_its_own(search: Search) -> None:
    run = search(start_from="made:down", evaluations=50)
    firsts = run.trials()[:10]
    assert all(t.measurement.metrics["accuracy"] == 0.0 for t in firsts)  # the best there are here


@pytest.mark.parametrize("form", ["texts", "names", "json", "lines of json"])
def test_a_file_of_architectures(search: Search, tmp_path: Path, form: str) -> None:
    file = tmp_path / "list.txt"
    objects = [{"space": SPACE.name, "choices": list(a.choices)} for a in CELLS]
    texts = [SPACE.format(a) for a in CELLS]
    contents = {
        "texts": "\n".join(texts),
        "names": "\n\n".join(texts) + "\n",
        "json": json.dumps([*objects[:2], *texts[2:]]),
        "lines of json": "\n".join(map(json.dumps, objects)),
    }
    file.write_text(contents[form])
    run = search(start_from=[file])
    different = {SPACE.canonical(a): a for a in CELLS}
    assert [t.architecture for t in run.trials()[: len(different)]] == list(different.values())


def test_an_architecture_and_its_text(search: Search) -> None:
    run = search(start_from=[CELLS[3], SPACE.format(CELLS[2])])
    assert [t.architecture for t in run.trials()[:2]] == [CELLS[3], CELLS[2]]


def test_a_stopped_search_goes_on_without_its_source(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = search("first")
    whole = search("whole", seed=1, start_from=first, strategy="evolution")
    record, count = Run.record, [0]

    def stopping(run: Run, *arguments: Any) -> int:
        count[0] += 1
        if count[0] == 16:
            raise KeyboardInterrupt
        return record(run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "record", stopping)
        with pytest.raises(KeyboardInterrupt):
            search("cut", seed=1, start_from=first, strategy="evolution")
    first.folder.rename(tmp_path / "elsewhere")
    cut = search("cut", seed=1, start_from=str(first.folder), strategy="evolution")
    found = [[t.architecture for t in run.trials()] for run in (whole, cut)]
    assert found[0] == found[1]


def test_limits_are_kept_by_what_comes_first(search: Search, tmp_path: Path) -> None:
    start = Start(first=CELLS, known=[(CELLS[0], Measurement({"accuracy": 0.1}))])
    reduced = start.reduced(SPACE, 2)
    assert SPACE.canonical(CELLS[0]) not in {SPACE.canonical(a) for a in reduced.first}
    assert len(reduced.first) <= 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("made:upp", "unknown problem of made 'upp'. Did you mean 'up'"),
        ("mad", "--from mad: no run folder, file, table.*Did you mean 'made'"),
        ("@foldr", "no run folder.*Did you mean '.*/folder'"),
        ("@empty.txt", "empty.txt holds no architectures"),
        ("@wrong.txt", "wrong.txt, architecture 2: "),
        ("@folder", "run"),
    ],
)
def test_what_is_no_start_is_refused_before_anything_is_written(
    search: Search, tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "wrong.txt").write_text(f"{SPACE.format(CELLS[0])}\n|nor_conv_9x9~0|\n")
    (tmp_path / "folder").mkdir()
    source = str(tmp_path / source[1:]) if source.startswith("@") else source
    with pytest.raises(NasError, match=message) as error:
        search(start_from=source)
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()


def test_trained_gates_start_from_nothing(search: Search, tmp_path: Path, tiny_npz: Path) -> None:
    data = f"npz:{tiny_npz}"
    with pytest.raises(NasError, match="'darts' trains gates and starts from no architectures"):
        search(
            strategy="darts", evaluator="supernet", start_from=CELLS[0], evaluations=None, data=data
        )


def test_a_run_of_another_space_is_refused(search: Search, tiny_npz: Path) -> None:
    other = search(
        "other", space="nats-size", evaluator="proxy:params", data=f"npz:{tiny_npz}", evaluations=2
    )
    with pytest.raises(NasError, match="it searched space 'nats-size', not 'nas-bench-201'"):
        search(start_from=other)


# -- test data ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [{"objective": "test_accuracy"}, {"limit": "test_accuracy>.1"}])
def test_what_is_measured_on_test_data_cannot_be_searched_for(
    search: Search, tmp_path: Path, wanted: dict[str, str]
) -> None:
    with pytest.raises(NasError, match="must not see it; take 'accuracy'"):
        search(**wanted)
    assert not (tmp_path / "run").exists()


def test_a_column_of_test_data_is_refused(search: Search) -> None:
    settings = {"evaluator": {"search": "up/test_accuracy@200"}}
    with pytest.raises(NasError, match="a search must not see; take 'up/valid_accuracy@12'"):
        search(settings=settings)


def test_test_data_are_reported_of_what_is_found(search: Search) -> None:
    assert search().best.metrics.keys() == {"accuracy", "test_accuracy"}

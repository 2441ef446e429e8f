"""Runs of the program as it was before it got its wings: they open, resume, train and export.

`fixtures/runs/` holds them, without drawings and without what a finished run has no use for. Those
called `...-stopped` were killed just before a checkpoint was replaced, so that the log is ahead of
it; their `expected.json` is what the same program made of them undisturbed.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import nas
from nas import cli
from nas.data import load_data
from nas.errors import NasError
from nas.training import evaluate

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = sorted(path.name for path in (FIXTURES / "runs").iterdir())
SEARCHES_STOPPED = [name for name in NAMES if (FIXTURES / "runs" / name / "expected.json").exists()]
SEARCHES_STOPPED.remove("tabular-training-stopped")  # it is the training that was stopped
FINISHED = [name for name in NAMES if name not in SEARCHES_STOPPED]
WITH_WEIGHTS = [n for n in FINISHED if (FIXTURES / "runs" / n / "best.safetensors").exists()]
TEXT = (".json", ".jsonl", ".journal")

# On this program's own processor a resumed search ends bit for bit as an undisturbed one, which
# `test_resume_after_kill.py` tests. What is expected here was computed on another one, where sums
# of floating-point numbers may be taken in another order. Another version of PyTorch may compute
# what differs by more, so that a search of few steps ends elsewhere: then it has to end.
CLOSE = 1e-4

Commands = Callable[..., str]


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run of the name that the test is parametrised with, beside its data."""
    return unpack(request.param, tmp_path)


def unpack(name: str, place: Path) -> Path:
    """Copy a run, and the data that it was made of, whose path it records."""
    shutil.copytree(FIXTURES, place / "data", ignore=lambda path, _: ["runs", "__pycache__"])
    run = place / name
    shutil.copytree(FIXTURES / "runs" / name, run)
    for file in run.rglob("*"):
        if file.suffix in TEXT:
            text = file.read_text().replace("@FIXTURES@", str(place / "data"))
            file.write_text(text)
    return run


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    no_report: None,
) -> Commands:
    """Run a command that has to succeed; return what it printed, and said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "data"))  # of the table

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["nas", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as end:
            assert not end.code, capsys.readouterr().err
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def parametrised(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("folder", names, indirect=True)


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def contents(folder: Path) -> dict[Path, bytes]:
    names = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path: path.read_bytes() for path in names}


def require_close(found: Any, expected: Any, where: str = "") -> None:
    """Assert that two JSON values are equal; numbers with a fraction nearly."""
    if isinstance(expected, float) and isinstance(found, float):
        assert found == pytest.approx(expected, rel=CLOSE, abs=1e-6), where
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            require_close(found[key], value, f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, pair in enumerate(zip(found, expected, strict=True)):
            require_close(*pair, f"{where}/{i}")
    else:
        assert found == expected, where


def computes_alike(folder: Path) -> bool:
    """Tell whether this is the version of PyTorch, but for patches, that made a run."""
    recorded = read(folder / "config.json")["versions"]["torch"]
    return recorded.split(".")[:2] == torch.__version__.split(".")[:2]


def timeless(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "seconds"}


# -- reading --------------------------------------------------------------------------------------


def test_every_kind_is_here() -> None:
    assert len(NAMES) >= 20 and len(SEARCHES_STOPPED) >= 8 and len(WITH_WEIGHTS) >= 10


@parametrised(FINISHED)
def test_a_finished_run_is_read_and_shown(folder: Path, command: Commands) -> None:
    best, written = nas.load(folder).best, read(folder / "best.json")
    assert list(best.architecture.choices) == written["choices"]
    assert best.metrics == written["metrics"]
    shown = json.loads(command("show", folder, "--json"))
    assert (shown["space"], shown["architecture"]) == (written["space"], written["text"])
    before = contents(folder)
    assert "is finished already" in command("resume", folder)
    assert contents(folder) == before


@parametrised(SEARCHES_STOPPED)
def test_a_stopped_search_has_no_result_yet(folder: Path) -> None:
    with pytest.raises(NasError, match=r"has no result yet; continue with: nas resume"):
        _ = nas.load(folder).best


# -- going on -------------------------------------------------------------------------------------


@parametrised(SEARCHES_STOPPED)
def test_a_stopped_search_ends_as_if_undisturbed(folder: Path, command: Commands) -> None:
    done = [event for event in nas.load(folder).events() if event["event"] == "trial"]
    command("resume", folder, "--quiet")
    run, expected = nas.load(folder), read(folder / "expected.json")
    assert run.finished and len(run.events()) == len(expected["events"])
    assert [event for event in run.events() if event["event"] == "trial"][: len(done)] == done
    if not computes_alike(folder):
        return
    require_close(read(folder / "best.json"), expected["best"])
    require_close([timeless(event) for event in run.events()], expected["events"])
    of_trials = [event for event in expected["events"] if event["event"] == "trial"]
    recorded = [(t.number, run.space.format(t.architecture)) for t in run.trials()]
    assert recorded == [(event["number"], event["architecture"]) for event in of_trials]
    for trial, event in zip(run.trials(), of_trials, strict=True):
        require_close(trial.measurement.metrics, event["metrics"])


@parametrised(["tabular-training-stopped"])
def test_a_stopped_training_ends_as_if_undisturbed(folder: Path, command: Commands) -> None:
    command("train", folder, "--set", "epochs=4", "--device", "cpu", "--quiet")
    result = read(folder / "train" / "result.json")
    result["history"] = [timeless(epoch) for epoch in result["history"]]
    expected = read(folder / "expected.json")["result"]
    assert result.keys() >= expected.keys() and len(result["history"]) == 4
    if computes_alike(folder):
        require_close({name: result[name] for name in expected}, expected)


# -- what is done with what was found -------------------------------------------------------------


@parametrised(FINISHED)
def test_what_was_found_is_trained_and_exported(folder: Path, command: Commands) -> None:
    own = {"table": ["--data", f"npz:{folder.parent / 'data' / 'tiny.npz'}"]}  # not all of digits
    arguments = ["--set", "epochs=1", "--out", "again", "--device", "cpu", "--quiet", "--json"]
    trained = json.loads(command("train", folder, *arguments, *own.get(folder.name, [])))
    assert 0 <= trained["accuracy"] <= 1
    command("export", folder, "--to", "json", "--out", "found.json")
    assert read(Path("found.json"))["choices"] == read(folder / "best.json")["choices"]


@parametrised(WITH_WEIGHTS)
def test_inherited_weights_are_exported(folder: Path, command: Commands) -> None:
    """They are what was measured, and go into a file."""
    run = nas.load(folder)
    task = load_data(run.config["data"], run.config["seed"], "cpu", False, run.settings("data"))
    measured = evaluate(run.best.build(weights="inherited"), task, "valid", 64)
    require_close(measured, {name: run.best.metrics[name] for name in measured})
    to = ["--to", "python", "--weights", "inherited", "--out", "network.py"]
    command("export", folder, *to)
    assert "class" in Path("network.py").read_text()


@parametrised(["trained"])
def test_trained_weights_are_found(folder: Path, command: Commands) -> None:
    assert nas.load(folder).best.build(weights="trained").training is False
    again = ["--set", "epochs=1", "--set", "batch_size=16", "--device", "cpu", "--json"]
    found = json.loads(command("train", folder, *again, "--quiet"))
    assert found["accuracy"] == read(folder / "train" / "result.json")["accuracy"]


@parametrised(["reranked"])
def test_a_ranking_is_taken_up(folder: Path, command: Commands) -> None:
    """What was trained before is not trained again; more of them are."""
    trainings = folder / "rerank" / "trainings.jsonl"
    before = trainings.read_text()
    arguments = ["--repeats", "1", "--set", "epochs=1", "--device", "cpu", "--quiet", "--json"]
    ranked = json.loads(command("rerank", folder, "--top", "3", *arguments))
    assert len(ranked) == 3
    assert trainings.read_text().startswith(before)
    assert trainings.read_text().count("\n") == before.count("\n") + 1


@parametrised(["supernet"])
def test_trials_are_explained(folder: Path, command: Commands) -> None:
    assert json.loads(command("explain", folder, "--json", "--set", "min_count=1"))

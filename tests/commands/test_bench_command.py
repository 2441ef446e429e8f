"""The commands `nas bench ...`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from nas.benchmarks.home import open_benchmark
from nas.commands.bench import bench
from nas.errors import NasError
from nas.strategies.evolution import RegularizedEvolution

PLAIN = """# space: nas-bench-201
# benchmark: my-table
# problem: toy search=toy/valid_accuracy@5 report=toy/test_accuracy@5 costs=params
architecture,toy/valid_accuracy@5,toy/test_accuracy@5,params
"""
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")

Bench = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Run a command in a folder of its own, with a home of its own; `NasError`s are raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("nas.comparison.report.draw_regret", lambda *_: None)
    monkeypatch.setattr("nas.comparison.correlation_report.draw_scatter", lambda *_: None)

    def invoke(*arguments: object) -> Any:
        done = CliRunner().invoke(bench, [str(a) for a in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return invoke


@pytest.fixture
def imported(run: Bench) -> Bench:
    """The same with the table `my-table` of 64 cells."""
    lines = []
    for i, a in enumerate(OPERATIONS):
        for j, b in enumerate(OPERATIONS):
            for k, c in enumerate(OPERATIONS):
                text = f"|{a}~0|+|none~0|{b}~1|+|{c}~0|none~1|nor_conv_3x3~2|"
                valid = 0.5 + i / 10 + j / 20 + k / 100
                lines.append(f"{text},{valid},{valid - 0.1},{1000 * i + 10 * j + k}")
    Path("some.csv").write_text(PLAIN + "\n".join(lines) + "\n")
    assert run("import", "some.csv", "--quiet").exit_code == 0
    return run


def test_import_list_and_info(imported: Bench) -> None:
    assert "nas bench run --benchmark my-table" in imported("import", "some.csv").output
    entries = {e["name"]: e for e in json.loads(imported("list", "--json").stdout)}
    assert "at hand: 64 architectures" in entries["my-table"]["status"]
    assert "nas-bench-101" in imported("list").output
    assert "searched on: valid accuracy on toy, 5 epochs" in imported("info", "my-table").output
    assert json.loads(imported("info", "my-table", "--json").stdout)["name"] == "my-table"
    made = json.loads(imported("import", "some.csv", "--name", "x", "--json", "--quiet").stdout)
    assert made["tables"] == [str(Path("home/x.table").resolve())]


def test_run(imported: Bench) -> None:
    command = [
        "run", "--benchmark", "my-table", "--strategies", "random,evolution", "--repeats", 2,
        "--evaluations", 5, "--processes", 1, "--out", "out", "--quiet",
        "--set", "evolution.population=3", "--set", "evolution.tournament=2",
    ]  # fmt: skip
    done = imported(*command)
    assert done.exit_code == 0 and "p vs" in done.output and "out/regret.png" in done.output
    everything = json.loads(imported(*command, "--json").stdout)
    assert everything["strategies"] == ["random", "evolution"]
    assert "population=3" in Path("out/config.json").read_text()


def test_run_with_all_options(imported: Bench) -> None:
    common = ["run", "--benchmark", "my-table", "--repeats", 2, "--processes", 1, "--quiet"]
    done = imported(
        *common, "--strategies", "evolution,evolution?population=3&tournament=2,optuna:tpe"
        '?options={"multivariate":true,"n_startup_trials":3}', "--evaluations", 9, "--initial", 4,
        "--protocol", "noise-free", "--limit", "params<3k", "--out", "a", "--json",
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["strategies"][1:] == [
        "evolution?population=3&tournament=2",
        'optuna:tpe?options={"multivariate":true,"n_startup_trials":3}',
    ]
    assert (found["protocol"], found["initial"]) == ("noise-free", 4)
    facts = found["benchmarks"]["my-table"]["facts"]
    assert facts["optimum"] == pytest.approx(0.88) and "params<3k" in facts["described"][-1]
    done = imported(
        *common, "--strategies", "nsga-ii", "--objective", "accuracy,-params", "--evaluations", 9
    )
    assert "hypervolume" in done.output


def test_run_with_failures_ends_with_status_1(
    imported: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RegularizedEvolution, "ask", lambda *_: 1 / 0)
    done = imported(
        "run", "--benchmark", "my-table", "--strategies", "random,evolution", "--repeats", 1,
        "--evaluations", 5, "--processes", 1,
    )  # fmt: skip
    assert done.exit_code == 1 and "1 repeats failed" in done.output


def test_a_setting_needs_its_strategy(imported: Bench) -> None:
    with pytest.raises(NasError, match=r"such as evolution\.population"):
        imported("run", "--benchmark", "my-table", "--set", "population=3")
    with pytest.raises(NasError, match="--strategies: expected names"):
        imported("run", "--benchmark", "my-table", "--strategies", " , ")


def test_build_and_correlate(run: Bench, tiny_npz: Path) -> None:
    network = ["--set", "network.channels=2", "--set", "network.cells=1"]
    done = run(
        "build", "--space", "nas-bench-201", "--data", f"npz:{tiny_npz}", "--evaluations", 4,
        "--name", "mine", "--device", "cpu", "--set", "epochs=1", *network, "--quiet",
    )  # fmt: skip
    assert done.exit_code == 0 and len(open_benchmark("mine").table) == 4
    done = run(
        "correlate", "--benchmark", "mine", "--evaluators", "proxy:synflow", "--samples", 4,
        "--data", f"npz:{tiny_npz}", "--device", "cpu", "--out", "out",
        "--set", "proxy.batch_size=4", *network,
    )  # fmt: skip
    assert done.exit_code == 0 and "proxy:synflow" in done.stdout and "params" in done.stdout


def test_help_is_light() -> None:
    """Every command parses without what it computes with."""
    import subprocess

    code = (
        "import sys, nas.commands.bench; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    commands = typer.main.get_command(bench).commands  # type: ignore[attr-defined]
    assert set(commands) == {"list", "info", "import", "run", "build", "correlate"}

"""The command line, as a user meets it: what it prints where, and what it says to mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from nas import cli
from nas.run import Run

TINY = [
    *("--space", "nas-bench-201", "--device", "cpu"),
    *("--set", "supernet.channels=4", "--set", "network.channels=4"),
]
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


Nas = Callable[..., Result]


@pytest.fixture
def nas(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Nas:
    """Run a command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["nas", *map(str, arguments)])
        status: Any = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture
def search(nas: Nas, tiny_npz: Path, no_report: None) -> Nas:
    """Search tiny images for one epoch into `run`."""

    def run(*arguments: object) -> Result:
        strategy = () if "--strategy" in arguments else ("--strategy", "darts")
        epochs = "evaluator.epochs=1" if "random" in arguments else "epochs=1"
        data = () if "--data" in arguments else ("--data", f"npz:{tiny_npz}")
        out = () if "--out" in arguments else ("--out", "run")
        return nas("search", *TINY, *strategy, *data, *out, "--set", epochs, *arguments)

    return run


def refused(result: Result) -> str:
    """Check that a mistake was told in one line, and return it."""
    assert result.status == 2, result
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith("error: ")
    return line


# -- help -----------------------------------------------------------------------------------------


def test_all_commands_are_there() -> None:
    of_runs = {"search", "resume", "show", "rerank", "train", "export", "explain", "edf"}
    lists = {"spaces", "strategies", "evaluators", "data"}
    assert set(COMMANDS) == of_runs | {"bench", "compat"} | lists


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_default(nas: Nas, command: str) -> None:
    result = nas(command, "--help")
    assert result.status == 0
    shown = " ".join(result.out.replace("│", " ").split())
    for parameter in COMMANDS[command].params:
        if parameter.name == "help":
            continue
        assert (getattr(parameter, "help", None) or "").split()[0] in shown
        default = parameter.show_default
        if isinstance(default, str):
            assert f"[default: ({default})]" in shown
        elif parameter.default is not None and not parameter.required and not parameter.is_flag:
            assert f"[default: {parameter.default}]" in shown


def test_no_command_is_help(nas: Nas) -> None:
    result = nas()
    assert "search" in result.out + result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["-h"]])
def test_help_does_not_import_torch(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from nas import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'optuna', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "search" in result.stdout.lower()


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "dart"], "unknown search space 'dart'. Did you mean 'darts'? Allowed: "),
        (["--space", "absent.py:Net"], "no such file: absent.py"),
        (["--space", "no_module:Net"], "module 'no_module' cannot be imported"),
        (["--space", "os:nothing"], "unknown name in os 'nothing'"),
        (["--strategy", "pc-dart"], "Did you mean 'pc-darts'?"),
        (["--evaluator", "trian"], "unknown evaluator 'trian'. Did you mean 'train'?"),
        (["--data", "digit"], "unknown data 'digit'. Did you mean 'digits'?"),
        (["--data", "npz"], "npz needs an argument; expected npz:PATH"),
        (["--data", "npz:absent.npz"], "absent.npz: no such file"),
        (["--data", "absent.py:task"], "no such file: absent.py"),
        (["--scale", "papr"], "unknown scale 'papr'. Did you mean 'paper'?"),
        (["--objective", "acuracy"], "unknown objective 'acuracy'. Did you mean 'accuracy'?"),
        (["--objective", ""], "expected a metric such as accuracy or -loss"),
        (["--evaluations", "0"], "evaluations=0: at least 1"),
        (["--seed", "-1"], "seed=-1"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used"),
        (["--device", "tpu"], "device 'tpu' cannot be used"),
        (["--set", "epoch=3"], "unknown setting of strategy 'epoch'. Did you mean 'epochs'?"),
        (["--set", "strategi.epochs=3"], "unknown group of settings 'strategi'. Did you mean"),
        (["--set", "epochs"], "--set 'epochs': expected key=value"),
        (["--set", "=3"], "--set '=3': expected key=value"),
        (["--set", "epochs=three"], "strategy.epochs='three': expected int"),
        (["--set", "epochs=1.5"], "strategy.epochs=1.5: expected int"),
        (["--set", "epochs=true"], "strategy.epochs=True: expected int"),
        (["--set", "epochs="], "strategy.epochs='': expected int"),
        (["--set", "epochs=0"], "strategy.epochs=0: expected at least 1"),
        (["--set", "weight_lr=[1]"], "strategy.weight_lr=[1]: expected float"),
        (["--set", "weight_lr=NaN"], "strategy.weight_lr=nan: expected above 0"),
        (["--set", "edge_gates=yes"], "strategy.edge_gates='yes': expected bool"),
        (["--set", "relaxation=softmx"], "unknown relaxation 'softmx'. Did you mean 'softmax'?"),
        (["--set", "regularisers=entropi"], "unknown regulariser 'entropi'. Did you mean"),
        (["--set", "supernet.chanels=3"], "Did you mean 'channels'?"),
        (["--set", "data.limt=3"], "Did you mean 'limit'?"),
        (["--set", "data.valid_fraction=2"], "valid_fraction=2.0: expected a number between"),
        (["--config", "absent.toml"], "config file absent.toml: cannot be read"),
        (["--out", "/dev/null"], "/dev/null is in use: it is no folder"),
        (["--out", "/dev/null/x"], "cannot make folder /dev/null/x: Not a directory"),
    ],
)
def test_mistakes_are_one_line(
    search: Nas, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refused(search(*arguments))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "DARTS_V3"], "Did you mean 'DARTS_V"),
        (["show", "Genotype(normal=[('sep_conv_3x3', 1)"], "genotype: not readable"),
        (["show", "DARTS_V2", "--space", "nasne"], "Did you mean 'nasnet'?"),
        (["show", "DARTS_V2", "--set", "channel=3"], "Did you mean 'channels'?"),
        (["show", "DARTS_V2", "--set", "strategy.epochs=3"], "unknown group of settings"),
        (["show", "DARTS_V2", "--out", "cell.xyz"], "unknown suffix"),
        (["show", "DARTS_V2", "--out", "absent/cell.png"], "does not exist"),
        (["resume", "absent"], "no run at absent: config.json is missing"),
        (["train", "absent"], "'absent' is no run folder, file, genotype"),
        (["train", "DARTS_V2", "--set", "epoch=3"], "Did you mean 'epochs'?"),
        (["train", "DARTS_V2", "--data", "digit"], "Did you mean 'digits'?"),
        (["train", "DARTS_V2", "--device", "cuda:99"], "device 'cuda:99' cannot be used"),
        (["train", "DARTS_V2", "--scale", "papr"], "Did you mean 'paper'?"),
        (["export", "DARTS_V2", "--to", "pyton"], "Did you mean 'python'?"),
        (["export", "DARTS_V2", "--weights", "inherited"], "it has no inherited weights"),
        (["export", "absent"], "'absent' is no run folder"),
        (["spaces", "dart"], "Did you mean 'darts'?"),
        (["strategies", "drna"], "Did you mean 'drnas'?"),
        (["evaluators", "trian"], "Did you mean 'train'?"),
        (["data", "digit"], "Did you mean 'digits'?"),
    ],
)
def test_mistakes_of_other_commands_are_one_line(
    nas: Nas, arguments: list[str], message: str
) -> None:
    assert message in refused(nas(*arguments))


@pytest.mark.parametrize(
    "arguments", [["serch"], ["search", "--spaec", "x"], ["show"], ["search", "--seed", "x"]]
)
def test_what_is_no_command_or_option(nas: Nas, arguments: list[str]) -> None:
    result = nas(*arguments)
    assert result.status == 2
    assert result.out == ""
    assert "Traceback" not in result.err


def test_a_broken_archive_of_data(search: Nas, tmp_path: Path, tiny_npz: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(tiny_npz.read_bytes()[:1000])
    assert "cut.npz: cannot be read" in refused(search("--data", "npz:cut.npz"))
    np.savez(tmp_path / "half.npz", x_train=np.zeros((4, 3, 8, 8)))
    assert "half.npz: has no array y_train" in refused(search("--data", "npz:half.npz"))


def test_files_of_a_user_that_do_not_fit(search: Nas, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("number = 3\nraise_it = lambda: 1 / 0\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    assert "not a search space: 3" in refused(search("--space", "mine.py:number"))
    assert "not data: 3" in refused(search("--data", "mine.py:number"))
    assert "unknown name in mine.py 'numbr'. Did you mean 'number'?" in refused(
        search("--space", "mine.py:numbr")
    )
    assert "broken.py cannot be imported: SyntaxError" in refused(search("--space", "broken.py:f"))


# -- searching ------------------------------------------------------------------------------------


def test_a_search_prints_its_result_and_what_comes_next(search: Nas) -> None:
    result = search()
    assert result.status == 0
    assert "found in run:" in result.out
    assert "accuracy 0." in result.out
    assert "next: nas show run | nas train run | nas export run | nas rerank run\n" in result.out
    assert "searching nas-bench-201 with darts into run" in result.err
    assert "Traceback" not in result.err


def test_a_front_is_printed(nas: Nas, tiny_npz: Path, no_report: None) -> None:
    wanted = ["--strategy", "nsga-ii", "--objective", "score,-flops"]
    budget = ["--evaluator", "proxy:params", "--evaluations", "4", "--out", "run"]
    result = nas("search", *TINY, "--data", f"npz:{tiny_npz}", *wanted, *budget)
    assert result.status == 0, result.err
    title, *lines = result.out.partition("\nPareto front of ")[2].partition("\n\n")[0].splitlines()
    assert title == "score, flops, drawn in run/front.png:"
    front = Run("run").front()
    assert len(lines) == len(front) >= 1
    for line, trial in zip(lines, front, strict=True):
        assert line.endswith(Run("run").space.format(trial.architecture))
        assert line.startswith(f"  score {trial.measurement.metrics['score']:,.0f}  flops ")
    assert result.out.rstrip().endswith("| nas explain run")
    found = json.loads(nas("resume", "run", "--json").out)
    assert [one["text"] for one in found["front"]] == [line.split()[-1] for line in lines]
    assert all(set(one["metrics"]) == {"score", "params", "flops"} for one in found["front"])


def test_quiet_shows_no_progress(search: Nas) -> None:
    result = search("--quiet")
    assert result.status == 0
    assert result.err == ""


@pytest.mark.parametrize("strategy", ["darts", "random"])
def test_json_is_all_that_is_on_standard_output(search: Nas, strategy: str) -> None:
    budget = ["--evaluations", "2"] if strategy == "random" else []
    result = search("--json", "--strategy", strategy, *budget)
    found = json.loads(result.out)
    assert found["run"] == "run"
    assert found["choices"] == list(Run("run").best.architecture.choices)
    assert result.err  # the progress


def test_settings_reach_their_groups(search: Nas) -> None:
    search("--set", "gate_lr=0.5", "--set", "network.cells=2", "--set", "data.valid_fraction=0.3")
    settings = Run("run").config["settings"]
    assert settings["strategy"]["gate_lr"] == 0.5
    assert settings["network"]["cells"] == 2
    assert settings["data"] == {"valid_fraction": 0.3}
    assert Run("run").config["task"]["splits"]["sizes"]["valid"] == 12


def test_the_last_of_two_settings_wins(search: Nas) -> None:
    assert search("--set", "epochs=3", "--set", "epochs=2").status == 0
    assert Run("run").settings("strategy")["epochs"] == 2


def test_other_settings_in_the_same_folder(search: Nas, tmp_path: Path) -> None:
    assert search().status == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    line = refused(search("--seed", "1"))
    assert "run holds a run with other settings (seed=0, not 1)" in line
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_mistake_in_a_setting_can_be_mended(search: Nas) -> None:
    """The folder of the failed command must not stand in the way of the right one."""
    refused(search("--set", "supernet.layers=3"))
    assert search("--set", "supernet.cells=1").status == 0


def test_a_folder_that_is_not_empty(search: Nas, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert "run is in use: it is not empty and holds no run" in refused(search())


def test_a_folder_in_use_by_another_process(search: Nas, nas: Nas) -> None:
    assert search().status == 0
    code = (
        "import fcntl, sys; f = open('run/.lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        for result in (search(), nas("resume", "run")):
            assert "run is in use by another process" in refused(result)
        process.stdin.close()


# -- config files ---------------------------------------------------------------------------------

TOML = """
space = "nas-bench-201"
strategy = "darts"
seed = 7
device = "cpu"
out = "from-file"

[settings.strategy]
epochs = 1
gate_lr = 0.25

[settings.supernet]
channels = 4
"""


def test_a_toml_file_with_overrides(nas: Nas, tiny_npz: Path, no_report: None) -> None:
    Path("mine.toml").write_text(TOML)
    result = nas(
        *("search", "--config", "mine.toml", "--data", f"npz:{tiny_npz}"),
        *("--strategy", "gdas", "--set", "gate_lr=0.75"),
    )
    assert result.status == 0, result.err
    config = Run("from-file").config
    assert (config["seed"], config["device"]) == (7, "cpu")
    assert config["strategy"] == "gdas"  # the command line wins
    assert config["settings"]["strategy"]["gate_lr"] == 0.75
    assert config["settings"]["strategy"]["epochs"] == 1
    assert config["settings"]["supernet"]["channels"] == 4


def test_a_json_file(nas: Nas, tiny_npz: Path, no_report: None) -> None:
    settings = {"evaluator": {"epochs": 1}, "supernet": {"channels": 4}}
    options = {"space": "nas-bench-201", "strategy": "random", "evaluations": 2}
    Path("mine.json").write_text(json.dumps(options | {"settings": settings}))
    result = nas("search", "--config", "mine.json", "--data", f"npz:{tiny_npz}", "--out", "run")
    assert result.status == 0, result.err
    assert Run("run").config["evaluations"] == 2


def test_the_config_of_a_run_repeats_it(search: Nas, nas: Nas) -> None:
    assert search("--set", "gate_lr=0.5").status == 0
    assert nas("search", "--config", "run/config.json", "--out", "again").status == 0
    assert Path("again/best.json").read_bytes() == Path("run/best.json").read_bytes()
    assert Run("again").config["settings"] == Run("run").config["settings"]


def test_an_option_given_with_its_default_value_wins(nas: Nas, tiny_npz: Path) -> None:
    Path("mine.toml").write_text('strategy = "nonsense"')
    line = refused(nas("search", "--config", "mine.toml", "--strategy", "pc-darts", "--data", "x"))
    assert "unknown data 'x'" in line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", "= 3", "a.toml: not valid TOML"),
        ("a.json", "{", "a.json: not valid JSON"),
        ("a.json", "[1]", "expected a table of settings"),
        ("a.toml", "sed = 3", "unknown option in a.toml 'sed'. Did you mean 'seed'?"),
        ("a.toml", 'seed = "x"', "a.toml: seed='x': expected int"),
        ("a.toml", "seed = 1.5", "a.toml: seed=1.5: expected int"),
        ("a.toml", 'evaluations = "many"', "a.toml: evaluations='many': expected int"),
        ("a.toml", "strategy = [1]", "a.toml: strategy=[1]: expected str"),
        ("a.toml", "space = true", "a.toml: space=True: expected str"),
        ("a.toml", 'download = "yes"', "a.toml: download='yes': expected bool"),
        ("a.toml", "strategy = 5", "unknown strategy '5'"),
        ("a.toml", "settings = 3", "a.toml: settings must be a table of groups"),
        ("a.toml", "[settings]\nstrategy = 3", "a.toml: settings must be a table of groups"),
        ("a.toml", "[settings.strategi]\nepochs = 3", "unknown group of settings 'strategi'"),
        ("a.toml", '[settings.strategy]\nepochs = "x"', "strategy.epochs='x': expected int"),
    ],
)
def test_mistakes_in_a_config_file(nas: Nas, name: str, content: str, message: str) -> None:
    Path(name).write_text(content)
    assert message in refused(nas("search", "--config", name))


# -- resuming -------------------------------------------------------------------------------------


def test_a_finished_run_is_resumed_to_the_same(search: Nas, nas: Nas) -> None:
    first = json.loads(search("--json").out)
    result = nas("resume", "run", "--json")
    assert json.loads(result.out) == first
    assert "run is finished already" in result.err


def test_resume_by_an_absolute_path_from_elsewhere(
    search: Nas, nas: Nas, tmp_path: Path, tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.npz").write_bytes(tiny_npz.read_bytes())
    assert search("--data", "npz:mine.npz").status == 0
    (tmp_path / "run" / "best.json").unlink()
    monkeypatch.chdir("/")
    result = nas("resume", tmp_path / "run")
    assert result.status == 0, result.err
    assert (tmp_path / "run" / "best.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": "x"}, "seed='x': expected int"),
        ({"seed": None}, "seed=None: expected int"),
        ({"strategy": "gone"}, "unknown strategy 'gone'"),
        ({"settings": {"strategy": 3}}, "settings must be a table of groups"),
        ({"settings": []}, "config.json is damaged: 'settings'"),
        ({"scale": "huge"}, "unknown scale 'huge'"),
        ({"data": "npz:/absent.npz"}, "/absent.npz: no such file"),
    ],
)
def test_resuming_with_a_damaged_config(
    search: Nas, nas: Nas, change: dict[str, Any], message: str
) -> None:
    assert search().status == 0
    file = Path("run/config.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert message in refused(nas("resume", "run"))


@pytest.mark.parametrize("name", ["seed", "data", "strategy", "settings", "space"])
def test_resuming_with_a_config_that_lacks_something(search: Nas, nas: Nas, name: str) -> None:
    assert search().status == 0
    config = json.loads(Path("run/config.json").read_text())
    del config[name]
    Path("run/config.json").write_text(json.dumps(config))
    assert f"run/config.json is damaged: '{name}' is missing" in refused(nas("resume", "run"))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config.json", "run/config.json is damaged"),
        ("checkpoint/search.pt", "run/checkpoint/search.pt is damaged"),
        ("study.journal", "run/study.journal is damaged"),
    ],
)
def test_resuming_with_a_damaged_file(search: Nas, nas: Nas, file: str, message: str) -> None:
    assert search("--quiet").status == 0
    Path("run/best.json").unlink()  # as if it had not ended
    content = Path("run", file).read_bytes()
    middle = len(content) // 2
    Path("run", file).write_bytes(content[:middle] + b"\x00?\n\x00" + content[middle + 40 :])
    assert message in refused(nas("resume", "run", "--quiet"))


def test_a_damaged_result(search: Nas, nas: Nas) -> None:
    assert search().status == 0
    Path("run/best.json").write_text("{")
    for command in (
        ["show", "run"],
        ["export", "run"],
        ["train", "run"],
        ["resume", "run", "--quiet"],
    ):
        assert "run/best.json is damaged" in refused(nas(*command))


# -- show, train, export, lists -------------------------------------------------------------------


def test_from_a_search_to_an_exported_network(search: Nas, nas: Nas) -> None:
    assert search().status == 0
    shown = nas("show", "run", "--out", "cell.svg")
    assert shown.status == 0 and "drawn in cell.svg" in shown.out
    trained = nas("train", "run", "--set", "epochs=1", "--quiet", "--json")
    assert trained.err == ""
    assert 0 <= json.loads(trained.out)["accuracy"] <= 1
    exported = nas("export", "run", "--to", "python", "--json")
    assert exported.status == 0, exported.err
    found = json.loads(exported.out)
    assert found["weights"] == "trained"
    assert "class" in Path(found["file"]).read_text()


@pytest.mark.parametrize("command", ["spaces", "strategies", "evaluators", "data"])
def test_lists(nas: Nas, command: str) -> None:
    text, raw = nas(command), nas(command, "--json")
    assert text.status == raw.status == 0
    entries = json.loads(raw.out)
    assert len(entries) >= 2
    for entry in entries:
        assert f"{entry['name']}  {entry['summary']}" in text.out
    [one] = json.loads(nas(command, entries[0]["name"], "--json").out)
    assert one["name"] == entries[0]["name"]


def test_show_as_json(nas: Nas) -> None:
    result = nas("show", "DARTS_V2", "--json", "--set", "channels=4", "--set", "layers=3")
    shown = json.loads(result.out)
    assert shown["space"] == "darts" and shown["network"]["channels"] == 4


# -- interruptions and the machine ----------------------------------------------------------------


@pytest.mark.parametrize("command", [["search"], ["resume", "run"]])
def test_an_interruption_says_how_to_go_on(
    nas: Nas, search: Nas, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    assert search("--quiet").status == 0

    def interrupted(**options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["nas.search"], "search", interrupted)
    result = nas(*command)
    assert result.status == 130
    assert result.err.strip() == "interrupted; the same command continues"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_one_line(
    nas: Nas, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(**options: Any) -> None:
        raise error

    monkeypatch.setattr(sys.modules["nas.search"], "search", fail)
    assert "out of memory; lower the batch size, or channels" in refused(nas("search"))


def test_a_mistake_of_this_package_is_not_hidden(nas: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(sys.modules["nas.search"], "search", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        nas("search")


def test_a_full_disk_is_one_line(nas: Nas, search: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Run, event: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device", "run/log.jsonl")

    monkeypatch.setattr(Run, "log", full)
    assert "No space left on device: run/log.jsonl" in refused(search("--quiet"))

"""The command line, and what is said of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from perf.__main__ import PARTS, main, parse
from perf.machine import describe, heading


def test_options() -> None:
    options = parse(["--only", "darts,scoring", "--repeats", "2"])
    assert options.only == ("darts", "scoring")
    assert (options.repeats, options.threads, options.quick) == (2, None, False)
    assert parse([]).only == PARTS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "dart"], "Did you mean 'darts'?"),
        (["--repeats", "0"], "expected a whole number from 1"),
    ],
)
def test_wrong_options(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        parse(arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err


def test_a_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--device", "abacus"]) == 2
    assert "device 'abacus' cannot be used" in capsys.readouterr().err


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--device", "cpu", "--json", str(tmp_path / "no" / "file.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_machine() -> None:
    machine = describe(torch.device("cpu"))
    assert machine["torch"] == torch.__version__
    assert machine["threads"] == torch.get_num_threads()
    text = heading(machine | {"cpu": "abacus", "cpu_bf16": []})
    assert "abacus" in text and "none: bf16 is emulated" in text and "GPU" not in text

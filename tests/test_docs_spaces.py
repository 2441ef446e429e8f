"""The chapter on search spaces: all of its blocks run, in order, in one folder."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from nas.cli import main
from nas.run import load

CHAPTER = Path(__file__).parent.parent / "docs" / "spaces.md"
SMALLER = {
    "darts": "--set epochs=1",
    "pc-darts": "--set epochs=1",
    "evolution": "--evaluations 2 --set evaluator.epochs=1",
    "rl": "--evaluations 2 --set evaluator.epochs=1",
    "bo-wl": "--evaluations 2 --set evaluator.epochs=1",
}
"""What makes a command of the chapter take little time."""


def blocks(language: str) -> list[str]:
    text = CHAPTER.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def module_file() -> str:
    [text] = [block for block in blocks("python") if block.startswith("# my_module.py")]
    return text


def test_the_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_report: None,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_module.py").write_text(module_file(), encoding="utf-8")
    names: dict[str, Any] = {"__name__": "chapter"}
    try:
        for block in blocks("python"):
            if not block.startswith("# my_module.py"):
                exec(compile(block, str(CHAPTER), "exec"), names)
    finally:
        sys.modules.pop("my_module", None)
    said = capsys.readouterr().out
    assert "2 ['block']" in said
    assert "Elastic width: LayerNorm" in said
    assert "(1, 10)" in said
    assert (tmp_path / "net.png").stat().st_size > 1000


@pytest.mark.parametrize("command", "".join(blocks("sh")).splitlines())
def test_the_commands_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_report: None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_module.py").write_text(module_file(), encoding="utf-8")
    words = shlex.split(command)
    smaller = shlex.split(SMALLER[words[words.index("--strategy") + 1]])
    monkeypatch.setattr(sys, "argv", [*words, *smaller, "--quiet", "--out", "run"])
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
    found = load(tmp_path / "run").best
    assert "accuracy" in found.metrics


def test_every_search_of_the_issue_is_in_the_chapter() -> None:
    strategies = {
        line.split("--strategy ")[1].split()[0] for line in "".join(blocks("sh")).splitlines()
    }
    assert strategies == set(SMALLER)

"""The log of a run."""

from __future__ import annotations

from pathlib import Path

from small_runs import create

from nas.run import load


def test_events_are_appended(tmp_path: Path) -> None:
    run = create(tmp_path)
    assert run.events() == [] and run.log_size() == 0
    run.log({"event": "a"})
    size = run.log_size()
    run.log({"event": "b"})
    assert [e["event"] for e in run.events()] == ["a", "b"]
    run.rewind_log(size)
    assert [e["event"] for e in run.events()] == ["a"]
    run.rewind_log(10**6)
    assert run.log_size() == size


def test_an_event_is_logged_once(tmp_path: Path) -> None:
    run = create(tmp_path)
    epoch = {"event": "epoch", "phase": "supernet", "epoch": 1, "loss": 0.5}
    for opened in (run, run, load(tmp_path)):
        opened.log_once(epoch)
    run.log_once(epoch | {"epoch": 2})
    run.log_once(epoch | {"phase": "other"})
    assert len(run.events()) == 3
    run.rewind_log(0)
    run.log_once(epoch)  # forgotten, so logged again
    assert run.events() == [epoch]


def test_lines_that_are_not_json_are_left_out(tmp_path: Path) -> None:
    run = create(tmp_path)
    (tmp_path / "log.jsonl").write_text('{"event": "a"}\nrubbish\n{"event": "b"}\n{"eve')
    assert [e["event"] for e in run.events()] == ["a", "b"]

"""What a reader sees first: the run's title and state, its figures at a glance, warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

from nas.progress import duration
from nas.reporting.markup import figure, label, section, words
from nas.reporting.ranking import objective_of
from nas.reporting.records import Record, Recorded, latest_epochs, metrics_of, number_of

__all__ = ["heading", "title_of", "warnings_section"]

_TABLE = "table"  # the evaluator that looks at no data


def title_of(config: Record, folder: Path) -> str:
    """Return what was searched, with what and on which data or table; else the folder's name."""
    looked_up = str(config.get("evaluator")).partition(":")[0] == _TABLE
    keys = ("space", "strategy", "evaluator" if looked_up else "data")
    parts = [words(config[key]) for key in keys if config.get(key)]
    return " \N{MULTIPLICATION SIGN} ".join(parts) or folder.resolve().name


def heading(title: str, run: Recorded, best: Record) -> str:
    """Write the heading, whether the run is finished, and a card for every figure.

    Args:
        title: As `title_of` returns it.
        run: What was recorded.
        best: The result, as in `best.json`.
    """
    about = f"{_state(run.events)} {_about(run.config)}"
    about += f"<br>{escape(wanted)}" if (wanted := _wanted(run)) else ""
    cards = "".join(f"<div><dt>{n}</dt><dd>{escape(v)}</dd></div>" for n, v in _cards(run, best))
    return f"<header><h1>{escape(title)}</h1><p>{about}</p><dl>{cards}</dl></header>"


def _state(events: list[Record]) -> str:
    marks = [e["event"] for e in events if e.get("event") in ("epoch", "trial", "done")]
    if marks[-1:] == ["done"]:
        return '<span class="chip finished">finished</span>'
    return f'<span class="chip unfinished">unfinished{_progress(events)}</span>'


def _progress(events: list[Record]) -> str:
    epochs = latest_epochs(events)
    last = epochs[-1] if epochs else {}
    if not last.get("epoch") or not last.get("epochs"):
        return ""
    return escape(f": {last.get('phase', 'train')} epoch {last['epoch']} of {last['epochs']}")


def _about(config: Record) -> str:
    parts = [config.get("evaluator") and f"evaluator {words(config['evaluator'])}"]
    parts += ["seed" in config and f"seed {words(config['seed'])}"]
    parts += [config.get("created") and f"created {words(config['created'])}"]
    return " · ".join(escape(str(part)) for part in parts if part)


def _wanted(run: Recorded) -> str:
    """Write every objective and limit; empty where no objective is recorded."""
    if not run.config.get("objective"):
        return ""
    objective = objective_of(run)
    goals = [f"{'minimise' if g.sign < 0 else 'maximise'} {g.metric}" for g in objective.goals]
    parts = [", ".join(goals)]
    if objective.limits:
        parts.append(f"limit {', '.join(map(str, objective.limits))}")
    if timeout := number_of(run.config.get("timeout"), 0):
        parts.append(f"timeout {timeout:g} s")
    return " · ".join(parts)


def _cards(run: Recorded, best: Record) -> Iterator[tuple[str, str]]:
    """Yield names, which are HTML, and values: the result's metrics, then what they took."""
    # With weights that it shares with others an architecture does worse than on its own.
    how = ", shared weights" if run.is_differentiable else ""
    how = f", {escape(str(best['measured_by']))}" if best.get("measured_by") else how
    for name, value in metrics_of(best).items():
        yield label(name) + how, figure(name, value)
    if run.trials:
        yield "trials", f"{len(run.trials):,}"
    seconds = (number_of(e.get("seconds"), 0) for e in [*run.trials, *latest_epochs(run.events)])
    if total := sum(seconds):
        yield "time", duration(total)


def warnings_section(run: Recorded) -> str:
    """Write what a person must know before they trust the result."""
    messages = (str(e.get("message", "")) for e in run.events if e.get("event") == "warning")
    items = [
        escape(text) + (f" <b>(&times;{times})</b>" if times > 1 else "")
        for text, times in Counter(messages).items()
    ]
    items += _failures(run.trials)
    content = "".join(f"<li>{item}</li>" for item in items)
    return section("Warnings", f"<ul>{content}</ul>" if items else "", "warning")


def _failures(trials: list[Record]) -> list[str]:
    failed = [trial for trial in trials if trial.get("status") == "failed"]
    if not failed:
        return []
    reasons = Counter(str(t["error"]) for t in failed if t.get("error")).most_common(1)
    reason = f", most often with <code>{escape(reasons[0][0])}</code>" if reasons else ""
    return [f"{len(failed)} of {len(trials)} trials failed{reason}."]

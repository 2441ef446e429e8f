"""The report of a run: one HTML file that a browser opens anywhere, with nothing to load."""

from __future__ import annotations

import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nas import draw
from nas.checkpoint import atomic
from nas.errors import NasError
from nas.progress import duration

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["write_report"]

Record: TypeAlias = "dict[str, Any]"
Values: TypeAlias = "NDArray[np.float64]"

_PHASES = {"search": "Search", "supernet": "Supernet training", "train": "Training"}
_CURVES = ("loss", "accuracy")
_TRAIN, _VALID, _BEST = draw.COLOURS["conv"], draw.COLOURS["attention"], draw.COLOURS["pool"]
_GRID = "#e3e6eb"
_DARK_PAPER = "#171c24"
_TOP = 10


def write_report(folder: Path, *, graph: nx.DiGraph[Any] | None = None) -> Path:
    """Write `report.html` into a run's folder from what the run has recorded so far.

    Args:
        folder: The run's folder. `config.json`, `log.jsonl` and `best.json` are read; any of
            them may be missing, and the log may end in the middle of a line.
        graph: The found architecture as `SearchSpace.graph` returns it, to be drawn.

    Returns:
        The path of the report. It needs no other file and no network.

    Raises:
        NasError: The folder does not exist or cannot be written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NasError(f"cannot report on '{folder}': there is no such folder.")
    config, events = _read(folder / "config.json"), _events(folder / "log.jsonl")
    trials = _trials(events)
    best = _read(folder / "best.json") or _leader(events, trials)
    title = _title(config, folder)
    body = (
        _header(title, config, best, events, trials)
        + _warnings(events, trials)
        + _architecture(best, graph)
        + "".join(_epochs(events, phase, i) for i, phase in enumerate(_phases(events)))
        + _search(trials)
        + _settings(config)
    )
    if "<section" not in body:
        body += _section("Nothing yet", "<p>The run has recorded nothing so far.</p>")
    page = _PAGE.format(title=escape(title), style=_style(), body=body)
    path = folder / "report.html"
    with atomic(path) as stream:
        stream.write(page.encode())
    return path


# --- Reading what is there


def _read(path: Path) -> Record:
    """Read a JSON object; empty where the file is missing or damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _events(path: Path) -> list[Record]:
    """Read the log, without what a kill left unfinished."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _trials(events: Iterable[Record]) -> list[Record]:
    """The trials by number; of one that was run again after a resume, the last."""
    trials: dict[float, Record] = {}
    for event in events:
        if event.get("event") == "trial":
            trials[_float(event.get("number"), len(trials))] = event
    return [{**trials[number], "number": round(number)} for number in sorted(trials)]


def _leader(events: Iterable[Record], trials: Sequence[Record]) -> Record:
    """What stands in for `best.json` while there is none: the best trial or the last epoch's."""
    for found in [*_ranked(trials)[:1], *reversed(_latest(events))]:
        if found.get("architecture"):
            return {"text": found["architecture"], "metrics": found.get("metrics")}
    return {}


def _phases(events: Iterable[Record]) -> list[str]:
    found = (str(e.get("phase", "train")) for e in events if e.get("event") == "epoch")
    return list(dict.fromkeys(found))


def _float(value: object, otherwise: float = math.nan) -> float:
    """Return a finite number, or `otherwise` for anything else."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else otherwise  # type: ignore[arg-type]


def _metrics(record: Record) -> dict[str, float]:
    metrics = record.get("metrics")
    items = metrics.items() if isinstance(metrics, dict) else ()
    return {str(name): _float(v) for name, v in items if not math.isnan(_float(v))}


def _objective(trials: Iterable[Record]) -> tuple[str, int]:
    """Return the metric that trials are ranked by, and its sign: 1 if more is better."""
    names = list(dict.fromkeys(name for trial in trials for name in _metrics(trial)))
    name = next((n for n in names if n.endswith("accuracy")), names[0] if names else "")
    less = re.search(r"loss|error|latency|perplexity|seconds|flops|param|memory|mae|mse", name)
    return name, -1 if less else 1


def _ranked(trials: Sequence[Record]) -> list[Record]:
    """The trials that were measured, the best first."""
    name, sign = _objective(trials)
    scored = [trial for trial in trials if name in _metrics(trial)]
    return sorted(scored, key=lambda trial: -sign * _metrics(trial)[name])


# --- Words and numbers


def _title(config: Record, folder: Path) -> str:
    parts = [_words(config[key]) for key in ("space", "strategy", "data") if config.get(key)]
    return " \N{MULTIPLICATION SIGN} ".join(parts) or folder.resolve().name


def _words(value: object) -> str:
    """Write a setting's value as a person would."""
    if isinstance(value, dict) and "name" in value:
        return str(value["name"])
    return value if isinstance(value, str) else json.dumps(value)


def _number(name: str, value: float) -> str:
    if math.isnan(value):
        return "\N{EN DASH}"
    if name.endswith(("accuracy", "acc")) and abs(value) <= 1:
        return f"{100 * value:.2f} %"
    if name == "seconds":
        return duration(value) if value >= 10 else f"{value:.2g}s"
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1e5 else f"{value:.4g}"


def _label(name: str) -> str:
    return escape(name.replace("_", " "))


def _section(title: str, content: str, kind: str = "") -> str:
    if not content:
        return ""
    return f'<section class="{kind}"><h2>{escape(title)}</h2>{content}</section>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of cells that are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


# --- Sections


def _header(
    title: str, config: Record, best: Record, events: list[Record], trials: list[Record]
) -> str:
    """The heading, whether the run is finished, and its figures at a glance."""
    marks = [e["event"] for e in events if e.get("event") in ("epoch", "trial", "done")]
    done = marks[-1:] == ["done"]
    state = "finished" if done else "unfinished"
    about = [config.get("evaluator") and f"evaluator {_words(config['evaluator'])}"]
    about += ["seed" in config and f"seed {_words(config['seed'])}"]
    about += [config.get("created") and f"created {_words(config['created'])}"]
    line = " · ".join(escape(str(part)) for part in about if part)
    tiles = [(name, _number(name, value)) for name, value in _metrics(best).items()]
    if trials:
        tiles.append(("trials", f"{len(trials):,}"))
    seconds = sum(_float(e.get("seconds"), 0) for e in [*trials, *_latest(events)])
    if seconds:
        tiles.append(("time", duration(seconds)))
    cards = "".join(f"<div><dt>{_label(n)}</dt><dd>{escape(v)}</dd></div>" for n, v in tiles)
    chip = f'<span class="chip {state}">{state}{_progress(events, done)}</span>'
    return f"<header><h1>{escape(title)}</h1><p>{chip} {line}</p><dl>{cards}</dl></header>"


def _latest(events: Iterable[Record], phase: str | None = None) -> list[Record]:
    """The epochs in order; of one that was run again after a resume, the last."""
    epochs: dict[tuple[str, float], Record] = {}
    for event in events:
        own = str(event.get("phase", "train"))
        if event.get("event") == "epoch" and phase in (None, own):
            epochs[own, _float(event.get("epoch"), len(epochs))] = event
    return list(epochs.values())


def _progress(events: Iterable[Record], done: bool) -> str:
    epochs = _latest(events)
    last = epochs[-1] if epochs and not done else {}
    if not last.get("epoch") or not last.get("epochs"):
        return ""
    return escape(f": {last.get('phase', 'train')} epoch {last['epoch']} of {last['epochs']}")


def _warnings(events: Iterable[Record], trials: Sequence[Record]) -> str:
    """What a person must know before they trust the result."""
    said = Counter(str(e.get("message", "")) for e in events if e.get("event") == "warning")
    items = [escape(text) + (f" <b>(&times;{n})</b>" if n > 1 else "") for text, n in said.items()]
    failed = [trial for trial in trials if trial.get("status") == "failed"]
    if failed:
        reasons = Counter(str(t["error"]) for t in failed if t.get("error")).most_common(1)
        reason = f", most often with <code>{escape(reasons[0][0])}</code>" if reasons else ""
        items.append(f"{len(failed)} of {len(trials)} trials failed{reason}.")
    content = "".join(f"<li>{item}</li>" for item in items)
    return _section("Warnings", f"<ul>{content}</ul>" if items else "", "warning")


def _architecture(best: Record, graph: nx.DiGraph[Any] | None) -> str:
    content = ""
    if graph is not None:
        drawing = _svg(draw.figure(graph), "the found architecture", "architecture")
        content = f'<div class="drawing">{drawing}</div>'
    if best.get("text"):
        content += f"<pre>{escape(_words(best['text']))}</pre>"
    if graph is not None:
        content += _details("Node by node", f"<pre>{escape(draw.text(graph))}</pre>")
    decisions = best.get("decisions")
    if isinstance(decisions, dict) and decisions:
        rows = [(_code(name), _code(option)) for name, option in decisions.items()]
        content += _details(f"Decisions ({len(rows)})", _table(("decision", "option"), rows))
    return _section("Architecture", content)


def _details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _code(value: object) -> str:
    return f"<code>{escape(_words(value))}</code>"


def _epochs(events: Iterable[Record], phase: str, index: int) -> str:
    """The curves of one phase: loss, accuracy, and skip connections where they are counted."""
    curves = {name: {f"train {name}": _TRAIN, f"valid {name}": _VALID} for name in _CURVES}
    curves["skip connections"] = {"skips": draw.COLOURS["skip"]}
    epochs = _latest(events, phase)
    charts = [_curves(epochs, f"phase-{index}", *titled) for titled in curves.items()]
    drawn = "".join(f"<figure>{chart}</figure>" for chart in charts if chart)
    title = _PHASES.get(phase, phase.capitalize())
    return _section(title, f'<div class="charts">{drawn}</div>' if drawn else "")


def _curves(epochs: Sequence[Record], prefix: str, title: str, curves: Mapping[str, str]) -> str:
    """Draw values over epochs; empty if the log has none of them."""
    chart, axes = _chart(title, "epoch")
    for name, colour in curves.items():
        key = name.replace(" ", "_")
        points = [(_float(e.get("epoch"), i), _float(e.get(key))) for i, e in enumerate(epochs)]
        points = [(x, y) for x, y in points if not math.isnan(y)]
        if points:
            _curve(axes, points, colour, name.split()[0] if len(curves) > 1 else "")
    if not axes.lines:
        return ""
    if len(axes.lines) > 1:
        axes.legend(frameon=False, labelcolor=draw.INK)
    _percent(axes, title)
    return _svg(chart, f"{title} per epoch", f"{prefix}-{title.split()[0]}")


def _curve(axes: Axes, points: list[tuple[float, float]], colour: str, label: str) -> None:
    marker = "o" if len(points) < 15 else ""
    axes.plot(*zip(*points, strict=True), color=colour, lw=1.6, marker=marker, ms=3.5, label=label)


def _search(trials: Sequence[Record]) -> str:
    """What a black-box search evaluated: the best so far, every trial, the ten best."""
    ranked = _ranked(trials)[:_TOP]
    if not ranked:
        return ""
    name, sign = _objective(trials)
    chart = _svg(_trial_chart(trials, name, sign), f"{name} of every trial", "trials")
    columns = list(dict.fromkeys([name, *(key for trial in ranked for key in _metrics(trial))]))[:5]
    head = ["", "trial", *map(_label, columns), "time", "architecture"]
    rows = [
        [str(rank), str(trial["number"])]
        + [_number(key, _metrics(trial).get(key, math.nan)) for key in columns]
        + [_number("seconds", _float(trial.get("seconds"))), _code(trial.get("architecture", ""))]
        for rank, trial in enumerate(ranked, start=1)
    ]
    table = f'<h3>The best {len(rows)}</h3><div class="wide">{_table(head, rows)}</div>'
    return _section("Trials", f'<figure class="broad">{chart}</figure>{table}')


def _trial_chart(trials: Sequence[Record], name: str, sign: int) -> Figure:
    """Draw every trial and the best so far; the worst may lie beyond the edge, at a marker."""
    chart, axes = _chart(name.replace("_", " "), "trial", width=9.6)
    numbers = np.array([t["number"] for t in trials if name in _metrics(t)], dtype=float)
    values = sign * np.array([_metrics(t)[name] for t in trials if name in _metrics(t)])
    best = np.maximum.accumulate(values)
    edge = _edge(values)
    beyond = values < edge
    dots: Any = {"color": _TRAIN, "lw": 0}
    axes.scatter(numbers[~beyond], sign * values[~beyond], s=14, label="trial", **dots)
    if beyond.any():
        ends = np.full(int(beyond.sum()), sign * edge)
        dots |= (
            {"marker": "v", "label": "lower"} if sign > 0 else {"marker": "^", "label": "higher"}
        )
        axes.scatter(numbers[beyond], ends, s=20, alpha=0.45, **dots)
    last = float(trials[-1]["number"])
    steps = np.append(numbers, last), sign * np.append(best, best[-1])
    axes.step(*steps, where="post", color=_BEST, lw=1.8, label="best so far")
    failed = [float(t["number"]) for t in trials if t.get("status") == "failed"]
    if failed:
        crosses: Any = {"marker": "x", "s": 18, "color": _VALID, "lw": 1.2, "label": "failed"}
        floor = axes.get_xaxis_transform()
        axes.scatter(failed, np.full(len(failed), 0.03), transform=floor, **crosses)
    axes.legend(
        frameon=False, labelcolor=draw.INK, ncols=4, loc="lower right", bbox_to_anchor=(1, 1)
    )
    _percent(axes, name)
    return chart


def _edge(values: Values) -> float:
    """The value below which a few failures would flatten all that matters."""
    top, low, least = (float(np.quantile(values, q)) for q in (1, 0.15, 0))
    return low if top - least > 3 * (top - low) > 0 else least


def _settings(config: Record) -> str:
    """Every setting and version that the run has recorded."""
    groups = {"run": {k: v for k, v in config.items() if k not in ("settings", "versions")}}
    settings = config.get("settings")
    for group, values in settings.items() if isinstance(settings, dict) else ():
        groups[str(group)] = values if isinstance(values, dict) else {"value": values}
    versions = config.get("versions")
    groups["versions"] = versions if isinstance(versions, dict) else {}
    cards = [
        f"<div><h3>{_label(group)}</h3>{_table((), rows)}</div>"
        for group, values in groups.items()
        if (rows := [(_label(str(key)), _code(value)) for key, value in values.items()])
    ]
    return _section("Settings", f'<div class="cards">{"".join(cards)}</div>' if cards else "")


# --- Charts, and colours that follow the reader's light or dark mode


def _chart(title: str, x: str, width: float = 4.7) -> tuple[Figure, Axes]:
    chart = Figure(figsize=(width, 2.7), layout="constrained")
    axes = chart.add_subplot()
    style: Any = {"color": draw.INK, "size": 10, "weight": "bold", "parse_math": False}
    axes.set_title(title, loc="left", **style)
    axes.set_xlabel(x, color=draw.EDGE, size=9)
    axes.tick_params(colors=draw.EDGE, labelsize=8.5, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(draw.EDGE)
    axes.grid(axis="y", color=_GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.margins(x=0.02)
    return chart, axes


def _percent(axes: Axes, name: str) -> None:
    low, high = axes.get_ylim()
    if name.endswith("accuracy") and high <= 1.1 and low >= -0.1:
        digits = 0 if high - low > 0.05 else 1 if high - low > 0.005 else 2
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.{digits}f} %")


def _svg(chart: Figure, label: str, prefix: str) -> str:
    """Write a figure as inline SVG whose colours are the page's own.

    Args:
        chart: The figure.
        label: What it shows, for those who cannot see it.
        prefix: Makes the ids of the figure unique in the page.
    """
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "nas"}):
        chart.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = re.sub(
        r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL
    )
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"|xlink:(?=href)', "", svg)  # HTML knows what SVG is
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub("|".join(_colours()), lambda found: f"var(--c{found.group()[1:]})", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def _colours() -> dict[str, str]:
    """Every colour that figures use, with its counterpart on dark paper."""
    tints = {draw.tint(name): draw.tint(name, _DARK_PAPER, 0.32) for name in draw.COLOURS}
    hues = {colour: _lighter(colour) for colour in draw.COLOURS.values()}
    hues[draw.COLOURS["none"]] = "#5d6675"
    plain = {
        draw.INK: "#e6eaf0",
        draw.EDGE: "#9aa5b5",
        draw.STATE: "#262e3a",
        draw.PAPER: _DARK_PAPER,
        _GRID: "#2b333f",
    }
    return {**tints, **hues, **plain}


def _lighter(colour: str) -> str:
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(0.65 * c + 0.35 * 255):02x}" for c in channels)


def _style() -> str:
    light = "".join(f"--c{colour[1:]}:{colour};" for colour in _colours())
    dark = "".join(f"--c{colour[1:]}:{other};" for colour, other in _colours().items())
    return _CSS.replace("/*light*/", light).replace("/*dark*/", dark)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""

_CSS = """
:root { /*light*/ --ground: #f4f5f8; --line: #e3e6eb; --soft: #f4f5f8; --alarm: #fff4e5;
  --alarm-line: #e8a33d; --good: #0b7a5b; --open: #9a5b00; }
@media (prefers-color-scheme: dark) {
  :root { /*dark*/ --ground: #0f131a; --line: #2b333f; --soft: #10151c; --alarm: #33260f;
    --alarm-line: #c98500; --good: #4fd1a5; --open: #f0b355; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--ground);
  color: var(--c1f2937); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 .8rem; font-size: 1.1rem; }
h3 { margin: 0 0 .4rem; font-size: .8rem; color: var(--c5b6472); text-transform: uppercase;
  letter-spacing: .05em; }
header p { margin: .5rem 0 1.2rem; color: var(--c5b6472); }
section { margin: 1.25rem 0; padding: 1.2rem 1.4rem; background: var(--cffffff);
  border: 1px solid var(--line); border-radius: 10px; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 0; }
dl div { padding: .6rem 1.1rem .7rem; min-width: 8rem; background: var(--cffffff);
  border: 1px solid var(--line); border-radius: 10px; }
dt { font-size: .8rem; color: var(--c5b6472); }
dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.chip { margin-right: .4rem; padding: .1rem .6rem; border: 1px solid; border-radius: 99px;
  font-size: .85rem; font-weight: 600; white-space: nowrap; }
.finished { color: var(--good); } .unfinished { color: var(--open); }
.warning { background: var(--alarm); border-color: var(--alarm-line); border-left-width: 6px; }
.warning h2::before { content: "⚠ "; }
.warning ul { margin: 0; padding-left: 1.2rem; }
svg { display: block; max-width: 100%; height: auto; }
figure { margin: 0; min-width: 0; }
.drawing, .wide { overflow-x: auto; }
.drawing svg { margin: 0 auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1rem; }
.broad { margin-bottom: 1.2rem; }
.cards { columns: 18rem 3; column-gap: 2rem; }
.cards td:first-child { width: 45%; }
.cards div { break-inside: avoid; margin-bottom: 1.2rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--c5b6472); white-space: nowrap; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
code, pre { font: .85em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
td code { overflow-wrap: anywhere; }
pre { margin: 1rem 0 0; padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--soft); border: 1px solid var(--line); border-radius: 8px; }
details { margin-top: .8rem; } summary { cursor: pointer; color: var(--c5b6472); }
details table { margin-top: .6rem; }
@media print { body { max-width: none; padding: 0; } section { break-inside: avoid; } }
"""

"""What `nas show` tells of an architecture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.costs import measure
from nas.drawing import draw, text
from nas.found.find import find
from nas.run import Found, Record
from nas.space import SearchSpace
from nas.task import TaskInfo

__all__ = ["describe", "measured_by", "metrics_text", "print_description", "usual_info"]


def usual_info(space: SearchSpace) -> TaskInfo:
    """Return the task that sizes are given for where an architecture comes without one.

    That of the published figures, or of the space's own data where there are none.
    """
    if space.kind in ("examples", "table"):
        return TaskInfo(*space.published_shapes)
    from nas.data import load_data

    return load_data(space.default_data, 0, "cpu", False, {}).info


def measured_by(run: Record) -> str:
    """Say what the figures of a run's result are: the search's, or those of trainings after it."""
    evaluator = run.config["evaluator"]
    shared = ", shared weights" if evaluator == "supernet" else ""
    usual = f"the search (evaluator {evaluator}{shared})"
    return str(run.read_best().get("measured_by", usual))


def describe(
    source: str, space: str | None, settings: dict[str, Any], out: Path | None
) -> dict[str, Any]:
    """Describe an architecture, and draw it where a file is named.

    Args:
        source: See `nas.found.find`.
        space: The name of its space; None tries all.
        settings: Of the network that sizes are given for.
        out: The file of the drawing (.png, .svg, .pdf), or None.

    Returns:
        Plain values: space, architecture, decisions, drawing (text), network settings, input
        shape, parameters, multiply-adds, and what the run measured.
    """
    found = find(source, space)
    graph = found.space.graph(found.architecture)
    info, network = _shape_and_settings(found, settings)
    options = found.space.options(found.architecture)
    description: dict[str, Any] = {
        "name": found.name,
        "space": found.space.name,
        "architecture": found.space.format(found.architecture),
        "decisions": {name: _plain(option) for name, option in options.items()},
        "drawing": text(graph),
        "input_shape": list(info.input_shape),
        "network": network,
        **measure(found.build(info=info, **network), info),
    }
    if found.metrics:
        description["metrics"] = found.metrics
        description["evaluator"] = found.run.config["evaluator"] if found.run else ""
        description["measured_by"] = measured_by(found.run) if found.run else ""
    if out is not None:
        description["drawn"] = str(draw(graph, out, title=found.name))
    return description


def _plain(option: Any) -> Any:
    return list(option) if isinstance(option, tuple) else option


def _shape_and_settings(found: Found, settings: dict[str, Any]) -> tuple[TaskInfo, dict[str, Any]]:
    """Return a run's own shapes and settings, or the usual ones and those of the paper."""
    if found.run is not None:
        return found.run.info, found.run.settings("network") | settings
    return usual_info(found.space), found.space.network_defaults("paper") | settings


def print_description(description: dict[str, Any]) -> str:
    """Write a description for a person."""
    d = description
    shape = "x".join(map(str, d["input_shape"]))
    settings = " ".join(f"{name}={value}" for name, value in d["network"].items())
    lines = [
        f"{d['name']} ({d['space']})",
        "",
        d["architecture"],
        "",
        d["drawing"],
        "",
        f"network: {settings or 'as it is'}, input {shape}",
        f"parameters {d['parameters']:,.0f} (without an auxiliary head)",
        f"multiply-adds {d['flops']:,.0f}",
    ]
    if "metrics" in d:
        whose = d["measured_by"] or "the search (validation)"
        lines.append(f"measured by {whose}: {metrics_text(d['metrics'])}")
    if "drawn" in d:
        lines.append(f"drawn in {d['drawn']}")
    return "\n".join(lines)


def metrics_text(metrics: Mapping[str, float]) -> str:
    """Write metrics on a line, each as exactly as a person reads it: 0.9312, 372,346, 5.007e+11."""
    return "  ".join(f"{name} {_number(value)}" for name, value in metrics.items())


def _number(value: float) -> str:
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-3:
        return f"{value:.4g}"
    if size >= 1e3:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value.is_integer() and size > 1 else f"{value:.4f}"

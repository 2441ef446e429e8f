"""What there is to choose from, as the command line lists it."""

from __future__ import annotations

import dataclasses
from typing import Any

from nas import registry
from nas.errors import unknown
from nas.search_spaces import resolve_space, space_options
from nas.task import KINDS

__all__ = ["as_text", "list_data", "list_evaluators", "list_spaces", "list_strategies"]

Entry = dict[str, Any]
_PARTS = ("relaxation", "solver", "selection")


def _chosen(kind: str, name: str | None) -> list[registry.Entry]:
    return [registry.get(kind, name)] if name else list(registry.names(kind).values())


def _head(entry: registry.Entry) -> Entry:
    head = {"name": entry.name, "summary": entry.summary}
    return head | ({"paper": entry.paper} if entry.paper else {})


def _settings(settings: Any, prefix: str = "") -> list[str]:
    """Return a line a setting: name, value, help."""
    lines = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        lines.append(f"{prefix}{field.name}={shown}  {field.metadata.get('help', '')}".rstrip())
    return lines


def list_spaces(name: str | None) -> list[Entry]:
    """Return the search spaces; a name may have options, such as `gnn:layers=3`."""
    entries = []
    for entry in _chosen("search_spaces", name and name.partition(":")[0]):
        space = resolve_space(name or entry.name)
        line = _head(entry) | {"size": f"{space.size:,}", "decisions": len(space.decisions)}
        if space_options(entry.factory):
            line["options"] = _pairs(space_options(entry.factory), "space.")
        if space.catalogue():
            line["published"] = ", ".join(space.catalogue())
        for scale in ("small", "paper"):
            for group in ("supernet", "network"):
                defaults = getattr(space, f"{group}_defaults")(scale)
                line[f"{group} at {scale} scale"] = _pairs(defaults, f"{group}.")
        if name:
            line["decisions"] = [
                f"{decision.name}: {', '.join(map(str, decision.options))}"
                for decision in space.decisions
            ]
        entries.append({key: value for key, value in line.items() if value})
    return entries


def _pairs(values: dict[str, Any], prefix: str) -> str:
    return " ".join(f"{prefix}{key}={value}" for key, value in values.items())


def list_strategies(name: str | None) -> list[Entry]:
    """Return the strategies; of the DARTS family with their parts."""
    entries = []
    for entry in _chosen("strategies", name):
        line = _head(entry)
        if name and entry.differs:
            line["differs from the paper"] = entry.differs
        if isinstance(entry.factory, type):
            line["kind"] = "black-box: needs an evaluator"
            if getattr(entry.factory, "several_objectives", False):
                line["objectives"] = "one, or several: finds a Pareto front"
            settings = entry.factory.Settings and entry.factory.Settings()  # type: ignore[attr-defined]
        else:
            settings = entry.factory("paper")
            line["kind"] = "differentiable: trains gates in a supernet"
            line["parts"] = _parts(settings)
        if name and isinstance(entry.factory, type):
            line |= _short_form(entry)
            line |= {"settings": _settings(settings)} if settings else {}
        elif name:
            line["settings at paper scale"] = _settings(settings)
            line["other settings at small scale"] = _other(entry.factory("small"), settings)
            line["parts to choose from"] = _all_parts()
        entries.append(line)
    return entries


def _short_form(entry: registry.Entry) -> Entry:
    """Say which setting may stand behind the name."""
    argument = getattr(entry.factory, "argument", "")
    return {"short form": f"{entry.name}:VALUE sets {argument}"} if argument else {}


def _other(settings: Any, reference: Any) -> str:
    """Write the settings that differ from a reference."""
    values = dataclasses.asdict(reference)
    changed = {k: v for k, v in dataclasses.asdict(settings).items() if v != values[k]}
    return _pairs(changed, "")


def _parts(settings: Any) -> str:
    """Write a composition, such as "relaxation=softmax solver=first-order ..."."""
    parts = {part: getattr(settings, part) for part in _PARTS}
    parts["regularisers"] = ",".join(settings.regularisers) or "none"
    parts |= {"partial_channels": settings.partial_channels, "edge_gates": settings.edge_gates}
    return _pairs(parts, "")


def _all_parts() -> list[str]:
    return [
        f"{word}={entry.name}  {entry.summary}"
        for kind, word in registry.KINDS.items()
        if kind.startswith("strategies.differentiable.")
        for entry in registry.names(kind).values()
    ]


def list_evaluators(name: str | None) -> list[Entry]:
    """Return the evaluators."""
    from nas.evaluators import COSTS

    entries = []
    for entry in _chosen("evaluators", name):
        line = _head(entry)
        evaluator: Any = entry.factory
        line["metrics"] = ", ".join(evaluator.metrics)
        if name:
            line |= _short_form(entry)
            if evaluator.uses_data:
                line["where an objective or a limit names them"] = ", ".join(COSTS)
        if evaluator.Settings is not None:
            settings = evaluator.Settings()
            line["settings"] = _settings(settings, "evaluator.")
            usual = evaluator.defaults("small")
            line["at small scale"] = _pairs(usual, "evaluator.")
            for kind in KINDS if name else ():
                own = evaluator.defaults("small", kind)
                changed = {key: own[key] for key in own if own[key] != usual.get(key)}
                line[f"at small scale, where data are {kind}"] = _pairs(changed, "evaluator.")
        if not name:
            line.pop("settings", None)
        elif entry.name == "proxy":
            line["proxies"] = [f"{e.name}  {e.summary}" for e in registry.names("proxies").values()]
        entries.append({key: value for key, value in line.items() if value})
    return entries


def list_data(name: str | None) -> list[Entry]:
    """Return the data sources."""
    from nas.data import data_names

    sources = data_names()
    if name and name not in sources:
        raise unknown("data", name, sources)
    return [{"name": n, "summary": s} for n, s in sources.items() if name in (None, n)]


def as_text(entries: list[Entry]) -> str:
    """Write entries for a person."""
    blocks = []
    for entry in entries:
        lines = [f"{entry['name']}  {entry['summary']}"]
        for key, value in entry.items():
            if key in ("name", "summary"):
                continue
            if isinstance(value, list):
                lines += [f"    {key}:", *(f"      {item}" for item in value)]
            else:
                lines.append(f"    {key}: {value}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)

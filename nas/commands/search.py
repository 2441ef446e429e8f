"""The commands that search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from nas.commands.options import (
    Device,
    Download,
    Json,
    Precision,
    Quiet,
    Scale,
    Seed,
    Set,
    Text,
    progress_of,
)  # fmt: skip
from nas.errors import NasError

__all__ = ["searching"]

searching = typer.Typer()

_RESUMED: dict[str, Any] = {
    "space": str, "strategy": str, "evaluator": str, "data": str, "objective": str, "limit": str,
    "timeout": float | None, "evaluations": int | None, "scale": str | None, "seed": int,
    "device": str, "download": bool,
}  # fmt: skip
_LATER = {"from": list[str]}  # options that configs of before lack
_MOST_OF_FRONT = 20  # lines
_RECORDED = ("versions", "created", "task", "protocol")  # in a run's config.json beside its options


@searching.command()
def search(
    context: typer.Context,
    space: Annotated[
        str, typer.Option(help="A name (see nas spaces), or file.py:Name of your own.")
    ] = "darts",
    strategy: Annotated[
        str, typer.Option(help="A name, or as optuna:tpe; see nas strategies.")
    ] = "pc-darts",
    data: Annotated[
        Text,
        typer.Option(
            help="A name (see nas data), npz:FILE, folder:PATH, or file.py:name.",
            show_default="what suits the space; digits for images",
        ),
    ] = None,
    evaluator: Annotated[
        str,
        typer.Option(
            help="How candidates are judged: a name, or as table:nas-bench-graph:cora or "
            "proxy:gradsign; see nas evaluators."
        ),
    ] = "supernet",
    objective: Annotated[
        Text,
        typer.Option(
            help="The metric to maximise, or with a minus to minimise; several with commas: "
            "accuracy,-params.",
            show_default="the evaluator's; mostly accuracy",
        ),
    ] = None,
    limit: Annotated[
        str,
        typer.Option(help="What must be kept, such as params<1M,flops<=100M.", show_default="none"),
    ] = "",
    timeout: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Seconds until an evaluation has failed.", show_default="none"),
    ] = None,
    evaluations: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            help="Budget of a black-box strategy.", show_default="50; 1000 at paper scale"
        ),
    ] = None,
    scale: Scale = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The run folder.", show_default="runs/SPACE-STRATEGY-DATA-sSEED"),
    ] = None,
    start_from: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--from",
            metavar="RUN|FILE|TABLE",
            help="What is known: a run, a file of architectures, a table, a published name; may be "
            "given many times.",
            show_default="nothing",
        ),
    ] = None,
    config: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="JSON or TOML file with these options, and settings by group."),
    ] = None,
    assignments: Set = None,
    download: Download = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for an architecture; the same command continues a search that was stopped.

    Settings (--set) are those of the strategy, or with a prefix those of supernet, network,
    evaluator and data: --set epochs=20 --set supernet.channels=8. "nas strategies NAME", "nas
    evaluators NAME" and "nas spaces NAME" list them.
    """
    from nas.costs import keep_freed_memory
    from nas.search import search as run_search
    from nas.settings import parse_assignments

    options: dict[str, Any] = {
        "space": space, "strategy": strategy, "data": data, "evaluator": evaluator,
        "objective": objective, "limit": limit, "timeout": timeout, "evaluations": evaluations,
        "scale": scale, "seed": seed, "device": device, "out": out, "download": download,
        "from": start_from or [],
    }  # fmt: skip
    given = {name for name in options if _is_given(context, name)}
    from_file, settings = _read_search_config(config) if config else ({}, {})
    options |= {name: value for name, value in from_file.items() if name not in given}
    if precision is not None:
        from nas.strategies import choose_strategy

        group = choose_strategy(options["strategy"], {}).trainer
        settings.setdefault(group, {})["precision"] = precision
    for group, values in parse_assignments(assignments or []).items():
        settings.setdefault(group, {}).update(values)
    keep_freed_memory()
    sources = options.pop("from")
    run = run_search(**options, start_from=sources, settings=settings, progress=progress_of(quiet))
    _print_run(run, as_json)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source("start_from" if name == "from" else name)
    return source is not None and source.name == "COMMANDLINE"


def _read_search_config(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from nas.errors import unknown
    from nas.settings import read_config

    values = {k: v for k, v in read_config(file).items() if k not in _RECORDED}
    settings = _require_groups(file, values.pop("settings", {}))
    allowed = _RESUMED | _LATER | {"out": str | None}
    for name in values:
        if name not in allowed:
            raise unknown(f"option in {file}", name, [*allowed, "settings"])
    return _converted(file, values, allowed), settings


def _require_groups(file: Path, settings: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(settings, dict) or not all(isinstance(g, dict) for g in settings.values()):
        raise NasError(f"config file {file}: settings must be a table of groups")
    return settings


def _converted(file: Path, values: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    """Return options of the right types; raises `NasError` that names the file and the option."""
    from nas.settings import convert

    return {name: convert(v, kinds[name], f"{file}: {name}") for name, v in values.items()}


@searching.command()
def resume(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Continue a search that was stopped; it ends as it would have without the stop."""
    from nas.costs import keep_freed_memory
    from nas.run import load
    from nas.search import search as run_search

    config, file = load(run).config, run / "config.json"
    missing = [name for name in _RESUMED if name not in config]
    if missing:
        raise NasError(f"{file} is damaged: '{missing[0]}' is missing")
    options = _converted(file, {name: config[name] for name in _RESUMED}, _RESUMED)
    sources = _converted(file, {n: config[n] for n in _LATER if n in config}, _LATER).get("from")
    settings = _require_groups(file, config["settings"])
    keep_freed_memory()
    resumed = run_search(
        **options, out=run, start_from=sources, settings=settings, progress=progress_of(quiet)
    )
    _print_run(resumed, as_json)


def _print_run(run: Any, as_json: bool) -> None:
    several = len(run.objective.goals) > 1
    if as_json:
        front = {"front": [_on_front(run, trial) for trial in run.front()]} if several else {}
        typer.echo(json.dumps({"run": str(run.folder)} | run.read_best() | front))
        return
    from nas.drawing import text
    from nas.found import measured_by, metrics_text

    best, folder = run.best, run.folder
    typer.echo(f"\nfound in {folder}:\n")
    typer.echo(best.space.format(best.architecture) + "\n")
    typer.echo(text(best.space.graph(best.architecture)) + "\n")
    typer.echo(f"{metrics_text(best.metrics)}  (by {measured_by(run)})")
    if several:
        _print_front(run)
    typer.echo(f"drawn in {folder / 'best.png'}, report in {folder / 'report.html'}\n")
    commands = ["show", "train", "export"]
    if not several:
        commands.append("rerank")
    if run.config["evaluations"]:  # of a black-box strategy
        commands.append("explain")
    typer.echo("next: " + " | ".join(f"nas {command} {folder}" for command in commands))


def _on_front(run: Any, trial: Any) -> dict[str, Any]:
    return {"text": run.space.format(trial.architecture), "metrics": trial.measurement.metrics}


def _print_front(run: Any) -> None:
    """Print what no other architecture beats in all metrics at once."""
    from nas.found import metrics_text

    names = [goal.metric for goal in run.objective.goals]
    front = run.front()
    typer.echo(f"\nPareto front of {', '.join(names)}, drawn in {run.folder / 'front.png'}:")
    for trial in front[:_MOST_OF_FRONT]:
        metrics = {name: trial.measurement.metrics[name] for name in names}
        typer.echo(f"  {metrics_text(metrics)}  {run.space.format(trial.architecture)}")
    if len(front) > _MOST_OF_FRONT:
        typer.echo(f"  and {len(front) - _MOST_OF_FRONT} more, in the report")
    typer.echo("")

"""The commands that say what there is to choose from, and what searches have shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from nas.commands.options import Json, Set, Text

insight = typer.Typer()

# -- what searches have shown -----------------------------------------------------------------


@insight.command()
def explain(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Draw into this file.", show_default="RUN/explanation.png"),
    ] = None,
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Say which sub-structures raise or lower the metric, by how much, and how often seen.

    From the evaluated architectures of a run of any black-box strategy. Settings (--set):
    metric, min_count, levels, tail, top.
    """
    from nas.explain import run_explain
    from nas.settings import parse_assignments

    options = parse_assignments(assignments or [], "explain").get("explain", {})
    explanation = run_explain(run, out or run / "explanation.png", options)
    typer.echo(json.dumps(explanation) if as_json else explanation["text"])
    if not as_json:
        typer.echo(f"\ndrawn in {explanation['picture']}")


@insight.command()
def edf(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, one a space.")],
    out: Annotated[Path, typer.Option(help="Draw into this file.")] = Path("edf.png"),
    metric: Annotated[str, typer.Option(help="What is compared; an accuracy as an error.")] = (
        "accuracy"
    ),
    complexity: Annotated[
        Text,
        typer.Option(help="A metric to be spread alike, such as params.", show_default="none"),
    ] = None,
    bins: Annotated[int, typer.Option(help="Of the complexity.")] = 10,
    as_json: Json = False,
) -> None:
    """Compare search spaces by how the metric of random architectures is distributed.

    Empirical distribution functions of runs of the strategy random (Radosavovic et al., 2019).
    """
    from nas.comparison import run_edf

    result = run_edf(runs, out, metric, complexity, bins)
    typer.echo(json.dumps(result) if as_json else f"{result['text']}\n\ndrawn in {out}")


# -- lists ------------------------------------------------------------------------------------

Name = Annotated[Text, typer.Argument(help="One of them, in full.", show_default="list all")]


def _list(lines: Callable[[str | None], list[dict[str, Any]]], name: str | None, raw: bool) -> None:
    from nas.catalog import as_text

    entries = lines(name)
    typer.echo(json.dumps(entries) if raw else as_text(entries))


@insight.command()
def spaces(name: Name = None, as_json: Json = False) -> None:
    """List search spaces, their sizes and papers; with a name, its settings and decisions."""
    from nas.catalog import list_spaces

    _list(list_spaces, name, as_json)


@insight.command()
def strategies(name: Name = None, as_json: Json = False) -> None:
    """List strategies, their parts and papers; with a name, all its settings."""
    from nas.catalog import list_strategies

    _list(list_strategies, name, as_json)


@insight.command()
def evaluators(name: Name = None, as_json: Json = False) -> None:
    """List evaluators; with a name, all its settings."""
    from nas.catalog import list_evaluators

    _list(list_evaluators, name, as_json)


@insight.command()
def data(name: Name = None, as_json: Json = False) -> None:
    """List data sources."""
    from nas.catalog import list_data

    _list(list_data, name, as_json)

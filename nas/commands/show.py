"""The commands that show an architecture, and write it down for use elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from nas.commands.options import Json, Set, Source, SpaceOf, Text

__all__ = ["showing"]

showing = typer.Typer()


@showing.command()
def show(
    source: Source,
    space: SpaceOf = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Draw into this file (.png, .svg, .pdf)."),
    ] = None,
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Show an architecture: its notation, its cells, its size, a drawing.

    Settings (--set) are those of the network: --set channels=36.
    """
    from nas.found import describe, print_description

    description = describe(source, space, _network_settings(assignments), out)
    if as_json:
        typer.echo(json.dumps(description))
    else:
        typer.echo(print_description(description))


def _network_settings(assignments: list[str] | None) -> dict[str, Any]:
    from nas.errors import unknown
    from nas.settings import parse_assignments

    groups = parse_assignments(assignments or [], "network")
    for group in groups:
        if group != "network":
            raise unknown("group of settings", group, ["network"])
    return groups.get("network", {})


@showing.command()
def export(
    source: Source,
    to: Annotated[
        str, typer.Option(help="json, genotype, python, torch, onnx or weights.")
    ] = "python",
    space: SpaceOf = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The file.", show_default="RUN/export/network.*, or NAME.*"),
    ] = None,
    weights: Annotated[
        Text,
        typer.Option(
            help="fresh, inherited (from the search) or trained (by nas train).",
            show_default="the best there are",
        ),
    ] = None,
    data: Annotated[
        Text, typer.Option(help="Whose shapes, for an architecture without a run.")
    ] = None,
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Export an architecture, or its network with weights, for use without this package.

    Settings (--set) are those of the network: --set channels=36; for fresh weights only.
    """
    from nas.found import export_found

    result = export_found(source, to, space, out, weights, data, _network_settings(assignments))
    typer.echo(json.dumps(result) if as_json else "\n".join(f"{k}: {v}" for k, v in result.items()))

"""The command that says which spaces, strategies and evaluators go together."""

from __future__ import annotations

import json
import shutil
from typing import Annotated

import typer

from nas.commands.options import Json, Text

compat = typer.Typer()

_WIDEST = 120  # characters


@compat.command("compat")
def show_compat(
    space: Annotated[
        Text,
        typer.Option(help="Only this: a name, or file.py:Name of your own.", show_default="all"),
    ] = None,
    strategy: Annotated[Text, typer.Option(help="Only this.", show_default="all")] = None,
    evaluator: Annotated[Text, typer.Option(help="Only this.", show_default="all")] = None,
    data: Annotated[
        Text, typer.Option(help="To search on.", show_default="what suits each space")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which space runs with which strategy and evaluator, and why others do not."""
    from nas.catalog import find_pairings, pairings_text

    pairings = find_pairings(space, strategy, evaluator, data)
    if as_json:
        typer.echo(json.dumps([pairing.as_dict() for pairing in pairings]))
        return
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    typer.echo(pairings_text(pairings, width))

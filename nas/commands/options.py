"""Options and arguments that several commands have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from nas.progress import Progress

__all__ = [
    "Device", "Download", "Json", "Precision", "Quiet", "Scale", "Seed", "Set", "Source",
    "SpaceOf", "Text", "progress_of",
]  # fmt: skip

Text = Optional[str]  # noqa: UP045  (typer reads annotations at run time on Python 3.10)
Source = Annotated[
    str,
    typer.Argument(
        help="A run folder, a file with an architecture, a genotype, or a published name such as "
        "DARTS_V2."
    ),
]
SpaceOf = Annotated[Text, typer.Option("--space", help="The space of a text; default: tried all.")]
Set = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be given many times."),
]
Seed = Annotated[int, typer.Option(help="Of every random choice.")]
Device = Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda, cuda:1 ...")]
Precision = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="fp32, or bf16: mixed precision.", show_default="fp32"),
]
Download = Annotated[bool, typer.Option("--download", help="Fetch data that is missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Scale = Annotated[
    Text,
    typer.Option(help="Default widths and epochs: small or paper.", show_default="by the data"),
]


def progress_of(quiet: bool) -> Progress:
    """Return where a command reports its progress."""
    from nas.progress import Console, Silent

    return Silent() if quiet else Console()

"""The command line, assembled. Nothing that imports torch is imported before it is needed."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nas.commands import bench, compat, insight, searching, showing, training
from nas.errors import NasError


class _Commands(TyperGroup):
    """Says what an interruption means; typer alone would end without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("\ninterrupted; the same command continues", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="nas",
    cls=_Commands,
    help="Neural architecture search: find a network for your data, show it, train it, export it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(searching)
app.add_typer(showing)
app.add_typer(bench, name="bench")
app.add_typer(insight)
app.add_typer(compat)
app.add_typer(training)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nas {version('nas-toolkit')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the command line; mistakes of the user are one line and exit status 2."""
    try:
        app()
    except NasError as error:
        _stop(str(error))
    except OSError as error:
        _stop(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except (MemoryError, RuntimeError) as error:  # torch's out-of-memory errors are RuntimeErrors
        signs = ("out of memory", "can't allocate memory", "not enough memory")
        if isinstance(error, RuntimeError) and not any(sign in str(error) for sign in signs):
            raise
        _stop("out of memory; lower the batch size, or channels and layers (--set)")


def _stop(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()

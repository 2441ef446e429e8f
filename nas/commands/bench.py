"""The commands `nas bench ...`: parse, call, print. Heavy imports are inside the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from nas.commands.options import (
    Device,
    Download,
    Json,
    Quiet,
    Scale,
    Seed,
    Set,
    Text,
    progress_of,
)
from nas.errors import NasError

bench = typer.Typer(
    help="Published tables: list, import, build them; compare strategies and evaluators on them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

OutFolder = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", help="The folder of the record.", show_default="runs/..."),
]
Data = Annotated[
    str, typer.Option(help="What networks see: a name (see nas data), npz:FILE, folder:PATH ...")
]
Force = Annotated[bool, typer.Option("--force", help="Replace another table of this name.")]


def _names(text: str, option: str) -> list[str]:
    from nas.comparison import split_names

    names = split_names(text)
    if not names:
        raise NasError(f"{option}: expected names with commas between them")
    return names


def _settings(assignments: list[str] | None, default_group: str) -> dict[str, dict[str, Any]]:
    from nas.settings import parse_assignments

    return parse_assignments(assignments or [], default_group)


# -- tables -----------------------------------------------------------------------------------


@bench.command("list")
def list_tables(as_json: Json = False) -> None:
    """List benchmarks: at hand, built in, or to be imported from their official files."""
    from nas.catalog import as_text
    from nas.comparison import list_benchmarks

    entries = list_benchmarks()
    typer.echo(json.dumps(entries) if as_json else as_text(entries))


@bench.command()
def info(
    name: Annotated[str, typer.Argument(help="Of a table, or a file that ends in .table.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what a table has: its problems, optima and columns; its checksums are verified."""
    from nas.catalog import as_text
    from nas.comparison import benchmark_info

    entry = benchmark_info(name, progress_of(quiet))
    typer.echo(json.dumps(entry) if as_json else as_text([entry]))


@bench.command("import")
def import_table(
    file: Annotated[Path, typer.Argument(help="An official file or folder, or a .csv or .npz.")],
    name: Annotated[
        Text, typer.Option(help="Of the table.", show_default="the benchmark's own")
    ] = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Import a benchmark's official files, once; they are read as data, nothing in them runs."""
    from nas.comparison import import_file

    made = import_file(file, name=name, force=force, progress=progress_of(quiet))
    if as_json:
        typer.echo(json.dumps({"tables": [str(path) for path in made]}))
        return
    for path in made:
        typer.echo(f"next: nas bench info {path.stem} | nas bench run --benchmark {path.stem}")


@bench.command()
def build(
    space: Annotated[str, typer.Option(help="A registered space; see nas spaces.")],
    data: Data = "digits",
    evaluations: Annotated[
        int, typer.Option(help="How many different architectures, drawn at random.")
    ] = 100,
    everything: Annotated[bool, typer.Option("--all", help="Train all of the space.")] = False,
    seeds: Annotated[int, typer.Option(help="Trainings of each architecture.")] = 1,
    name: Annotated[Text, typer.Option(help="Of the table.", show_default="SPACE-DATA")] = None,
    scale: Scale = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: OutFolder = None,
    assignments: Set = None,
    force: Force = False,
    download: Download = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a new table by training architectures; the same command continues after a stop.

    Settings (--set) are those of the training (see nas evaluators train), or with a prefix those
    of network and data: --set epochs=12 --set network.channels=16.
    """
    from nas.comparison import build as run_build

    path = run_build(
        space, data, evaluations=None if everything else evaluations, seeds=seeds, name=name,
        scale=scale, seed=seed, device=device, out=out, force=force, download=download,
        settings=_settings(assignments, "evaluator"), progress=progress_of(quiet),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"table": str(path)}))
    else:
        typer.echo(f"next: nas bench info {path.stem} | nas bench run --benchmark {path.stem}")


# -- comparisons ------------------------------------------------------------------------------


@bench.command()
def run(
    benchmark: Annotated[
        str, typer.Option(help="NAME or NAME:PROBLEM; several with commas (see nas bench list).")
    ],
    strategies: Annotated[
        str,
        typer.Option(
            help="Black-box strategies with commas between them, one also several times with "
            "other settings: 'evolution,evolution?population=50&tournament=10'."
        ),
    ] = "random,evolution",
    repeats: Annotated[int, typer.Option(help="Of each strategy on each benchmark.")] = 20,
    evaluations: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            help="Budget of a repeat: queries, or without noise different architectures.",
            show_default="150; any number with --seconds",
        ),
    ] = None,
    seconds: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Budget of a repeat: simulated seconds, by the table's times."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Asynchronous workers on the simulated clock.")] = 1,
    processes: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Repeats at the same time.", show_default="one a core"),
    ] = None,
    protocol: Annotated[
        Text,
        typer.Option(
            help="counted: a query is one of the table's trainings at random, and all count; "
            "noise-free: the mean of all trainings, and what is proposed again is free.",
            show_default="counted",
        ),
    ] = None,
    initial: Annotated[
        int,
        typer.Option(
            help="Random architectures that come first, the same for all strategies in a repeat; "
            "they count, and repeats are then compared as pairs."
        ),
    ] = 0,
    objective: Annotated[
        str,
        typer.Option(
            help="What is searched, such as accuracy,-params: of several metrics the hypervolume "
            "is compared.",
            show_default="the problem's own",
        ),
    ] = "",
    limit: Annotated[
        str, typer.Option(help="On the table's costs, such as 'params<1M'; several with commas.")
    ] = "",
    seed: Seed = 0,
    out: OutFolder = None,
    assignments: Set = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare strategies on tables: a table of results, a figure, JSON; continues after a stop.

    Settings (--set) have the strategy's name before them: --set evolution.population=20. They are
    for each time that it takes part.
    """
    from nas.comparison import FIGURE, JSON, TABLE, compare

    settings = _settings(assignments, "")
    if "" in settings:
        setting = next(iter(settings[""]))
        raise NasError(f"--set {setting}=...: say of which strategy, such as evolution.{setting}")
    comparison = compare(
        _names(benchmark, "--benchmark"), _names(strategies, "--strategies"), repeats=repeats,
        evaluations=evaluations, seconds=seconds, workers=workers, seed=seed, out=out,
        processes=processes, settings=settings, protocol=protocol, initial=initial,
        objective=objective, limits=limit, progress=progress_of(quiet),
    )  # fmt: skip
    folder = comparison.folder
    if as_json:
        typer.echo((folder / JSON).read_text(encoding="utf-8"))
    else:
        typer.echo("\n" + (folder / TABLE).read_text(encoding="utf-8"))
        typer.echo(f"drawn in {folder / FIGURE}, everything in {folder / JSON}")
    if comparison.failures:
        raise typer.Exit(1)


@bench.command()
def correlate(
    benchmark: Annotated[str, typer.Option(help="NAME or NAME:PROBLEM: whose numbers are true.")],
    evaluators: Annotated[
        str,
        typer.Option(help="With commas between them; proxy:all is every zero-cost proxy."),
    ] = "proxy:all",
    samples: Annotated[int, typer.Option(help="Architectures of the table, at random.")] = 200,
    train: Annotated[int, typer.Option(help="Others that predictors are fitted to.")] = 100,
    top: Annotated[float, typer.Option(help="Which part counts as the best.")] = 0.1,
    data: Data = "digits",
    scale: Scale = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: OutFolder = None,
    assignments: Set = None,
    download: Download = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say how well evaluators order architectures whose results a table knows.

    Settings (--set) are those of all evaluators, or with a prefix those of one, of supernet,
    network or data: --set proxy.batch_size=32 --set network.channels=16.
    """
    from nas.comparison import correlate as run_correlate

    correlation = run_correlate(
        _names(evaluators, "--evaluators"), benchmark, samples=samples, train=train, top=top,
        data=data, scale=scale, seed=seed, device=device, out=out, download=download,
        settings=_settings(assignments, "evaluator"), progress=progress_of(quiet),
    )  # fmt: skip
    folder = correlation.folder
    if as_json:
        typer.echo((folder / "correlation.json").read_text(encoding="utf-8"))
    else:
        typer.echo("\n" + (folder / "correlation.txt").read_text(encoding="utf-8"))
        typer.echo(f"drawn in {folder}/scatter-*.png, everything in {folder}/correlation.json")

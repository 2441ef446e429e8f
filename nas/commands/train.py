"""The commands that train what was found."""

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
    Source,
    SpaceOf,
    Text,
    progress_of,
)

training = typer.Typer()


@training.command()
def train(
    source: Source,
    space: SpaceOf = None,
    data: Annotated[
        Text, typer.Option(help="What to train on.", show_default="the run's, or the space's own")
    ] = None,
    scale: Scale = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Where to write.", show_default="RUN/train, or runs/train-NAME"),
    ] = None,
    assignments: Set = None,
    repeats: Annotated[
        int, typer.Option(help="Trainings, with this seed and those that follow it.")
    ] = 1,
    download: Download = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train an architecture from scratch and test it; the same command continues after a stop.

    Settings (--set) are those of the training, or with a prefix those of network and data:
    --set epochs=100 --set network.channels=36.
    """
    from nas.costs import keep_freed_memory
    from nas.found import train as run_train
    from nas.settings import parse_assignments

    settings = parse_assignments(assignments or [], "train")
    if precision is not None:
        settings["train"] = {"precision": precision, **settings.get("train", {})}
    keep_freed_memory()
    result = run_train(
        source, space=space, data=data, scale=scale, seed=seed, device=device, out=out,
        settings=settings, download=download, repeats=repeats, progress=progress_of(quiet),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(result))
        return
    typer.echo("\n" + _result_line(result))
    typer.echo(f"weights and figures are in {result['folder']}")


def _result_line(result: dict[str, Any]) -> str:
    """Write what was measured on the test examples."""
    accuracy = f"{100 * result['accuracy']:.2f}%"
    if "mean" in result:
        accuracy = (
            f"{100 * result['mean']:.2f} ± {100 * result['deviation']:.2f}% "
            f"of {len(result['accuracies'])} trainings (first {accuracy})"
        )
    known = ("accuracy", "loss", "parameters", "flops", "folder", "accuracies", "mean", "deviation")
    own = [
        f"  {name.replace('_', ' ')} {value:.4g}"
        for name, value in result.items()
        if name not in known and not name.startswith(("train_", "valid_")) and name != "epoch"
    ]
    return (
        f"test accuracy {accuracy}  test loss {result['loss']:.4f}{''.join(own)}  "
        f"parameters {result['parameters']:,}  multiply-adds {result['flops']:,}"
    )


@training.command()
def rerank(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    top: Annotated[int, typer.Option(help="How many of the best are trained again.")] = 5,
    repeats: Annotated[int, typer.Option(help="How often each, with seeds of its own.")] = 3,
    objective: Annotated[
        Text,
        typer.Option(
            help="What is compared, such as -loss.", show_default="the run's, or accuracy"
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    assignments: Set = None,
    download: Download = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the best of a search again and take the best mean on validation examples.

    A search that looks once at many candidates takes one that was lucky. The same command goes on
    after a stop; the search's own result stays in RUN/rerank/before. Settings (--set) are those of
    the training: --set epochs=100.
    """
    from nas.costs import keep_freed_memory
    from nas.found import rerank as run_rerank
    from nas.settings import parse_assignments

    keep_freed_memory()
    found = run_rerank(
        run, top=top, repeats=repeats, objective=objective, seed=seed, device=device,
        settings=parse_assignments(assignments or [], "train"), download=download,
        progress=progress_of(quiet),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found]))
        return
    metric = found[0].metric
    rows = [["rank", "from", "in the search", f"{metric}, {repeats} trainings", "architecture"]]
    rows += [
        [
            str(rank), one.origin, _searched(one.searched, metric),
            "failed" if one.error else f"{one.metrics[metric]:.4g} ± {one.deviation:.2g}", one.text,
        ]
        for rank, one in enumerate(found, start=1)
    ]  # fmt: skip
    typer.echo("\n" + _columns(rows))
    typer.echo(f"\nthe first is now the result of {run}; next: nas train {run}")


def _searched(metrics: dict[str, float], metric: str) -> str:
    """Write what the search measured: the same, or else the first of its metrics."""
    name = metric if metric in metrics else next(iter(metrics), "")
    return f"{name} {metrics[name]:.4g}" if name else ""


def _columns(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )

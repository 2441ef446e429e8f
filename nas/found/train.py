"""Training what was found from scratch, and testing it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from nas.costs import measure
from nas.data import load_data
from nas.errors import NasError, unknown
from nas.found.find import find
from nas.progress import Console, Progress
from nas.run import Found, Run
from nas.settings import fill
from nas.storage import open_folder, save_weights, seed_everything, seed_of, write_json
from nas.task import check_scale
from nas.training import TrainSettings, fit, recipe_note, train_defaults

if TYPE_CHECKING:
    from nas.task import Task

__all__ = ["train"]

_GROUPS = ("train", "network", "data")


def train(
    source: str | Path | Run | Found,
    *,
    space: str | None = None,
    data: str | Task | None = None,
    scale: str | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    download: bool = False,
    repeats: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train an architecture on all training examples and test it on the test examples.

    With `train.keep=best`, as is usual for nodes of a graph, the validation examples choose the
    epoch whose weights are kept, and are not trained on.

    Args:
        source: A run, its folder, or anything else that `nas.found.find` knows.
        space: The name of the space, for a text; None tries all.
        data: What to train on; None is the run's data (a task given as an object must be given
            again), or digits.
        scale: "small" or "paper": which default widths and epochs; None is what suits the data.
        seed: Of weights, order and augmentation.
        device: "auto", "cpu", "cuda" ...
        out: The folder; None is `RUN/train` or `runs/train-NAME`.
        settings: Group ("train", "network" or "data") -> setting -> value.
        download: Whether missing data may be fetched.
        repeats: How many trainings, with this seed and those that follow it; all but the first
            have folders `seed-N` in the first's.
        progress: Where to report; None is standard error.

    Returns:
        "accuracy" and "loss" on the test examples, "parameters", "flops" (multiply-adds), "folder".
        Of several trainings these are the first one's; "accuracies" are all, "mean" and
        "deviation" (of a sample) theirs.

    Raises:
        NasError: For everything that the caller can mend; a folder with another training in it.
    """
    groups = {group: dict(values) for group, values in (settings or {}).items()}
    for group in groups:
        if group not in _GROUPS:
            raise unknown("group of settings", group, _GROUPS)
    check_scale(scale)
    if repeats < 1:
        raise NasError(f"repeats={repeats}: at least 1 is needed")
    found = _found(source, space)
    task = _task(found, data, seed, device, download, groups.get("data", {}))
    scale = scale or task.scale
    usual = train_defaults(scale, task.info.kind)
    recipe = fill(TrainSettings, usual | groups.get("train", {}), "train")
    network = _network_settings(found, data, scale) | groups.get("network", {})
    folder = _folder(found, out)
    plan = {
        "architecture": found.space.format(found.architecture),
        "data": task.describe(),
        "seed": seed,
        "network": network,
        "train": dataclasses.asdict(recipe),
    }
    progress = progress or Console()
    own = recipe_note(task.info.kind, scale, recipe)
    if own:
        progress.note(f"recipe for data of kind '{task.info.kind}': {own}")
    results = [
        _train(
            found, task, recipe, {**plan, "seed": seed + i},
            folder / f"seed-{seed + i}" if i else folder, progress,
        )
        for i in range(repeats)
    ]  # fmt: skip
    return results[0] if repeats == 1 else _together(results, folder)


def _together(results: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Join several trainings: the first one's figures, and the spread of all."""
    accuracies = [result["accuracy"] for result in results]
    spread = {"accuracies": accuracies, "mean": mean(accuracies), "deviation": stdev(accuracies)}
    write_json(folder / "repeats.json", spread)
    return results[0] | spread


def _found(source: str | Path | Run | Found, space: str | None) -> Found:
    if isinstance(source, Found):
        return source
    return source.best if isinstance(source, Run) else find(source, space)


def _task(
    found: Found, data: str | Task | None, seed: int, device: str, download: bool,
    settings: Mapping[str, Any],
) -> Task:  # fmt: skip
    """Load the data; a run's own are split as the run split them."""
    if data is None and found.run is not None:
        config = found.run.config
        seed, settings = config["seed"], {**found.run.settings("data"), **settings}
        data = str(config["data"])
    return load_data(data or found.space.default_data, seed, device, download, settings)


def _network_settings(found: Found, data: str | Task | None, scale: str) -> dict[str, Any]:
    if found.run is not None and data is None:
        return found.run.settings("network")
    return found.space.network_defaults(scale)


def _folder(found: Found, out: str | Path | None) -> Path:
    if out is not None:
        return Path(out)
    return found.run.folder / "train" if found.run else Path("runs") / f"train-{found.name}"


def _train(
    found: Found,
    task: Task,
    recipe: TrainSettings,
    plan: dict[str, Any],
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    seed_everything(seed_of(plan["seed"], "network"))
    network = found.space.build(found.architecture, task.info, **plan["network"])
    size = measure(network, task.info)
    open_folder(folder, "train.json", "training", plan, "choose another --out")
    progress.note(f"training {found.name} ({size['parameters']:,.0f} parameters) into {folder}")
    checkpoint = folder / "checkpoint.pt"
    split = "train" if recipe.keep == "best" else "train+valid"
    result = fit(
        network, task, recipe, split=split, seed=plan["seed"], progress=progress,
        checkpoint=checkpoint,
    )  # fmt: skip
    save_weights(network, folder / "weights.safetensors")
    summary = {**result.metrics, **{name: int(value) for name, value in size.items()}}
    write_json(folder / "result.json", plan | summary | {"history": result.history})
    return summary | {"folder": str(folder)}

"""What NAS-Bench-201 and NATS-Bench store of an architecture, as columns of a table.

Both keep, for each budget of epochs, the state of an `ArchResults`: trainings by dataset and seed,
each the state of a `ResultsCount` with curves over the epochs. The last epoch is what a column has.

Source: `api_utils.py` of D-X-Y/NAS-Bench-201 and D-X-Y/NATS-Bench.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.benchmarks.columns import Column, Problem
from nas.benchmarks.table import TableData
from nas.errors import NasError
from nas.space import SearchSpace

__all__ = ["Collector"]

_EVALUATED = {
    "cifar10-valid": {"x-valid": "valid", "ori-test": "test"},
    "cifar10": {"ori-test": "test"},
    "cifar100": {"x-valid": "valid", "x-test": "test", "ori-test": "valtest"},
    "ImageNet16-120": {"x-valid": "valid", "x-test": "test", "ori-test": "valtest"},
}
"""Dataset -> what the files call its parts -> what a column calls them. CIFAR-10's validation
images are half of its training images, those of the other two half of their test images."""
_TRAINED_ON = {
    "cifar10-valid": "trained on 25,000 of the 50,000 training images",
    "cifar10": "trained on all 50,000 training images",
    "cifar100": "valid and test are halves of the 10,000 test images",
    "ImageNet16-120": "valid and test are halves of the 6,000 validation images of ImageNet",
}
_COSTS = {"cifar10": ("cifar10", "cifar10-valid"), "cifar100": ("cifar100",),
          "ImageNet16-120": ("ImageNet16-120",)}  # fmt: skip
"""Dataset -> whose trainings tell the costs of a network with its number of classes."""
_TRUSTED_SEED = 888
"""Where trainings disagree about parameters, the authors trust this one (NATS-Bench, issue 36)."""

_Key = tuple[str, str, str, "int | None"]


class Collector:
    """Takes the results of one architecture after another, and makes a table of them.

    Args:
        space: Of the architectures.
        where: Name of the file, for messages.
    """

    def __init__(self, space: SearchSpace, where: str) -> None:
        self._space, self._where, self._size = space, where, space.size
        self._rows: dict[tuple[int, ...], int] = {}
        self._values: dict[_Key, dict[int, NDArray[np.float32]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, results: Mapping[int, Any], expected: str | None = None) -> None:
        """Take one architecture.

        Args:
            results: Epochs of training -> the state of an `ArchResults`.
            expected: The architecture's text, where it is known from elsewhere.

        Raises:
            NasError: If it is not of this form, or the architecture came before.
        """
        with self._explained():
            texts = {str(state["arch_str"]) for state in results.values()}
            if len(texts) != 1 or expected not in (None, *texts):
                raise ValueError(f"results of {' and '.join(sorted(texts)) or 'nothing'}")
            choices, before = self._space.parse(texts.pop()).choices, len(self._rows)
            row = self._rows.setdefault(choices, len(self._rows))
            if row < before:
                raise ValueError("an architecture that came before")
            for epochs, state in results.items():
                for (dataset, seed), trial in state["all_results"].items():
                    if dataset in _EVALUATED:
                        self._add_trial(row, epochs, dataset, int(seed), trial)
            self._add_costs(row, [results[epochs] for epochs in sorted(results, reverse=True)])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except NasError as error:
            raise NasError(f"{self._where}: {error}") from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise NasError(
                f"{self._where}: architecture {len(self)} is not of the official form "
                f"({reason:.100})"
            ) from error

    def _put(self, key: _Key, seed: int, row: int, value: float) -> None:
        seeds = self._values.setdefault(key, {})
        if seed not in seeds:
            seeds[seed] = np.full(self._size, np.nan, dtype=np.float32)
        seeds[seed][row] = value

    def _add_trial(self, row: int, epochs: int, dataset: str, seed: int, trial: Any) -> None:
        """Take the last epoch of one training, and the time that it took."""
        if trial["epochs"] != epochs:
            raise ValueError(f"{trial['epochs']} epochs where {epochs} are expected")
        found = {("train", "accuracy"): _at(trial["train_acc1es"], epochs - 1) / 100,
                 ("train", "loss"): _at(trial["train_losses"], epochs - 1)}  # fmt: skip
        for name, split in _EVALUATED[dataset].items():
            last = f"{name}@{epochs - 1}"
            found[split, "accuracy"] = _at(trial["eval_acc1es"], last) / 100
            found[split, "loss"] = _at(trial["eval_losses"], last)
        found["", "seconds"] = _seconds(trial, epochs, dataset)
        for (split, metric), value in found.items():
            self._put((dataset, split, metric, epochs), seed, row, value)

    def _add_costs(self, row: int, states: list[Any]) -> None:
        """Take what does not depend on training, from the longest trainings there are."""
        for dataset, sources in _COSTS.items():
            trials = [
                {seed: trial for (name, seed), trial in state["all_results"].items()
                 if name == source} for state in states for source in sources
            ]  # fmt: skip
            trials = [group for group in trials if group]
            for metric, field in (("params", "params"), ("flops", "flop")):
                value = _agreed([{s: t[field] for s, t in group.items()} for group in trials])
                self._put((dataset, "", metric, None), 0, row, round(value * 1e6, 0))
            latencies = (_latency(group) for group in trials)
            known = [latency for latency in latencies if not np.isnan(latency)]
            self._put((dataset, "", "latency", None), 0, row, known[0] if known else np.nan)

    # -- the table ----------------------------------------------------------------------------

    def table(self, benchmark: str, budget: int, source: str) -> TableData:
        """Return all that was taken.

        Args:
            benchmark: The table's name.
            budget: Epochs of the trainings that a search sees; the longest are what is reported.
            source: Whose work it is.
        """
        if not self._rows:
            raise NasError(f"{self._where}: no architectures in it")
        columns: list[Column] = []
        arrays: dict[str, NDArray[Any]] = {}
        for key in sorted(self._values, key=_order):
            seeds = self._values[key]
            stacked = np.stack([seeds[seed][: len(self)] for seed in sorted(seeds)], axis=1)
            if np.isnan(stacked).all():
                continue
            columns.append(_column(key, sorted(seeds)))
            arrays[columns[-1].name] = stacked if stacked.shape[1] > 1 else stacked[:, 0]
        longest = max(column.epochs or 0 for column in columns)
        return TableData(
            benchmark,
            self._space.name,
            np.array(list(self._rows), dtype=np.int64),
            columns,
            arrays,
            _problems(set(arrays), budget, longest),
            source,
        )


def _at(curve: Any, key: Any) -> float:
    """Return an entry of a curve, NaN where there is none."""
    value = None if curve is None else curve.get(key)
    return float("nan") if value is None else float(value)


def _seconds(trial: Any, epochs: int, dataset: str) -> float:
    """Return the time of training and of one evaluation on the validation images, if it has any.

    This is what `simulate_train_eval` of the official code counts.
    """
    seconds = sum(_at(trial["train_times"], epoch) for epoch in range(epochs))
    if "x-valid" not in _EVALUATED[dataset]:
        return seconds
    times = [_at(trial["eval_times"], f"x-valid@{epoch}") for epoch in range(epochs)]
    return seconds + sum(times) / epochs


def _latency(trials: Mapping[int, Any]) -> float:
    """Return the mean over trainings in milliseconds; -1 and nothing at all mean unknown."""
    means = [sum(t["latency"]) / len(t["latency"]) for t in trials.values() if t["latency"]]
    known = [mean for mean in means if mean > 0]
    return 1000 * sum(known) / len(known) if known else float("nan")


def _agreed(groups: list[dict[int, float]]) -> float:
    """Return what trainings say of a network, millions; the first group that is of one mind.

    In some architectures all but one of the trainings over 200 epochs have a wrong number.
    """
    for group in groups:
        if max(group.values()) - min(group.values()) < 1e-5:
            return next(iter(group.values()))
        if _TRUSTED_SEED in group:
            return group[_TRUSTED_SEED]
    return float("nan")


def _order(key: _Key) -> tuple[Any, ...]:
    dataset, split, metric, epochs = key
    splits = ["train", "valid", "test", "valtest", ""]
    return list(_EVALUATED).index(dataset), epochs or 0, splits.index(split), metric


def _column(key: _Key, seeds: list[int]) -> Column:
    dataset, split, metric, epochs = key
    units = {"accuracy": "share", "seconds": "s", "latency": "ms"}
    if epochs is None:
        note = "of a batch of 256 images" if metric == "latency" else ""
    else:
        note = f"{_TRAINED_ON[dataset]}; seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    if metric == "seconds":
        note = f"all epochs of training{' and one validation' * (dataset != 'cifar10')}; {note}"
    return Column(
        metric, dataset.lower(), split, epochs, len(seeds), units.get(metric, ""),
        metric == "accuracy", note,
    )  # fmt: skip


def _problems(columns: set[str], budget: int, longest: int) -> list[Problem]:
    """Return, of every dataset, the question that the authors' own searches ask, where it can be.

    On CIFAR-10, what is searched was trained on half of the images, what is reported on all.
    """
    problems = []
    for name in ("cifar10", "cifar100", "imagenet16-120"):
        searched = "cifar10-valid" if name == "cifar10" else name
        search = f"{searched}/valid_accuracy@{budget}"
        report = f"{name}/test_accuracy@{longest}"
        seconds = f"{searched}/seconds@{budget}"
        costs = [f"{name}/{cost}" for cost in ("params", "flops", "latency")]
        if columns >= {search, report}:
            problems.append(
                Problem(
                    name, search, (report,), seconds if seconds in columns else "",
                    tuple(cost for cost in costs if cost in columns),
                )
            )  # fmt: skip
    return problems

"""What the numbers of a benchmark mean: dataset, split, metric, epochs, seeds of every column."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nas.errors import NasError, unknown

__all__ = ["Column", "Problem"]


@dataclass(frozen=True)
class Column:
    """One kind of number that a table has for its architectures.

    Args:
        metric: accuracy, loss, seconds, params, flops, latency ...; shares are in [0, 1].
        dataset: What was trained on; empty for what does not depend on it.
        split: "train", "valid" or "test"; empty for costs.
        epochs: Of the training after which it was measured; None for costs.
        seeds: How many trainings there are of an architecture; the array is [n, seeds], NaN where
            one is missing.
        unit: Such as "share", "s", "ms"; empty for a plain number.
        maximise: Whether more is better.
        note: What else a reader must know, such as "single GTX 1080 Ti".
    """

    metric: str
    dataset: str = ""
    split: str = ""
    epochs: int | None = None
    seeds: int = 1
    unit: str = ""
    maximise: bool = True
    note: str = ""

    @property
    def name(self) -> str:
        """The column's name: `DATASET/SPLIT_METRIC@EPOCHS`, without what it does not have."""
        dataset = f"{self.dataset}/" if self.dataset else ""
        split = f"{self.split}_" if self.split else ""
        epochs = f"@{self.epochs}" if self.epochs is not None else ""
        return f"{dataset}{split}{self.metric}{epochs}"

    def describe(self, seed: int | None = None) -> str:
        """Say in words which number it is, such as "valid accuracy on cora, 200 epochs"."""
        words = f"{self.split} {self.metric}".strip() + (f" on {self.dataset}" * bool(self.dataset))
        parts = [words]
        if self.epochs is not None:
            parts.append(f"{self.epochs} epochs")
        if seed is not None:
            parts.append(f"seed {seed}")
        elif self.seeds > 1:
            parts.append(f"mean of {self.seeds} seeds")
        return ", ".join(parts) + (f" ({self.note})" if self.note else "")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Column:
        """Read what `dataclasses.asdict` wrote; raises `TypeError` on anything else."""
        return cls(**data)


@dataclass(frozen=True)
class Problem:
    """One question that a benchmark answers: what a search sees and what is reported of it.

    Args:
        name: Usually the dataset's, such as "cora".
        search: Name of the column that a search sees.
        report: Names of the columns that are reported of what it finds, and never seen by it.
        seconds: Name of the column with the time that measuring `search` took; empty for none.
        costs: Names of further columns that a search may use: params, flops, latency.
    """

    name: str
    search: str
    report: tuple[str, ...] = ()
    seconds: str = ""
    costs: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it names."""
        return (self.search, *self.report, *self.costs, *filter(None, [self.seconds]))

    def require(self, columns: Iterable[str], where: str) -> None:
        """Raise `NasError` for a column that does not exist."""
        allowed = list(columns)
        for name in self.columns:
            if name not in allowed:
                raise unknown(f"column of {where}", name, allowed)

    def changed(self, **changes: Any) -> Problem:
        """Return the problem with other columns."""
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Problem:
        """Read what `dataclasses.asdict` wrote; raises `NasError` on anything else."""
        try:
            lists = {name: tuple(data[name]) for name in ("report", "costs")}
            return cls(**{**data, **lists})
        except (KeyError, TypeError) as error:
            raise NasError(f"not a problem of a benchmark: {dict(data)!r:.80}") from error

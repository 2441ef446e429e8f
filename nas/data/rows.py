"""Rows of tables, with numbers that may be missing and codes of categories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.task import Examples, Given, Labels, Splits, TaskInfo

__all__ = ["given_rows"]


def given_rows(
    x: NDArray[np.float32], labels: Labels, categories: tuple[int, ...], **facts: Any
) -> Given:
    """Offer the rows of a table.

    Numbers are normalised by mean and deviation of the training rows that have them; those that
    are missing become 0, the mean. Codes stay as they are.

    Args:
        x: Numbers, NaN where missing, and codes: float32 [N, D]; test rows after the others.
        labels: Of them.
        categories: For each column the number of its categories, or 0: it has numbers.
        **facts: What else a run records, JSON-able.
    """

    def examples(splits: Splits) -> Examples:
        import torch

        from nas.task import TensorExamples

        return TensorExamples(torch.from_numpy(x[splits.order()]))

    def statistics(
        chunks: Iterable[NDArray[Any]],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = np.concatenate(list(chunks)).astype(np.float64)
        rows[:, np.array(categories) > 0] = np.nan
        found = ~np.isnan(rows)
        count = np.maximum(found.sum(0), 1)
        mean = np.where(found, rows, 0).sum(0) / count
        deviation = np.sqrt(np.square(np.where(found, rows - mean, 0)).sum(0) / count)
        constant = deviation <= 1e-6 * np.abs(mean)
        return mean.astype(np.float32), np.where(constant, 1, deviation).astype(np.float32)

    info = TaskInfo((x.shape[1],), len(labels.classes), "table", categories)
    return Given(labels, examples, info=info, statistics=statistics, facts=facts)

"""scikit-learn's tables, embedded in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.data.rows import given_rows
from nas.data.source import Request, data_source
from nas.errors import NasError, unknown
from nas.task import check_labels

if TYPE_CHECKING:
    from nas.task import Task

TABLES = {"breast-cancer": "breast_cancer", "digits": "digits", "iris": "iris", "wine": "wine"}
"""Name -> that of scikit-learn's function `load_...`."""


@data_source(
    "table",
    f"table:NAME, a table of scikit-learn ({', '.join(TABLES)}), nothing to download",
    argument="NAME",
)
def table(request: Request) -> Task:
    """Load a table of numbers; a fifth of the rows, always the same ones, is the test split."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise NasError(
            f"data '{request.spec}' needs scikit-learn: pip install scikit-learn"
        ) from error
    if request.argument not in TABLES:
        raise unknown("table", request.argument, TABLES)
    found = getattr(datasets, f"load_{TABLES[request.argument]}")()
    names = [str(name) for name in found.target_names]
    x = found.data.astype(np.float32)
    labels = check_labels(found.target, None, (len(x), None), names, request.spec)
    columns = [str(name) for name in found.feature_names]
    return request.given_task(given_rows(x, labels, (0,) * x.shape[1], columns=columns))

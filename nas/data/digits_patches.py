"""scikit-learn's digits as sequences of patches, as transformers take images.

Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021, arXiv:2010.11929, sec. 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.data.digits import load
from nas.data.source import DataSettings, Request, data_source
from nas.errors import NasError
from nas.settings import setting
from nas.task import Examples, Given, Splits, TaskInfo, channel_statistics, check_labels

if TYPE_CHECKING:
    from nas.task import Task

_SIDE = 8


@dataclass(frozen=True)
class PatchSettings(DataSettings):
    """Settings of `digits-patches`."""

    patch: int = setting(2, "side of a patch in pixels: 1, 2 or 4")


@data_source(
    "digits-patches",
    "the digits as sequences of patches, 16 of 2x2 pixels, 10 classes, nothing to download",
    settings=PatchSettings,
)
def digits_patches(request: Request) -> Task:
    """Cut every digit into patches, row by row; splits are those of `digits`."""
    assert isinstance(request.settings, PatchSettings)
    side = request.settings.patch
    if side not in (1, 2, 4):
        raise NasError(f"data.patch={side}: expected 1, 2 or 4 pixels")
    found = load("digits-patches")
    count = _SIDE // side
    cut = found.images.reshape(-1, count, side, count, side).swapaxes(2, 3)
    x = np.ascontiguousarray(cut.reshape(-1, count * count, side * side), np.float32)
    labels = check_labels(found.target, None, (len(x), None), None, request.spec)

    def examples(splits: Splits) -> Examples:
        import torch

        from nas.task import TensorExamples

        return TensorExamples(torch.from_numpy(x[splits.order()]))

    info = TaskInfo(x.shape[1:], len(labels.classes), "sequence")
    return request.given_task(Given(labels, examples, info=info, statistics=_statistics))


def _statistics(
    chunks: Iterable[NDArray[Any]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each of a vector's numbers, over all places."""
    return channel_statistics(chunk.reshape(-1, chunk.shape[-1]) for chunk in chunks)

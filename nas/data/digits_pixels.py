"""scikit-learn's digits as graphs: every inked pixel a node, joined to those around it.

After the superpixel graphs of MNIST: Dwivedi et al., Benchmarking Graph Neural Networks, JMLR 2023,
arXiv:2003.00982, sec. 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.data.digits import load
from nas.data.source import DataSettings, Request, data_source
from nas.settings import setting
from nas.task import Examples, Given, Splits, TaskInfo, check_labels

if TYPE_CHECKING:
    from nas.task import Task

_AROUND = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column]


@dataclass(frozen=True)
class PixelSettings(DataSettings):
    """Settings of `digits-pixels`."""

    directions: bool = setting(False, "give each edge two features: how far down and right it goes")


@data_source(
    "digits-pixels",
    "the digits as 1,797 graphs of pixels to be classified, 10 classes, nothing to download",
    settings=PixelSettings,
)
def digits_pixels(request: Request) -> Task:
    """Make a graph of every digit; splits are those of `digits`.

    A node has three features: the pixel's ink, its row and its column, each of mean 0 and
    deviation 1.
    """
    assert isinstance(request.settings, PixelSettings)
    directions = request.settings.directions
    found = load("digits-pixels")
    labels = check_labels(found.target, None, (len(found.images), None), None, request.spec)
    features, edges, ways, digit = _graphs(found.images)

    def examples(splits: Splits) -> Examples:
        import torch

        from nas.task import Graph, GraphExamples

        graph = Graph(
            torch.from_numpy(features),
            torch.from_numpy(edges),
            torch.from_numpy(ways) if directions else None,
            batch=torch.from_numpy(digit),
        )
        return GraphExamples(graph, torch.from_numpy(splits.order()))

    info = TaskInfo(
        (features.shape[1],),
        len(labels.classes),
        "graphs",
        edge_features=ways.shape[1] if directions else 0,
    )
    return request.given_task(Given(labels, examples, info=info, statistics=None))


def _graphs(
    images: NDArray[Any],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Return features of nodes, edges, features of edges, and the image of each node."""
    inked = images > 0
    digit, row, column = np.nonzero(inked)
    number = np.full((len(images), images.shape[1] + 2, images.shape[2] + 2), -1)
    number[:, 1:-1, 1:-1][inked] = np.arange(len(digit))
    edges, ways = [], []
    for down, right in _AROUND:
        target = number[digit, row + 1 + down, column + 1 + right]
        source = np.flatnonzero(target >= 0)
        edges.append(np.stack([source, target[source]]))
        ways.append(np.tile(np.array([down, right], np.float32), (len(source), 1)))
    values = np.stack([images[inked], row, column], axis=1)
    values = (values - values.mean(0)) / values.std(0)
    return (
        values.astype(np.float32),
        np.concatenate(edges, axis=1),
        np.concatenate(ways),
        digit.astype(np.int64),
    )

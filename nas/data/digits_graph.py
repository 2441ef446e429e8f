"""scikit-learn's digits as one graph: every digit a node, joined to the digits most like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas.data.digits import load
from nas.data.nodes import Nodes, NodeSettings, given_nodes, undirected
from nas.data.source import Request, data_source
from nas.errors import NasError
from nas.settings import setting

if TYPE_CHECKING:
    from nas.task import Task


@dataclass(frozen=True)
class DigitsGraphSettings(NodeSettings):
    """Settings of `digits-graph`."""

    features: str = setting("columns", "of the nodes: rows, columns, raw or auto; see npz")
    neighbours: int = setting(5, "nearest digits that each is joined to")
    distances: bool = setting(False, "give each edge a feature: how alike its digits are")


@data_source(
    "digits-graph",
    "the digits as a graph of nearest neighbours, 1,797 nodes, 10 classes, nothing to download",
    settings=DigitsGraphSettings,
)
def digits_graph(request: Request) -> Task:
    """Join every digit to its nearest neighbours by Euclidean distance of the pixels.

    Labels have no part in the graph. Nodes are divided as `digits` are, by the same seed.
    """
    settings = request.settings
    assert isinstance(settings, DigitsGraphSettings)
    found = load("digits-graph")
    pixels = found.data
    if not 1 <= settings.neighbours < len(pixels):
        raise NasError(
            f"data.neighbours={settings.neighbours}: expected 1 to {len(pixels) - 1} neighbours"
        )
    squares = np.square(pixels).sum(1)
    distances = squares[:, None] + squares - 2 * pixels @ pixels.T  # whole numbers: exact
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : settings.neighbours]
    own = np.arange(len(pixels)).repeat(settings.neighbours)
    edges = undirected(np.stack([own, nearest.ravel()], axis=1), len(pixels), request.spec)
    edge = None
    if settings.distances:
        between = distances[edges[0], edges[1]]
        edge = np.exp(-between / between.mean()).astype(np.float32)[:, None]
    nodes = Nodes(pixels, edges, found.target.astype(np.int64), edge_features=edge)
    return request.given_task(given_nodes(nodes, settings, request.spec))

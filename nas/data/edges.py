"""Features of edges, once edges are there in both directions; numbers of neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.task import Indices

__all__ = ["degree_features", "features_of_edges"]

_MOST_DEGREES = 1000  # from here on a degree is a number, as in PyTorch Geometric's benchmarks


def features_of_edges(
    edges: Indices, given: NDArray[Any], features: NDArray[Any], what: str
) -> NDArray[np.float32]:
    """Return the features of edges: those first given, or else those of the reverse, [M, G].

    Args:
        edges: What `undirected` made of the given edges, [2, M].
        given: The edges as they were given, [E, 2] or [2, E].
        features: Of these, [E] or [E, G].
        what: They are of, for messages.

    Raises:
        NasError: For another shape, or values that are not finite numbers.
    """
    pairs = given if given.shape[1] == 2 else given.T
    values = features[:, None] if features.ndim == 1 else features
    if values.ndim != 2 or len(values) != len(pairs) or not values.shape[1]:
        raise NasError(
            f"{what}: features of edges: {features.dtype} {features.shape}; expected numbers "
            f"[{len(pairs)}, G]"
        )
    if values.dtype.kind not in "buif" or not np.isfinite(values).all():
        raise NasError(f"{what}: features of edges: expected finite numbers")
    base = np.array([int(pairs.max(initial=0)) + 1, 1])
    codes, first = np.unique(np.concatenate([pairs @ base, pairs @ base[::-1]]), return_index=True)
    places = first[np.searchsorted(codes, base @ edges)] % max(1, len(pairs))
    found: NDArray[np.float32] = values[places].astype(np.float32)
    return found


def degree_features(edges: Indices, nodes: int) -> NDArray[np.float32]:
    """Return how many edges every node has, as features where there are no others, [nodes, F].

    Each number that occurs is a feature (Xu et al., How Powerful are Graph Neural Networks, ICLR
    2019, arXiv:1810.00826, sec. 7); where it may be large, it is a feature of mean 0 and deviation
    1.
    """
    degrees = np.bincount(edges[1], minlength=nodes)
    if degrees.max(initial=0) < _MOST_DEGREES:
        values, which = np.unique(degrees, return_inverse=True)
        hot: NDArray[np.float32] = np.eye(len(values), dtype=np.float32)[which]
        return hot
    scaled: NDArray[np.float32] = ((degrees - degrees.mean()) / degrees.std()).astype(np.float32)
    return scaled[:, None]

"""A NumPy archive with a user's own arrays."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.data.edges import features_of_edges
from nas.data.nodes import Nodes, NodeSettings, given_nodes, undirected
from nas.data.source import Request, data_source
from nas.errors import NasError
from nas.settings import setting
from nas.task import Augmentation, check_memory, find_device

if TYPE_CHECKING:
    from nas.task import Task

_NEEDED = ("x_train", "y_train")
_OPTIONAL = ("x_test", "y_test", "classes")
_GRAPH = ("edges", "label")
_SPARSE = ("num_nodes", "num_features", "feat_row", "feat_col", "feat_val")
_SPLITS = {"train": "train_idx", "valid": "val_idx", "test": "test_idx"}
_ALL = (*_NEEDED, *_OPTIONAL, *_GRAPH, "features", "edge_features", *_SPARSE, *_SPLITS.values())
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class NpzSettings(NodeSettings):
    """Settings of `npz`."""

    layout: str = setting("auto", "where the images' channels are: NCHW, NHWC or auto")


@data_source(
    "npz",
    "npz:PATH, a NumPy archive with x_train, y_train and perhaps x_test, y_test, classes; or a "
    "graph: edges, label, features",
    argument="PATH",
    settings=NpzSettings,
)
def npz(request: Request) -> Task:
    """Load an archive; arrays are as for `Task.from_arrays`, `classes` has the classes' names.

    Without x_test and y_test a fifth of the examples is the test split. 32x32 colour images of
    type uint8 are augmented as CIFAR is. Other arrays in the file are passed over.

    A file with `edges` [E, 2] and `label` [N] (-1: none) is a graph whose nodes are classified. It
    has `features` [N, F] or sparse ones (`num_nodes`, `num_features`, `feat_row`, `feat_col`,
    `feat_val`), and perhaps a standard split `train_idx`, `val_idx`, `test_idx`, and features of
    the edges in their order, `edge_features` [E, G].

    Raises:
        NasError: Naming the file, and what is broken or missing.
    """
    assert isinstance(request.settings, NpzSettings)
    arrays = _read(request.path)
    if set(_GRAPH) <= set(arrays) and not set(_NEEDED) & set(arrays):
        return request.given_task(
            given_nodes(_nodes(arrays, request.path), request.settings, request.spec)
        )
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise NasError(
            f"{request.path}: has no array {' and no array '.join(missing)}; "
            f"expected {', '.join(_NEEDED)}, optional {', '.join(_OPTIONAL)}; "
            f"or {', '.join(_GRAPH)} of a graph"
        )
    x = arrays["x_train"]
    natural = x.dtype == np.uint8 and x.shape[1:] in ((32, 32, 3), (3, 32, 32))
    return request.task(
        x,
        arrays["y_train"],
        arrays.get("x_test"),
        arrays.get("y_test"),
        classes=_names(arrays.get("classes"), request.path),
        augmentation=Augmentation(crop_padding=4, flip=True) if natural else None,
        layout=request.settings.layout,
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays by name, without unpickling anything."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        check_memory(str(path), size, find_device("cpu"))
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in _ALL if name in archive}
    except FileNotFoundError as error:
        raise NasError(f"{path}: no such file; expected a NumPy archive (.npz)") from error
    except _BROKEN as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NasError(
            f"{path}: cannot be read as a NumPy archive of plain arrays ({reason}); it may be "
            "truncated or damaged"
        ) from error


def _names(classes: NDArray[Any] | None, path: Path) -> list[str] | None:
    if classes is None:
        return None
    if classes.ndim != 1 or classes.dtype.kind not in "US":
        raise NasError(
            f"{path}: classes: {classes.dtype} {classes.shape}; expected a list of names"
        )
    if classes.dtype.kind == "S":
        classes = np.char.decode(classes, "utf-8", "replace")
    return [str(name) for name in classes]


def _nodes(arrays: dict[str, NDArray[Any]], path: Path) -> Nodes:
    features, labels = _features(arrays, path), arrays["label"]
    if labels.ndim != 1 or labels.dtype.kind not in "ui":
        raise NasError(f"{path}: label: {labels.dtype} {labels.shape}; expected integers [N]")
    has = [array for array in _SPLITS.values() if array in arrays]
    if has and len(has) < len(_SPLITS):
        raise NasError(f"{path}: has {', '.join(has)}; expected {', '.join(_SPLITS.values())}")
    edges, given = undirected(arrays["edges"], len(features), str(path)), arrays["edges"]
    ways = arrays.get("edge_features")
    return Nodes(
        features,
        edges,
        labels.astype(np.int64),
        _names(arrays.get("classes"), path),
        {split: arrays[array] for split, array in _SPLITS.items()} if has else None,
        None if ways is None else features_of_edges(edges, given, ways, str(path)),
    )


def _features(arrays: dict[str, NDArray[Any]], path: Path) -> NDArray[Any]:
    """Return the features of nodes, [N, F], from either form."""
    if "features" in arrays:
        return arrays["features"]
    if missing := [name for name in _SPARSE if name not in arrays]:
        raise NasError(
            f"{path}: has no array {missing[0]}; expected features, or {', '.join(_SPARSE)}"
        )
    nodes, count, rows, columns, values = (arrays[name] for name in _SPARSE)
    try:
        features = np.zeros((int(nodes), int(count)), np.float32)
        features[rows, columns] = values
    except (IndexError, TypeError, ValueError) as error:
        raise NasError(f"{path}: the sparse features do not fit together ({error})") from error
    return features

"""A NumPy archive with a user's own arrays."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.data.augment import Augmentation
from nas.data.device import check_memory, find_device
from nas.data.source import DataSettings, Request, data_source
from nas.errors import NasError
from nas.settings import setting

if TYPE_CHECKING:
    from nas.task import Task

_NEEDED = ("x_train", "y_train")
_OPTIONAL = ("x_test", "y_test", "classes")
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
class NpzSettings(DataSettings):
    """Settings of `npz`."""

    layout: str = setting("auto", "where the images' channels are: NCHW, NHWC or auto")


@data_source(
    "npz",
    "npz:PATH, a NumPy archive with x_train, y_train and perhaps x_test, y_test, classes",
    argument="PATH",
    settings=NpzSettings,
)
def npz(request: Request) -> Task:
    """Load an archive; arrays are as for `Task.from_arrays`, `classes` has the classes' names.

    Without x_test and y_test a fifth of the examples is the test split. 32x32 colour images of
    type uint8 are augmented as CIFAR is. Other arrays in the file are passed over.

    Raises:
        NasError: Naming the file, and what is broken or missing.
    """
    assert isinstance(request.settings, NpzSettings)
    arrays = _read(request.path)
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise NasError(
            f"{request.path}: has no array {' and no array '.join(missing)}; "
            f"expected {', '.join(_NEEDED)}, optional {', '.join(_OPTIONAL)}"
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
            return {name: archive[name] for name in (*_NEEDED, *_OPTIONAL) if name in archive}
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

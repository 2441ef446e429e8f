"""Image folders: one folder of pictures a class."""

from __future__ import annotations

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

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}

Files = dict[str, list[Path]]
"""Class -> its image files."""


@dataclass(frozen=True)
class FolderSettings(DataSettings):
    """Settings of `folder`."""

    image_size: int = setting(32, "height and width in pixels that images are resized to")


@data_source(
    "folder",
    "folder:PATH, images in PATH/train/CLASS/* and PATH/test/CLASS/*, or in PATH/CLASS/*",
    argument="PATH",
    settings=FolderSettings,
)
def folder(request: Request) -> Task:
    """Load folders of images as RGB squares (without regard to proportions).

    Where PATH has a folder `train`, that and `test` (if there) hold the folders of classes,
    otherwise PATH does. Files without the ending of an image are passed over.

    Raises:
        NasError: Naming the folder or file that is missing, empty or broken.
    """
    size = _image_size(request)
    base = request.path
    has_parts = (base / "train").is_dir()
    train = _files(base / "train" if has_parts else base)
    test = _files(base / "test") if has_parts and (base / "test").is_dir() else {}
    classes = list(train)
    if extra := sorted(set(test) - set(train)):
        raise NasError(f"{base / 'test' / extra[0]}: no such class in {base / 'train'}")
    count = sum(len(files) for part in (train, test) for files in part.values())
    check_memory(request.spec, count * 3 * size**2, find_device("cpu"))
    augmentation = Augmentation(crop_padding=size // 8, flip=True)
    return request.task(
        *_read(train, classes, size),
        *(_read(test, classes, size) if test else ()),
        classes=classes,
        augmentation=augmentation,
        layout="NHWC",
    )


def _image_size(request: Request) -> int:
    assert isinstance(request.settings, FolderSettings)
    size = request.settings.image_size
    if size < 1:
        raise NasError(f"data '{request.spec}': image_size={size}: expected at least 1 pixel")
    return size


def _files(path: Path) -> Files:
    """Return the image files of each folder in `path`, sorted."""
    if not path.is_dir():
        raise NasError(f"{path}: no such folder; expected one that has a folder of images a class")
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(folders) < 2:
        raise NasError(
            f"{path}: has {len(folders)} folders; expected one folder of images a class, 2 or more"
        )
    found = {
        folder.name: sorted(
            p
            for p in folder.iterdir()
            if p.suffix.lower() in _SUFFIXES and not p.name.startswith(".")
        )
        for folder in folders
    }
    for name, files in found.items():
        if not files:
            raise NasError(f"{path / name}: has no image; expected {', '.join(sorted(_SUFFIXES))}")
    return found


def _read(files: Files, classes: list[str], size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return images uint8 [N, size, size, 3] and labels int64 [N]."""
    labelled = [(path, classes.index(name)) for name, paths in files.items() for path in paths]
    images = np.empty((len(labelled), size, size, 3), np.uint8)
    for row, (path, _) in enumerate(labelled):
        images[row] = _image(path, size)
    return images, np.array([label for _, label in labelled], np.int64)


def _image(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        from PIL import Image
    except ImportError as error:
        raise NasError("data 'folder' needs Pillow: pip install torchvision") from error
    try:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
            return np.asarray(small)
    except Exception as error:  # Pillow's readers raise many kinds on a broken file
        raise NasError(f"{path}: not a readable image ({error})") from error

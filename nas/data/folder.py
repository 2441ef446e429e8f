"""Image folders: one folder of pictures a class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.data.pictures import Pictures
from nas.data.source import DataSettings, Request, data_source
from nas.errors import NasError
from nas.settings import setting
from nas.task import Augmentation

if TYPE_CHECKING:
    from nas.task import Task

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}

Files = dict[str, list[Path]]
"""Class -> its image files."""


@dataclass(frozen=True)
class FolderSettings(DataSettings):
    """Settings of `folder`."""

    image_size: int = setting(32, "height and width in pixels that images are resized to")
    stream: bool | None = setting(
        None,
        "read images while training instead of keeping them in memory; "
        "none: where they would take over half of it",
    )
    workers: int | None = setting(
        None, "processes that read streamed images; none: one less than the cores, at most 8"
    )


@data_source(
    "folder",
    "folder:PATH, images in PATH/train/CLASS/* and PATH/test/CLASS/*, or in PATH/CLASS/*",
    argument="PATH",
    settings=FolderSettings,
)
def folder(request: Request) -> Task:
    """Load folders of images as RGB squares (without regard to proportions).

    Where PATH has a folder `train`, that and `test` (if there) hold the folders of classes,
    otherwise PATH does. Files without the ending of an image are passed over. Images that are
    streamed (see `Task.from_dataset`) are read anew in every epoch, and give the same batches.

    Raises:
        NasError: Naming the folder or file that is missing, empty or broken.
    """
    settings = request.settings
    assert isinstance(settings, FolderSettings)
    size = settings.image_size
    if size < 1:
        raise NasError(f"data '{request.spec}': image_size={size}: expected at least 1 pixel")
    base = request.path
    has_parts = (base / "train").is_dir()
    train = _files(base / "train" if has_parts else base)
    test = _files(base / "test") if has_parts and (base / "test").is_dir() else {}
    classes = list(train)
    if extra := sorted(set(test) - set(train)):
        raise NasError(f"{base / 'test' / extra[0]}: no such class in {base / 'train'}")
    return request.dataset_task(
        Pictures(train, classes, size),
        Pictures(test, classes, size) if test else None,
        augmentation=Augmentation(crop_padding=size // 8, flip=True),
        stream=settings.stream,
        workers=settings.workers,
    )


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

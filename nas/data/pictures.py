"""Image files as a torch dataset: each is decoded when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.errors import NasError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Pictures"]


class Pictures:
    """Pairs of an RGB picture, resized without regard to proportions, and a label.

    Args:
        files: Class -> its image files.
        classes: Names of the classes; their places are the labels.
        size: Height and width in pixels.
    """

    def __init__(
        self, files: Mapping[str, Sequence[Path]], classes: Sequence[str], size: int
    ) -> None:
        # An array, as reading a list of objects would copy its memory into every process.
        self.paths = np.array([os.fsencode(path) for paths in files.values() for path in paths])
        counts = [len(paths) for paths in files.values()]
        labels = [classes.index(name) for name in files]
        self.targets = np.repeat(np.array(labels, np.int64), counts)
        self.classes = list(classes)
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Image, int]:
        """Decode one picture; raises `NasError` naming the file where that fails."""
        try:
            from PIL import Image
        except ImportError as error:
            raise NasError("data 'folder' needs Pillow: pip install torchvision") from error
        path = os.fsdecode(self.paths[i])
        try:
            with Image.open(path) as image:
                size = (self.size, self.size)
                picture = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        except Exception as error:  # Pillow's readers raise many kinds on a broken file
            raise NasError(f"{path}: not a readable image ({error})") from error
        return picture, int(self.targets[i])

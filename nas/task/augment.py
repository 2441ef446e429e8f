"""Augmentation of image batches where they lie: random crop, horizontal flip, cutout.

Every sample of a batch gets its own random numbers, all drawn at once from one generator. A
generator of the CPU gives the same batches on every device. Torch is imported late, because the
data sources, which name an `Augmentation`, are listed without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.errors import NasError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Augmentation", "cutout", "random_crop", "random_flip"]


@dataclass(frozen=True)
class Augmentation:
    """Which changes are made to training images.

    Crop and flip act on raw values, so that padding is black as in torchvision's `RandomCrop`;
    cutout acts on normalised ones, where 0 is the mean.

    Args:
        crop_padding: Zero pixels added on every side before a crop to the old size; 0: no crop.
        flip: Whether to mirror left and right with probability 1/2.
        cutout: Side in pixels of the square that is blanked; 0: none.
    """

    crop_padding: int = 0
    flip: bool = False
    cutout: int = 0

    def __post_init__(self) -> None:
        for name in ("crop_padding", "cutout"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise NasError(f"augmentation {name}={value!r}: expected a number of pixels >= 0")

    def move(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Crop and flip raw images [B, C, H, W] of any type."""
        if self.crop_padding:
            images = random_crop(images, self.crop_padding, generator)
        return random_flip(images, generator) if self.flip else images

    def erase(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Cut a square out of normalised images [B, C, H, W]."""
        return cutout(images, self.cutout, generator) if self.cutout else images


def _integers(low: int, high: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one integer a sample, uniform over [low, high), on the images' device."""
    import torch

    count = (len(images),)
    drawn = torch.randint(low, high, count, generator=generator, device=generator.device)
    # Without waiting: a copy of so few numbers from unpinned memory is staged before this returns.
    return drawn.to(images.device, non_blocking=True)


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Pad with zeros, then crop every sample to its old size at its own random place.

    Args:
        images: [B, C, H, W] of any type.
        padding: Pixels added on each side.
        generator: Source of randomness.

    Returns:
        [B, C, H, W]: each of the (2 * padding + 1)^2 places is equally likely.
    """
    import torch
    from torch.nn import functional

    count, channels, height, width = images.shape
    padded = functional.pad(images, (padding,) * 4).contiguous()
    wide, size = width + 2 * padding, padded[0, 0].numel()
    top = _integers(0, 2 * padding + 1, images, generator)
    left = _integers(0, 2 * padding + 1, images, generator)
    # A crop lies within one stretch of memory, from its first pixel to its last: to copy whole
    # stretches, which a view lists by their first pixels, is several times faster than pixels.
    stretch = (height - 1) * wide + width
    stretches = padded.as_strided((padded.numel() - stretch + 1, stretch), (1, 1))
    planes = torch.arange(count * channels, device=images.device).view(count, channels) * size
    first = planes + (top * wide + left)[:, None]
    chosen = stretches.index_select(0, first.flatten())
    strides = (channels * stretch, stretch, wide, 1)
    return chosen.as_strided(images.shape, strides)


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each sample of [B, C, H, W] left and right with probability 1/2."""
    import torch

    flipped = _integers(0, 2, images, generator)
    sample = torch.arange(len(images), device=images.device)
    return torch.cat([images, images.flip(-1)]).index_select(0, sample + len(images) * flipped)


def cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Set a square of each sample to 0, clipped at the borders.

    DeVries & Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017
    (arXiv:1708.04552): the centre is uniform over the pixels, so that parts of the square may lie
    outside. Rows centre - side // 2 up to, not including, centre - side // 2 + side are blanked.

    Args:
        images: [B, C, H, W], normalised: 0 is the mean.
        side: Of the square, in pixels.
        generator: Source of randomness.
    """
    height, width = images.shape[2:]
    rows = _covered(height, side, images, generator)
    columns = _covered(width, side, images, generator)
    hole = rows[:, None, :, None] * columns[:, None, None, :]
    return images * (1 - hole)


def _covered(length: int, side: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """Return 1 where the square covers a place along one axis, else 0: [B, length]."""
    import torch

    first = _integers(0, length, images, generator) - side // 2
    offset = torch.arange(length, device=images.device) - first[:, None]
    return ((offset >= 0) & (offset < side)).to(images.dtype)

"""Augmentation: the distribution of torchvision's transforms and of the cutout paper."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision import transforms

from nas.data.augment import Augmentation, cutout, random_crop, random_flip
from nas.errors import NasError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image(height: int, width: int, channels: int = 1) -> Tensor:
    """Every pixel differs and none is 0, so that a crop tells where it was taken."""
    numbers = torch.arange(1, channels * height * width + 1, dtype=torch.uint8)
    return numbers.view(channels, height, width)


def outcomes(images: Tensor) -> Counter[tuple[int, ...]]:
    return Counter(tuple(one.flatten().tolist()) for one in images)


def assert_same_distribution(ours: Counter[object], theirs: Counter[object]) -> None:
    """Two equally large samples with the same outcomes, each within 6 deviations."""
    assert ours.keys() == theirs.keys()
    for outcome, count in theirs.items():
        assert abs(ours[outcome] - count) < 6 * (2 * count) ** 0.5


def test_crop_has_the_distribution_of_torchvision() -> None:
    one, n = image(2, 3, 2), 1800
    torch.manual_seed(0)
    crop = transforms.RandomCrop((2, 3), padding=1)
    theirs = outcomes(torch.stack([crop(one) for _ in range(n)]))
    ours = outcomes(random_crop(one.expand(n, -1, -1, -1), 1, generator()))
    assert len(ours) == 9
    assert_same_distribution(ours, theirs)


def test_flip_has_the_distribution_of_torchvision() -> None:
    one, n = image(2, 3, 2), 4000
    torch.manual_seed(0)
    flip = transforms.RandomHorizontalFlip()
    theirs = outcomes(torch.stack([flip(one) for _ in range(n)]))
    ours = outcomes(random_flip(one.expand(n, -1, -1, -1), generator()))
    assert len(ours) == 2
    assert_same_distribution(ours, theirs)


def test_crop_is_a_window_of_the_same_sample_in_all_channels() -> None:
    images = torch.rand(20, 3, 5, 6)
    cropped = random_crop(images, 2, generator())
    assert cropped.shape == images.shape and cropped.dtype == images.dtype
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    places = set()
    for sample, crop in zip(padded, cropped, strict=True):
        hits = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(sample[:, top : top + 5, left : left + 6], crop)
        ]
        assert len(hits) == 1
        places.update(hits)
    assert len(places) > 5  # every sample has its own place


def paper_cutout(mask: np.ndarray, side: int, y: int, x: int) -> None:
    """The mask of DeVries & Taylor for an even side, as their text defines it."""
    height, width = mask.shape
    top, bottom = max(y - side // 2, 0), min(y + side // 2, height)
    left, right = max(x - side // 2, 0), min(x + side // 2, width)
    mask[top:bottom, left:right] = 0


def test_cutout_has_the_distribution_of_the_paper() -> None:
    n, side = 2000, 4
    rng = np.random.default_rng(0)
    masks = np.ones((n, 5, 6), np.int64)
    for mask in masks:
        paper_cutout(mask, side, int(rng.integers(5)), int(rng.integers(6)))
    ours = cutout(torch.ones(n, 1, 5, 6), side, generator()).long()
    assert_same_distribution(outcomes(ours), outcomes(torch.from_numpy(masks)))


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_cutout_blanks_at_most_a_square_and_all_channels_alike(side: int) -> None:
    images = torch.rand(200, 3, 9, 9) + 1
    cut = cutout(images, side, generator())
    hole = cut == 0
    assert torch.equal(hole, hole[:, :1].expand_as(hole))
    assert torch.equal(cut[~hole], images[~hole])
    areas = hole[:, 0].sum((1, 2))
    assert areas.max() == side**2  # clipped at borders only
    assert areas.min() >= 1


def test_no_input_is_changed_in_place() -> None:
    images = torch.rand(8, 1, 4, 4)
    before = images.clone()
    augmentation = Augmentation(crop_padding=1, flip=True, cutout=2)
    g = generator()
    augmentation.erase(augmentation.move(images, g), g)
    assert torch.equal(images, before)


def test_default_augmentation_changes_nothing() -> None:
    images = torch.rand(4, 1, 4, 4)
    g = generator()
    assert torch.equal(Augmentation().erase(Augmentation().move(images, g), g), images)


def test_the_generator_alone_decides() -> None:
    images = torch.rand(16, 1, 6, 6)
    augmentation = Augmentation(crop_padding=2, flip=True, cutout=2)

    def run(seed: int, global_seed: int) -> Tensor:
        torch.manual_seed(global_seed)
        g = generator(seed)
        return augmentation.erase(augmentation.move(images, g), g)

    assert torch.equal(run(1, 1), run(1, 2))
    assert not torch.equal(run(1, 1), run(2, 1))


@pytest.mark.parametrize("wrong", [{"crop_padding": -1}, {"cutout": -2}, {"cutout": 1.5}])
def test_wrong_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(NasError, match=f"{next(iter(wrong))}=.*>= 0"):
        Augmentation(**wrong)

"""Augmentation: the distribution of torchvision's transforms and of the cutout in DARTS."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest
import torch
from scipy.stats import chi2
from torch import Tensor
from torchvision import transforms

from nas.errors import NasError
from nas.task.augment import Augmentation, cutout, random_crop, random_flip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image(height: int, width: int, channels: int = 1) -> Tensor:
    """Every pixel differs and none is 0, so that a crop tells where it was taken."""
    numbers = torch.arange(1, channels * height * width + 1, dtype=torch.uint8)
    return numbers.view(channels, height, width)


Outcome = tuple[float, ...]


def outcomes(images: Tensor) -> Counter[Outcome]:
    return Counter(tuple(one.flatten().tolist()) for one in images)


def assert_distribution(found: Tensor, expected: list[Tensor]) -> None:
    """The outcomes are exactly the expected ones, as often as these are listed (chi-square)."""
    counts, listed = outcomes(found), outcomes(torch.stack(expected))
    assert counts.keys() == listed.keys()
    share = len(found) / len(expected)
    distance = sum((counts[one] - share * n) ** 2 / (share * n) for one, n in listed.items())
    assert distance < chi2.ppf(1 - 1e-4, len(listed) - 1)


def crops(one: Tensor, padding: int) -> list[Tensor]:
    """Every crop that torchvision's `RandomCrop` may take, each as likely as the others."""
    height, width = one.shape[1:]
    padded = torch.nn.functional.pad(one, (padding,) * 4)
    places = product(range(2 * padding + 1), repeat=2)
    return [transforms.functional.crop(padded, top, left, height, width) for top, left in places]


def mirrored(images: list[Tensor]) -> list[Tensor]:
    return [*images, *(one.flip(-1) for one in images)]


def sample(transform: Any, one: Tensor, n: int) -> Tensor:
    """What a transform of torchvision makes of one image, n times."""
    torch.manual_seed(0)
    return torch.stack([transform(one) for _ in range(n)])


def copies(one: Tensor, n: int) -> Tensor:
    return one.expand(n, -1, -1, -1)


def test_crop_has_the_distribution_of_torchvision() -> None:
    one = image(2, 3, 2)
    expected = crops(one, 1)
    assert len(outcomes(torch.stack(expected))) == 9
    assert_distribution(sample(transforms.RandomCrop((2, 3), padding=1), one, 900), expected)
    assert_distribution(random_crop(copies(one, 9000), 1, generator()), expected)


def test_flip_has_the_distribution_of_torchvision() -> None:
    one = image(2, 3, 2)
    assert_distribution(sample(transforms.RandomHorizontalFlip(), one, 900), mirrored([one]))
    assert_distribution(random_flip(copies(one, 9000), generator()), mirrored([one]))


def test_crop_and_flip_are_independent_of_each_other_and_between_samples() -> None:
    one = image(3, 2)
    expected = mirrored(crops(one, 2))
    moved = Augmentation(crop_padding=2, flip=True).move(copies(one, 20_000), generator())
    assert_distribution(moved, expected)
    pairs = [torch.stack(pair) for pair in product(mirrored([one]), repeat=2)]
    assert_distribution(random_flip(copies(one, 8000), generator()).view(4000, 2, 3, 2), pairs)


def no_last(low: int, high: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """Draws that miss the last place."""
    return torch.randint(low, max(high - 1, low + 1), (len(images),), generator=generator)


def uneven(low: int, high: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """Draws that take the first place a quarter too often."""
    drawn = torch.randint(low, 4 * high + 1, (len(images),), generator=generator)
    return drawn % high


def shared(low: int, high: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """Draws that all samples of a batch share."""
    return torch.randint(low, high, (1,), generator=generator).expand(len(images))


@pytest.mark.parametrize("wrong", [no_last, uneven, shared])
def test_a_wrong_distribution_is_told(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.task.augment._integers", wrong)
    one = image(4, 5)
    with pytest.raises(AssertionError):
        assert_distribution(random_crop(copies(one, 9000), 1, generator()), crops(one, 1))
    with pytest.raises(AssertionError):
        assert_distribution(random_flip(copies(one, 9000), generator()), mirrored([one]))
    with pytest.raises(AssertionError):
        assert_distribution(cutout(torch.ones(9000, 1, 4, 5), 2, generator()), holes(4, 5, 2))


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


def holes(height: int, width: int, side: int) -> list[Tensor]:
    """What the cutout of DARTS leaves of ones, for each of its equally likely centres.

    For an even side, as all published settings are: with an odd one theirs is one pixel smaller.
    """
    half, found = side // 2, []
    for y, x in product(range(height), range(width)):
        mask = torch.ones(1, height, width)
        top, bottom = max(y - half, 0), min(y + half, height)
        left, right = max(x - half, 0), min(x + half, width)
        mask[:, top:bottom, left:right] = 0
        found.append(mask)
    return found


@pytest.mark.parametrize("side", [2, 4])
def test_cutout_has_the_distribution_of_darts(side: int) -> None:
    cut = cutout(torch.ones(9000, 1, 5, 6), side, generator())
    assert_distribution(cut, holes(5, 6, side))


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

"""Image folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nas.data import load_task
from nas.errors import NasError
from nas.task.augment import Augmentation
from nas.task.examples.streamed import StreamedExamples
from nas.task.examples.tensors import TensorExamples

COLOURS = {"blue": (0, 0, 200), "red": (200, 0, 0)}


def write(base: Path, count: int, size: tuple[int, int] = (10, 6)) -> None:
    """Write `count` pictures of one colour for each class."""
    for name, colour in COLOURS.items():
        (base / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", size, colour).save(base / name / f"{i}.png")


def test_train_and_test_folders(tmp_path: Path) -> None:
    write(tmp_path / "train", 4)
    write(tmp_path / "test", 2)
    task = load_task(f"folder:{tmp_path}", image_size=16)
    assert (task.input_shape, task.classes, task.scale) == ((3, 16, 16), ("blue", "red"), "small")
    assert [task.size(s) for s in ("train", "valid", "test")] == [4, 4, 4]
    assert task.augmentation == Augmentation(crop_padding=2, flip=True)
    for image, label in zip(task.x, task.y, strict=True):
        colour = torch.tensor(COLOURS[task.classes[int(label)]], dtype=torch.uint8)
        assert torch.equal(image, colour[:, None, None].expand(3, 16, 16))


@pytest.mark.parametrize("below", ["", "train"])
def test_without_a_test_folder_a_fifth_is_for_test(tmp_path: Path, below: str) -> None:
    write(tmp_path / below, 5)
    task = load_task(f"folder:{tmp_path}")
    assert task.input_shape == (3, 32, 32)
    assert [task.size(s) for s in ("train", "valid", "test")] == [4, 4, 2]


def test_other_files_and_modes(tmp_path: Path) -> None:
    write(tmp_path, 5)
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "red" / "notes.txt").write_text("hello")
    Image.new("L", (3, 3), 9).save(tmp_path / "red" / "grey.jpg")
    task = load_task(f"folder:{tmp_path}")
    assert len(task.y) == 11


def test_missing_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="nowhere: no such folder"):
        load_task(f"folder:{tmp_path / 'nowhere'}")
    (tmp_path / "red").mkdir()
    with pytest.raises(NasError, match="has 1 folders; expected"):
        load_task(f"folder:{tmp_path}")
    (tmp_path / "blue").mkdir()
    with pytest.raises(NasError, match=r"blue: has no image; expected \.bmp"):
        load_task(f"folder:{tmp_path}")


def test_a_class_only_in_test_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train", 3)
    write(tmp_path / "test", 1)
    (tmp_path / "test" / "red").rename(tmp_path / "test" / "green")
    with pytest.raises(NasError, match="green: no such class in"):
        load_task(f"folder:{tmp_path}")


@pytest.mark.parametrize("settings", [{}, {"stream": True, "workers": 1}])
def test_a_broken_image_is_named(tmp_path: Path, settings: dict[str, Any]) -> None:
    write(tmp_path, 5)
    broken = tmp_path / "red" / "3.png"
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(NasError, match=r"^\S*3\.png: not a readable image \(.*\)$"):
        task = load_task(f"folder:{tmp_path}", **settings)
        for split in ("train", "valid", "test"):
            list(task.batches(split, 2))


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_images_give_the_same_task(tmp_path: Path, workers: int) -> None:
    for part, count in (("train", 6), ("test", 2)):
        write(tmp_path / part, count)
    noise = Image.effect_noise((9, 9), 60)
    noise.save(tmp_path / "train" / "red" / "noise.png")
    kept = load_task(f"folder:{tmp_path}", image_size=12, seed=2)
    streamed = load_task(f"folder:{tmp_path}", image_size=12, seed=2, stream=True, workers=workers)
    assert isinstance(streamed.examples, StreamedExamples)
    assert streamed.describe() == kept.describe() and repr(streamed) == repr(kept)
    assert streamed.augmentation == kept.augmentation and streamed.classes == kept.classes
    for split in ("train", "valid", "test"):
        passes = [task.batches(split, 3, seed=1, augment=True) for task in (kept, streamed)]
        for (x, y), (again, labels) in zip(*passes, strict=True):
            assert torch.equal(x, again) and torch.equal(y, labels)


def test_image_size_is_checked(tmp_path: Path) -> None:
    write(tmp_path, 5)
    with pytest.raises(NasError, match="image_size=0"):
        load_task(f"folder:{tmp_path}", image_size=0)
    with pytest.raises(NasError, match="workers=-1"):
        load_task(f"folder:{tmp_path}", workers=-1)


def test_what_does_not_fit_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 5)
    monkeypatch.setattr("nas.task.device.memory_size", lambda _: 60_000)
    kept, streamed = (
        load_task(f"folder:{tmp_path}", image_size=size, workers=0) for size in (30, 32)
    )
    assert isinstance(kept.examples, TensorExamples)
    assert isinstance(streamed.examples, StreamedExamples)
    with pytest.raises(NasError, match="more than half"):
        load_task(f"folder:{tmp_path}", image_size=32, stream=False)

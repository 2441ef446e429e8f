"""Image folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from nas.data import load_task
from nas.data.augment import Augmentation
from nas.errors import NasError

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


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    write(tmp_path, 5)
    broken = tmp_path / "red" / "3.png"
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(NasError, match=r"3\.png: not a readable image"):
        load_task(f"folder:{tmp_path}")


def test_image_size_and_memory_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 5)
    with pytest.raises(NasError, match="image_size=0"):
        load_task(f"folder:{tmp_path}", image_size=0)
    monkeypatch.setattr("nas.data.device.memory_size", lambda _: 10_000)
    with pytest.raises(NasError, match="more than half"):
        load_task(f"folder:{tmp_path}", image_size=30)

"""Image files as a dataset."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from PIL import Image

from nas.data.pictures import Pictures
from nas.errors import NasError


def write(folder: Path, name: str, grey: int, mode: str = "L") -> Path:
    path = folder / name
    Image.new(mode, (6, 4), grey).save(path)
    return path


def test_pictures_are_decoded_when_asked_for(tmp_path: Path) -> None:
    files = {
        "b": [write(tmp_path, "größe é.png", 10), write(tmp_path, "2.png", 20)],
        "a": [write(tmp_path, "3.png", 30)],
    }
    pictures = Pictures(files, ["a", "b"], 8)
    assert (len(pictures), pictures.classes) == (3, ["a", "b"])
    assert pictures.targets.tolist() == [1, 1, 0]
    for dataset in (pictures, pickle.loads(pickle.dumps(pictures))):
        found = [dataset[i] for i in range(3)]
        assert [label for _, label in found] == [1, 1, 0]
        assert {(image.mode, image.size) for image, _ in found} == {("RGB", (8, 8))}
        assert [image.getpixel((0, 0)) for image, _ in found] == [(n,) * 3 for n in (10, 20, 30)]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "broken.png", 0)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(NasError, match=r"^\S*broken\.png: not a readable image \(.*\)$"):
        Pictures({"a": [path]}, ["a"], 8)[0]

"""Text as bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nas.data import load_task
from nas.errors import NasError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
TEXT = bytes(range(256)) * 4


def write(folder: Path, content: bytes = TEXT) -> str:
    (folder / "a.txt").write_bytes(content)
    return f"text:{folder / 'a.txt'}"


def test_windows_and_what_follows(tmp_path: Path) -> None:
    task = load_task(write(tmp_path), context=10, test_fraction=0.2)
    assert (task.info.kind, task.info.vocabulary, task.outputs) == ("tokens", 256, 256)
    assert task.input_shape == (10,) and [*map(task.size, ("train", "valid", "test"))] == [
        41,
        41,
        20,
    ]
    starts = {}
    for split in ("train", "valid", "test"):
        x = torch.cat([x for x, _ in task.batches(split, 7)])
        y = torch.cat([y for _, y in task.batches(split, 7)])
        assert x.dtype == y.dtype == torch.int64
        assert torch.equal(y, (x + 1) % 256)
        starts[split] = x[:, 0].tolist()
    windows = [TEXT[i] for i in range(0, 1020, 10)]
    assert starts["test"] == windows[-20:]  # the end of the text
    assert sorted(starts["train"] + starts["valid"]) == sorted(windows[:-20])
    shuffled = torch.cat([x for x, _ in task.batches("train", 7, seed=1)])[:, 0].tolist()
    assert shuffled != starts["train"] and sorted(shuffled) == sorted(starts["train"])


def test_description_tells_texts_apart(tmp_path: Path) -> None:
    one = load_task(write(tmp_path), context=10).describe()
    assert json.loads(json.dumps(one)) == one
    other = load_task(write(tmp_path, TEXT[::-1]), context=10).describe()
    assert one["content_sha256"] != other["content_sha256"] and one["sha256"] == other["sha256"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"context": 0}, "data.context"),
        ({"test_fraction": 1.0}, "data.test_fraction"),
        ({"context": 512}, "too few"),
    ],
)
def test_mistakes(tmp_path: Path, settings: dict[str, float], message: str) -> None:
    with pytest.raises(NasError, match=message):
        load_task(write(tmp_path), **settings)
    with pytest.raises(NasError, match=r"missing\.txt"):
        load_task(f"text:{tmp_path / 'missing.txt'}")


def test_stdlib() -> None:
    task = load_task("stdlib", size=20_000, context=32)
    assert sum(task.size(split) for split in ("train", "valid", "test")) == 19_999 // 32
    text = b"".join(bytes(row) for x, _ in task.batches("test", 8) for row in x.tolist())
    assert b"self" in text or b"return" in text or b"import" in text
    with pytest.raises(NasError, match=r"data\.size"):
        load_task("stdlib", size=10**10)


def test_shakespeare() -> None:
    file = SHARED / "tinyshakespeare.txt"
    if not file.exists():
        pytest.skip(f"no {file}")
    task = load_task(f"text:{file}", limit=200)
    assert [*map(task.size, ("train", "valid"))] == [100, 100]


def test_stdlib_is_small_by_default() -> None:
    """A search over token networks is to take minutes on two cores."""
    task = load_task("stdlib")
    assert task.info.input_shape == (32,)
    assert sum(task.size(split) for split in ("train", "valid", "test")) == 4095

"""NumPy archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.data import load_task
from nas.errors import NasError
from nas.task.augment import Augmentation

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
Y = np.arange(20) % 2


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    given = {
        "x_train": rng.integers(0, 256, (20, 8, 8, 3)).astype(np.uint8),
        "y_train": Y,
        "x_test": rng.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8),
        "y_test": Y[:6],
        **changes,
    }
    return {name: array for name, array in given.items() if array is not None}


def save(path: Path, **changes: Any) -> str:
    np.savez_compressed(path / "a.npz", **arrays(**changes))
    return f"npz:{path / 'a.npz'}"


def test_archive(tmp_path: Path) -> None:
    task = load_task(save(tmp_path, classes=np.array(["cat", "dog"])))
    assert (task.input_shape, task.classes, task.scale) == ((3, 8, 8), ("cat", "dog"), "small")
    assert [task.size(s) for s in ("train", "valid", "test")] == [10, 10, 6]
    assert task.augmentation is None
    expected = np.moveaxis(arrays()["x_test"], 3, 1)
    assert np.array_equal(task.x[-6:].numpy(), expected)


def test_test_arrays_and_names_are_optional(tmp_path: Path) -> None:
    task = load_task(save(tmp_path, x_test=None, y_test=None, classes=np.array([b"a", b"b"])))
    assert [task.size(s) for s in ("train", "valid", "test")] == [8, 8, 4]
    assert task.classes == ("a", "b")


def test_vectors(tmp_path: Path) -> None:
    task = load_task(save(tmp_path, x_train=np.ones((20, 5)), x_test=np.ones((6, 5))))
    assert task.input_shape == (5,)


@pytest.mark.parametrize(
    ("dtype", "shape", "augmented"),
    [
        ("uint8", (32, 32, 3), True),
        ("uint8", (3, 32, 32), True),
        ("float32", (32, 32, 3), False),
        ("uint8", (32, 32), False),
    ],
)
def test_small_colour_pictures_are_augmented_as_cifar(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], augmented: bool
) -> None:
    x = np.zeros((20, *shape), dtype)
    task = load_task(save(tmp_path, x_train=x, x_test=None, y_test=None))
    expected = Augmentation(crop_padding=4, flip=True) if augmented else None
    assert task.augmentation == expected


def test_layout_can_be_said(tmp_path: Path) -> None:
    x = np.zeros((20, 8, 9, 16))
    spec = save(tmp_path, x_train=x, x_test=None, y_test=None)
    with pytest.raises(NasError, match=r"a\.npz: x_train: .* set layout"):
        load_task(spec)
    assert load_task(spec, layout="NHWC").input_shape == (16, 8, 9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": None}, "has no array x_train; expected x_train, y_train, optional"),
        ({"x_train": None, "y_train": None}, "no array x_train and no array y_train"),
        ({"y_train": Y[:19]}, "y_train: shape"),
        ({"y_train": Y / 2}, "y_train: labels of type float64"),
        ({"x_train": np.full((20, 8, 8, 3), np.nan)}, "x_train: has NaN"),
        ({"y_test": None}, "x_test is given without y_test"),
        ({"classes": np.array([1, 2])}, "classes: int64"),
        ({"classes": np.array("cat")}, r"classes: <U3 \(\)"),
        ({"y_train": np.array([{}] * 20)}, "cannot be read as a NumPy archive of plain arrays"),
    ],
)
def test_wrong_arrays_are_refused_with_the_name_of_the_file(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(NasError, match=rf"a\.npz: .*{message}"):
        load_task(save(tmp_path, **changes))


def test_files_that_are_no_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"none\.npz: no such file"):
        load_task(f"npz:{tmp_path / 'none.npz'}")
    with pytest.raises(NasError, match="cannot be read as a NumPy archive"):
        load_task(f"npz:{tmp_path}")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(NasError, match="cannot be read as a NumPy archive"):
        load_task(f"npz:{tmp_path / 'a.npy'}")


def test_truncated_and_damaged_archives_are_refused(tmp_path: Path) -> None:
    spec = save(tmp_path)
    path = tmp_path / "a.npz"
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(NasError, match=r"a\.npz: cannot be read"):
            load_task(spec)
    for place in (20, 200, len(whole) // 3, len(whole) - 30):
        damaged = bytearray(whole)
        damaged[place : place + 16] = bytes(16)
        path.write_bytes(damaged)
        with pytest.raises(NasError, match=r"a\.npz"):
            load_task(spec)


def test_memory_is_checked_before_unpacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = save(tmp_path, x_train=np.zeros((20, 50, 50, 3), np.uint8), x_test=None, y_test=None)
    assert (tmp_path / "a.npz").stat().st_size < 10_000
    monkeypatch.setattr("nas.task.device.memory_size", lambda _: 200_000)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(NasError, match="more than half"):
        load_task(spec)


def test_cifar10_small() -> None:
    path = SHARED / "cifar10_small.npz"
    if not path.exists():
        pytest.skip("../shared/data/cifar10_small.npz is not here")
    task = load_task(f"npz:{path}", limit=1000)
    assert task.classes[3] == "cat" and task.size("test") == 2000
    y = task.y[: task.size("train")]
    assert y.bincount().tolist() == [50] * 10
    for seed in (None, 0):
        x, y = next(task.batches("train", 100, seed=seed))
        assert len(y.unique()) == 10 and x.shape == (100, 3, 32, 32)


# -- graphs -----------------------------------------------------------------------------------


def graph(path: Path, **changes: Any) -> str:
    """Write a chain of 20 nodes whose edges are given once, from the later to the earlier one."""
    edges = np.stack([np.arange(1, 20), np.arange(19)], axis=1)
    given = {"edges": edges, "label": Y, "features": np.ones((20, 2)), **changes}
    np.savez(path / "g.npz", **given)
    return f"npz:{path / 'g.npz'}"


def test_features_of_edges_count_in_both_directions(tmp_path: Path) -> None:
    spec = graph(tmp_path, edge_features=np.stack([np.arange(19.0), np.ones(19)], axis=1))
    task = load_task(spec)
    assert task.info.edge_features == 2
    [(found, _)] = list(task.batches("valid", 1))
    assert np.array_equal(found.edge_features[:, 0], found.edges.min(0).values)


def test_features_of_edges_have_to_fit(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"g\.npz: features of edges.*\[19, G\]"):
        load_task(graph(tmp_path, edge_features=np.ones((18, 2))))

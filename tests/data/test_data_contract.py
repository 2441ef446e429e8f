"""The contract of data, over every built-in source that needs no download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.register_assert_rewrite("nas.testing")

from PIL import Image  # noqa: E402

from nas.data import data_names, load_task  # noqa: E402
from nas.task import Task  # noqa: E402
from nas.testing import DataContract  # noqa: E402

FIXTURES = Path(__file__).parents[1] / "fixtures"
MADE: dict[str, Path] = {}
"""Name of a file that a test needs -> where it is."""

SOURCES: list[tuple[str, dict[str, Any]]] = [
    ("csv:table.csv", {"target": "kind"}),
    ("digits", {"limit": 100}),
    ("digits-graph", {"steps": 2}),
    ("digits-graph", {"fanout": (3, 2), "inductive": True, "limit": 100}),
    ("digits-patches", {"limit": 100}),
    ("digits-pixels", {"limit": 100}),
    ("digits-pixels", {"limit": 60, "directions": True}),
    ("folder:pictures", {}),
    ("npz:graph.npz", {}),
    ("npz:tiny.npz", {}),
    ("stdlib", {"size": 2**13}),
    ("table:breast-cancer", {}),
    ("table:iris", {}),
    ("table:wine", {"limit": 60}),
    ("text:letters.txt", {"context": 7}),
]
DOWNLOADED = {"cifar10", "cifar100", "fashion-mnist", "mnist", "planetoid", "pyg"}


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Write a table with gaps and categories, pictures in folders and a text; name the others."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    lines = ["length,width,colour,kind"]
    for i in range(60):
        length = "" if i % 9 == 4 else f"{10 + i % 3 + rng.normal():.4f}"
        lines.append(f"{length},{rng.normal():.4f},{('red', 'green', '')[i % 5 % 3]},{'ab'[i % 2]}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    for number in range(24):
        place = folder / "pictures" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    (folder / "letters.txt").write_bytes(bytes(rng.integers(97, 123, 700, dtype=np.uint8)))
    named = [*FIXTURES.iterdir(), *folder.iterdir()]
    MADE.update({path.name: path for path in named})


def contracts() -> Iterator[type]:
    """Make a test class of every source, with some settings."""
    for spec, settings in SOURCES:
        name, _, argument = spec.partition(":")

        def make(
            self: Any,
            seed: int = 0,
            name: str = name,
            argument: str = argument,
            settings: dict[str, Any] = settings,
        ) -> Task:
            place = MADE.get(argument, argument)
            return load_task(f"{name}:{place}" if argument else name, seed=seed, **settings)

        label = "_".join([spec, *map(str, settings)])
        yield type(f"Test_{label}", (DataContract,), {"make_task": make})


globals().update({cls.__name__: cls for cls in contracts()})


def test_no_source_is_left_out() -> None:
    assert {spec.partition(":")[0] for spec, _ in SOURCES} == set(data_names()) - DOWNLOADED

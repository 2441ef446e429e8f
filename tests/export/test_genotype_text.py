"""The architecture in its space's notation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas import registry
from nas.errors import NasError
from nas.export import export


@pytest.mark.parametrize("name", ["darts", "nasnet", "nas-bench-201"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    space = registry.get("search_spaces", name).factory()
    [architecture] = space.sample(np.random.default_rng(0), 1)
    path = export(None, (), "genotype", tmp_path / "a.txt", space=space, architecture=architecture)
    assert path.read_text().count("\n") == 1
    assert space.parse(path.read_text()) == architecture


def test_needs_an_architecture(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="export to genotype needs the search space"):
        export(None, (), "genotype", tmp_path / "a.txt")

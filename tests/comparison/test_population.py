"""The architectures of a new table."""

from __future__ import annotations

import numpy as np
import pytest

from nas.comparison.population import all_architectures, different_architectures
from nas.errors import NasError
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201


def test_all_of_a_space_without_equal_networks() -> None:
    space = NASBench201()
    found = all_architectures(space)
    assert len(found) == 6466  # Dong & Yang, sec. 2.1
    assert len(set(space.keys(space.to_array(found)).tolist())) == 6466
    with pytest.raises(NasError, match="too many to train all"):
        all_architectures(DARTS())


def test_some_of_a_space() -> None:
    space = NASBench201()
    few, more = (different_architectures(space, n, 3) for n in (20, 200))
    assert more[:20] == few and len(more) == 200
    assert len(set(space.keys(space.to_array(more)).tolist())) == 200
    assert different_architectures(space, 20, 4) != few


def test_a_space_with_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    space = NASBench201()
    rows = np.array([[0, 0, 0, 0, 0, 0], [3, 3, 3, 3, 3, 3]])
    monkeypatch.setattr(space, "sample_choices", lambda rng, n: rows[rng.integers(0, 2, n)])
    assert len(different_architectures(space, 5, 0)) == 2

"""Architectures as sets of paths."""

from __future__ import annotations

import numpy as np
import pytest
from every import SPACES

from nas.kernels import Structure
from nas.predictors.path_encoding import PathEncoding, paths_of
from nas.predictors.path_mlp import PathEnsemble
from nas.search_spaces.nas_bench_201 import NASBench201

SPACE = NASBench201()


def test_paths_are_all_ways_through_a_graph() -> None:
    labels = [("", name) for name in ("in", "a", "b", "a", "out")]
    structure = Structure(labels, [[1, 2, 3], [2, 4], [4], [4], []])
    found = paths_of(structure)
    assert found is not None
    assert {"".join(name for _, name in path[1:-1]) for path in found} == {"a", "ab", "b"}
    assert paths_of(structure, most=2) is None


def test_an_architecture_has_the_paths_of_its_cell() -> None:
    encoding = PathEncoding(SPACE)
    assert encoding.paths is not None
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    [row] = encoding.encode([SPACE.parse(text)])
    [path] = [path for path, place in encoding.paths.items() if row[place]]
    assert [op for _, op in path[1:-1]] == ["skip_connect"]
    assert row.sum() == 1
    one, two = SPACE.sample(np.random.default_rng(0), 2)
    assert set(np.unique(encoding.encode([one, two]))) == {0.0, 1.0}


def test_the_width_keeps_what_is_likeliest() -> None:
    narrow, wide = PathEncoding(SPACE, 20), PathEncoding(SPACE)
    assert narrow.paths is not None and wide.paths is not None
    assert len(narrow.paths) == 20 < len(wide.paths)
    assert max(map(len, narrow.paths)) < max(map(len, wide.paths))  # long ones are rare


def test_a_long_chain_is_one_hot() -> None:
    space = SPACES["mobilenet"]()
    encoding = PathEncoding(space)
    assert encoding.paths is None
    some = space.sample(np.random.default_rng(0), 3)
    assert np.array_equal(encoding.encode(some), space.encode(some))


@pytest.mark.parametrize("name", list(SPACES))
def test_every_space_has_one(name: str) -> None:
    space = SPACES[name]()
    some = space.sample(np.random.default_rng(1), 4)
    encoded = PathEncoding(space).encode(some)
    assert len(encoded) == 4
    assert np.isfinite(encoded).all()


def test_networks_on_paths_predict() -> None:
    rng = np.random.default_rng(0)
    known, other = SPACE.sample(rng, 60), SPACE.sample(rng, 60)
    values = np.array([0.0, 0.3, 0.6, 1.0, 0.2])
    scores, truth = ([values[list(a.choices)].mean() for a in some] for some in (known, other))
    mean, std = PathEnsemble(SPACE).fit(known, scores).predict(other)
    assert np.corrcoef(mean, truth)[0, 1] > 0.6
    assert (std > 0).all()

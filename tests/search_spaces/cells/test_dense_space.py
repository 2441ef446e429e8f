"""What the spaces of one cell of four states have in common."""

from __future__ import annotations

import numpy as np
import pytest

from nas.search_spaces.cells.dense_space import EDGES, DenseCellSpace
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.search_spaces.transnas_micro import TransNASMicro

SPACES = [NASBench201, TransNASMicro]
over_spaces = pytest.mark.parametrize("make", SPACES)


def everything(space: DenseCellSpace) -> np.ndarray:
    return np.indices(space.cardinalities).reshape(len(EDGES), -1).T


@over_spaces
def test_decisions_are_named_after_their_edges(make: type[DenseCellSpace]) -> None:
    names = [decision.name for decision in make().decisions]
    assert names == ["cell/1<-0", "cell/2<-0", "cell/2<-1", "cell/3<-0", "cell/3<-1", "cell/3<-2"]


@over_spaces
def test_canonical_is_the_first_of_its_class(make: type[DenseCellSpace]) -> None:
    space = make()
    rows = everything(space)
    keys = space.keys(rows)
    _, first = np.unique(keys, return_index=True)
    for at in first[::50]:
        [a] = space.from_array(rows[[at]])
        assert space.canonical(a) == a
    picked = np.random.default_rng(0).integers(0, len(rows), 200)
    for at in picked:
        [a] = space.from_array(rows[[at]])
        [b] = space.from_array(rows[first[np.searchsorted(keys[first], keys[at])]][None])
        assert space.canonical(a) == b


@over_spaces
def test_keys_are_equal_where_canonical_is(make: type[DenseCellSpace]) -> None:
    space = make()
    rows = space.sample_choices(np.random.default_rng(0), 2000)
    keys = space.keys(rows)
    representatives = [space.canonical(a) for a in space.from_array(rows)]
    assert keys.dtype == np.uint64
    pairs = set(zip(keys.tolist(), representatives, strict=True))
    assert len(pairs) == len(set(keys.tolist())) == len(set(representatives)) < 2000


@over_spaces
def test_path_and_derive_take_the_strongest(make: type[DenseCellSpace]) -> None:
    space = make()
    a = space.sample(np.random.default_rng(1), 1)[0]
    path = space.path(a)
    assert [path[f"cell/{t}<-{s}"] for t, s in EDGES] == list(a.choices)
    assert path["cell/3"] == (0, 1, 2)
    scores = {
        d.name: np.eye(len(d.options))[c] for d, c in zip(space.decisions, a.choices, strict=True)
    }
    assert space.derive(scores) == a

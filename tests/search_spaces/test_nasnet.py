"""NASNet: published cells, the notation, and why there is no supernet."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.nasnet import NASNet
from nas.space import Architecture
from nas.task import TaskInfo

SPACE = NASNet()
TINY = TaskInfo((3, 8, 8), 10)


def samples(n: int) -> list[Architecture]:
    return SPACE.sample(np.random.default_rng(0), n)


def test_size() -> None:
    """Per node i two of i + 1 earlier states and two of nine operations."""
    assert SPACE.size == ((2 * 3 * 4 * 5 * 6) ** 2 * 9**10) ** 2


def test_published_cells() -> None:
    cells = SPACE.catalogue()
    assert set(cells) == {"NASNet-A", "AmoebaNet-A"}
    assert SPACE.genotype(cells["NASNet-A"]).normal_concat == [2, 3, 4, 5, 6]
    assert SPACE.genotype(cells["NASNet-A"]).reduce_concat == [4, 5, 6]
    assert SPACE.genotype(cells["AmoebaNet-A"]).normal_concat == [4, 5, 6]
    assert SPACE.genotype(cells["AmoebaNet-A"]).reduce_concat == [3, 4, 6]


def test_published_parameters() -> None:
    """AmoebaNet-A as DARTS (table 1) trains it: 3.2 million with 36 channels and 20 cells."""
    with torch.device("meta"):
        a = SPACE.catalogue()["AmoebaNet-A"]
        network = SPACE.build(a, TaskInfo((3, 32, 32), 10), channels=36, layers=20)
    assert 3.1e6 < sum(p.numel() for p in network.parameters()) < 3.2e6


def test_loose_ends_are_concatenated() -> None:
    for a in samples(50):
        genotype = SPACE.genotype(a)
        used = {state for _, state in genotype.normal}
        assert set(genotype.normal_concat) == set(range(2, 7)) - used
        graph = SPACE.graph(a)
        assert graph.in_degree("normal/c_{k}") == len(genotype.normal_concat)


def test_parse_needs_the_loose_ends() -> None:
    text = SPACE.format(SPACE.catalogue()["AmoebaNet-A"])
    assert "normal_concat=[4, 5, 6]" in text
    for wrong in ("[4, 5]", "[3, 4, 5, 6]", "[]", "range(2, 7)"):
        with pytest.raises(NasError, match=r"normal_concat=.*; space 'nasnet' has \[4, 5, 6\]"):
            SPACE.parse(text.replace("normal_concat=[4, 5, 6]", f"normal_concat={wrong}"))


def test_parse_refuses_another_number_of_nodes() -> None:
    from nas.search_spaces.darts import DARTS

    text = DARTS().format(DARTS().catalogue()["DARTS_V2"])
    with pytest.raises(NasError, match="normal has 8 pairs; space 'nasnet' needs 10"):
        SPACE.parse(text)


def test_canonical_orders_the_inputs_of_a_node() -> None:
    a = samples(1)[0]
    genotype = SPACE.genotype(a)
    swapped = [pair for i in range(0, 10, 2) for pair in genotype.normal[i : i + 2][::-1]]
    b = SPACE.from_pairs([swapped, genotype.reduce])
    assert b != a
    assert SPACE.canonical(a) == SPACE.canonical(b)
    one, other = (
        SPACE.build(SPACE.canonical(x), TINY, channels=4, layers=3).state_dict() for x in (a, b)
    )
    assert {n: t.shape for n, t in one.items()} == {n: t.shape for n, t in other.items()}


def test_a_node_may_take_a_state_twice() -> None:
    a = Architecture("nasnet", (0,) * len(SPACE.decisions))
    assert SPACE.check(a) is None
    output = SPACE.build(a, TINY, channels=4, layers=3)(torch.randn(2, 3, 8, 8))
    assert output.shape == (2, 10)


def test_no_supernet() -> None:
    a = samples(1)[0]
    for call in (lambda: SPACE.supernet(TINY), lambda: SPACE.path(a), lambda: SPACE.derive({})):
        with pytest.raises(NasError, match=r"space 'nasnet' has no supernet: .*--evaluator train"):
            call()

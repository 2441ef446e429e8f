"""NAS-Bench-Macro: published facts, equal networks, the notation, supernets."""

from __future__ import annotations

import json
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.costs.measure import count_flops
from nas.errors import NasError
from nas.search_spaces.nas_bench_macro import NASBenchMacro
from nas.task import TaskInfo

SPACE = NASBenchMacro()
CIFAR, TINY = TaskInfo((3, 32, 32), 10), TaskInfo((3, 8, 8), 10)
EVERYTHING = np.array(list(product(range(3), repeat=8)))
TABLE = Path(__file__).parents[2] / "../shared/data/nas-bench-macro_cifar10.json"
BEST = "22212220"


@pytest.fixture(scope="module")
def entries() -> Any:
    if not TABLE.is_file():
        pytest.skip(f"no {TABLE.name} beside the repository")
    return json.loads(TABLE.read_text())


def paper_network(text: str) -> torch.nn.Module:
    with torch.device("meta"):
        return SPACE.build(SPACE.parse(text), CIFAR, **SPACE.network_defaults("paper"))


# -- published facts --------------------------------------------------------------------------


def test_size() -> None:
    assert SPACE.size == len(EVERYTHING) == 6_561


def test_classes() -> None:
    """Two layers: 3 * 3; three: 3 * (1 + 2 + 4), by how many of the last two do something."""
    assert len(np.unique(SPACE.keys(EVERYTHING))) == 9 * 21 * 21
    assert len(np.unique(SPACE.canonical_choices(EVERYTHING), axis=0)) == 9 * 21 * 21


def test_parameters_of_the_table(entries: Any) -> None:
    for text in [BEST, *list(entries)[::400]]:
        count = sum(p.numel() for p in paper_network(text).parameters())
        assert count == entries[text]["params"], text


def test_flops_of_the_table(entries: Any) -> None:
    for text in (BEST, "00000000", "01212210"):
        assert count_flops(paper_network(text), (3, 32, 32)) == entries[text]["flops"], text


def test_classes_of_the_table(entries: Any) -> None:
    """The authors trained one network of each class: its numbers are those of all of it."""
    texts = list(entries)
    choices = SPACE.to_array([SPACE.parse(text) for text in texts])
    assert len(np.unique(choices, axis=0)) == 6_561
    canonical = SPACE.from_array(SPACE.canonical_choices(choices))
    for text, a in zip(texts, canonical, strict=True):
        assert entries[text] == entries[SPACE.format(a)]


# -- equal networks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("00000000", "00000000"),
        ("01001001", "01010010"),  # the first layer of a stage stays where it is
        ("22202202", "22220220"),
        ("10012012", "10012012"),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    a = SPACE.canonical(SPACE.parse(text))
    assert SPACE.format(a) == canonical
    assert SPACE.canonical(a) == a


def test_canonical_of_one_and_of_many() -> None:
    some = EVERYTHING[::97]
    canonical = SPACE.from_array(SPACE.canonical_choices(some))
    assert canonical == [SPACE.canonical(a) for a in SPACE.from_array(some)]
    assert SPACE.keys(some).tolist() == SPACE.keys(SPACE.to_array(canonical)).tolist()


def test_equal_networks_compute_the_same() -> None:
    networks = []
    for text in ("01001012", "01010012"):
        torch.manual_seed(0)
        networks.append(SPACE.build(SPACE.parse(text), TINY, channels=4, head=16).eval())
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(networks[0](x), networks[1](x))


# -- notation and graph -----------------------------------------------------------------------


def test_format() -> None:
    a = SPACE.parse(f" {BEST}\n")
    assert SPACE.format(a) == BEST
    assert SPACE.operations(a)[3:] == ["mb3_k3", "mb6_k5", "mb6_k5", "mb6_k5", "identity"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 characters; nas-bench-macro has 8, one a layer: 0 (identity)"),
        ("2221222", "has 7 characters"),
        ("222122200", "has 9 characters"),
        ("22212223", "layer 8 of '22212223' is '3'; allowed is 0 (identity), 1 (mb3_k3)"),
        ("2221222-", "layer 8 of '2221222-' is '-'"),
        ("٢2212220", "layer 1 of"),
        ("2" * 10_000, "has 10000 characters"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        SPACE.parse(text)
    assert message in str(error.value)
    assert len(str(error.value)) < 300


def test_graph() -> None:
    graph = SPACE.graph(SPACE.parse("00100122"))
    chain = ["input", *(f"layer{i}" for i in range(1, 9)), "output"]
    assert list(graph.edges) == list(pairwise(chain))
    operations = [graph.nodes[name]["op"] for name in chain[1:-1]]
    assert operations == [
        "projection", "identity", "mb3_k3", "identity", "identity", "mb3_k3", "mb6_k5", "mb6_k5",
    ]  # fmt: skip


# -- networks ---------------------------------------------------------------------------------


def test_derive_takes_the_strongest() -> None:
    scores = {d.name: np.array([0.1, 0.2, 0.7]) for d in SPACE.decisions}
    scores["layer3"] = np.array([0.9, 0.0, 0.1])
    assert SPACE.format(SPACE.derive(scores)) == "22022222"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 0}, "{}.channels=0: expected at least 1"),
        ({"head": 0}, "{}.head=0: expected at least 1"),
        ({"cells": 3}, "unknown setting of {} 'cells'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message.format("network")):
        SPACE.build(SPACE.parse(BEST), TINY, **settings)
    with pytest.raises(NasError, match=message.format("supernet")):
        SPACE.supernet(TINY, **settings)


def test_what_has_no_edges_has_no_edge_gates() -> None:
    for option in ({"edge_gates": True}, {"partial_channels": 4}):
        with pytest.raises(NasError, match="has no partial channels or edge gates"):
            SPACE.supernet(TINY, **option)
    usual = {"channels": 4, "head": 8, "edge_gates": False, "partial_channels": 1}
    assert list(SPACE.supernet(TINY, **usual).gates) == [d.name for d in SPACE.decisions]


def test_extracted_networks_say_how_they_were_built() -> None:
    a = SPACE.parse(BEST)
    network: Any = SPACE.supernet(TINY, channels=4, head=8).extract(a)
    assert network.config == SPACE.build(a, TINY, channels=4, head=8).config
    again = type(network)(**network.config)
    again.load_state_dict(network.state_dict())


def test_tasks_without_images_are_refused() -> None:
    with pytest.raises(NasError, match="space 'nas-bench-macro' needs images"):
        SPACE.build(SPACE.parse(BEST), TaskInfo((5,), 2))

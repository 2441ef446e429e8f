"""TransNAS-Bench-101, skeletons: published facts, the notation, networks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.transnas_macro import TransNASMacro
from nas.space import SearchSpace
from nas.task import TaskInfo
from nas.testing import SpaceContract

SPACE = TransNASMacro()
PUBLISHED = {"channels": 64, "blocks": 2, "stem": "imagenet"}


class TestTransNASMacro(SpaceContract):
    network_settings: Mapping[str, Any] = {"channels": 2, "blocks": 1, "stem": "cifar"}
    samples = 100

    def make_space(self) -> SearchSpace:
        return TransNASMacro()


# -- published facts ------------------------------------------------------------------------------


def allowed(codes: str) -> bool:
    """Tell what the paper allows, in its own words (sec. 3.1)."""
    wider = sum(code in "24" for code in codes)
    smaller = sum(code in "34" for code in codes)
    return 1 <= wider <= 3 and 1 <= smaller <= 4


def test_size() -> None:
    every = ["".join(c) for n in (4, 5, 6) for c in product("1234", repeat=n)]
    texts = [f"64-{codes}-basic" for codes in every if allowed(codes)]
    assert len(texts) == SPACE.size == 3_256
    found = [SPACE.parse(text) for text in texts]
    assert [SPACE.format(a) for a in found] == texts
    assert len(set(found)) == 3_256 and SPACE.valid(SPACE.to_array(found)).all()


@pytest.mark.parametrize("codes", ["1234", "4111", "2311"])
def test_published_names(codes: str) -> None:
    """From the published code's examples."""
    a = SPACE.parse(f"64-{codes}-basic")
    assert SPACE.modules(a) == codes and SPACE.format(a) == f"64-{codes}-basic"


def test_the_papers_example() -> None:
    """Normal; channels doubled; resolution halved; both."""
    options = SPACE.options(SPACE.parse("64-1234-basic"))
    assert options == {
        "depth": 4, "module1": "normal", "module2": "wider", "module3": "smaller",
        "module4": "both",
    }  # fmt: skip


def test_published_shapes() -> None:
    a = SPACE.parse("64-123414-basic")
    with torch.device("meta"):
        network = SPACE.build(a, TaskInfo((3, 224, 224), 75), **PUBLISHED)
        x = network.stem(torch.zeros(2, 3, 224, 224))
        shapes = []
        for block in network.blocks:
            x = block(x)
            shapes.append((x.shape[1], x.shape[2]))
    stages = [(64, 56), (128, 56), (128, 28), (256, 14), (256, 14), (512, 7)]
    assert shapes == [stage for stage in stages for _ in range(2)]


def test_parameters_count_up() -> None:
    """By hand: two 3x3 convolutions a block, a 1x1 on the shortcut where the shape changes."""
    with torch.device("meta"):
        network = SPACE.build(SPACE.parse("64-4111-basic"), TaskInfo((3, 64, 64), 75), **PUBLISHED)
    stem = 3 * 32 * 9 + 2 * 32 + 32 * 64 * 9 + 2 * 64
    first = 64 * 128 * 9 + 128 * 128 * 9 + 2 * 2 * 128 + 64 * 128 + 2 * 128
    others = 7 * (2 * 128 * 128 * 9 + 2 * 2 * 128)
    expected = stem + first + others + 128 * 75 + 75
    assert sum(p.numel() for p in network.parameters()) == expected


# -- which are valid ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ("1133", "channels double 0 times; allowed is 1 to 3"),
        ("2222", "channels double 4 times"),
        ("1122", "resolution halves 0 times; allowed is 1 to 4"),
        ("333334", "resolution halves 6 times"),
    ],
)
def test_what_is_not_valid(codes: str, reason: str) -> None:
    with pytest.raises(NasError, match=reason):
        SPACE.parse(f"64-{codes}-basic")


def test_feasible_agrees_with_constraint() -> None:
    rows = np.random.default_rng(0).integers(0, SPACE.cardinalities, (500, 7))
    rows[~SPACE.active(rows)] = 0
    reasons = [SPACE.constraint(a) for a in SPACE.from_array(rows)]
    assert SPACE.feasible(rows).tolist() == [reason is None for reason in reasons]


def test_modules_beyond_the_depth_are_inactive() -> None:
    a = SPACE.parse("64-4111-basic")
    assert SPACE.active(SPACE.to_array([a]))[0].tolist() == [True] * 5 + [False] * 2
    depths = SPACE.sample_choices(np.random.default_rng(0), 300)[:, 0]
    assert set(depths) == {0, 1, 2}


@pytest.mark.parametrize(
    "text",
    [
        "", "64-123-basic", "64-1111444-basic", "64-1235-basic", "64-1234", "32-1234-basic",
        "64-1234-1_02_333", "64-" + "4" * 10_000 + "-basic",
    ],
)  # fmt: skip
def test_parse_says_what_is_expected(text: str) -> None:
    with pytest.raises(NasError, match=r"'transnas-macro': .* such as 64-1234-basic") as error:
        SPACE.parse(text)
    assert len(str(error.value)) < 300


# -- networks -------------------------------------------------------------------------------------


def test_no_supernet() -> None:
    a = SPACE.parse("64-1234-basic")
    for call in (lambda: SPACE.supernet(None), lambda: SPACE.path(a), lambda: SPACE.derive({})):
        with pytest.raises(
            NasError, match=r"'transnas-macro' has no supernet: .*--evaluator train"
        ):
            call()


def test_settings_are_checked() -> None:
    a = SPACE.parse("64-1234-basic")
    for settings, message in (
        ({"channels": 0}, "network.channels=0: expected an even number"),
        ({"affine": False}, "unknown setting of network 'affine'"),
    ):
        with pytest.raises(NasError, match=message):
            SPACE.build(a, TaskInfo((3, 8, 8), 2), **settings)


def test_graph() -> None:
    graph = SPACE.graph(SPACE.parse("64-1234-basic"))
    ops = [data["op"] for _, data in graph.nodes(data=True)]
    assert ops == ["input", "normal", "wider", "smaller", "both", "output"]

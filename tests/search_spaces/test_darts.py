"""DARTS: published facts, the notation, equal networks, and what its supernet keeps."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from nas.errors import NasError
from nas.search_spaces.cells.network import CellNetwork
from nas.search_spaces.darts import DARTS
from nas.space import Architecture
from nas.task import TaskInfo

SPACE = DARTS()
CIFAR, IMAGENET = TaskInfo((3, 32, 32), 10), TaskInfo((3, 224, 224), 1000)
V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=[2, 3, 4, 5])"
)


def samples(n: int, seed: int = 0) -> list[Architecture]:
    return SPACE.sample(np.random.default_rng(seed), n)


def parameters(a: Architecture, task: TaskInfo, **settings: object) -> int:
    with torch.device("meta"):
        network = SPACE.build(a, task, **settings)
    heads = {id(p) for n, p in network.named_parameters() if n.startswith("auxiliary")}
    return sum(p.numel() for p in network.parameters() if id(p) not in heads)


# -- published facts --------------------------------------------------------------------------


def test_size() -> None:
    assert SPACE.size == (1 * 3 * 6 * 10 * 7**8) ** 2 == 1_076_746_950_455_072_400


@pytest.mark.parametrize(
    ("name", "count"), [("DARTS_V2", 3_349_342), ("PC_DARTS", 3_634_678), ("P-DARTS", 3_433_798)]
)
def test_parameters_on_cifar(name: str, count: int) -> None:
    """As the authors' code counts: 36 channels, 20 cells, without the auxiliary head."""
    a = SPACE.catalogue()[name]
    assert parameters(a, CIFAR, **SPACE.network_defaults("paper")) == count


@pytest.mark.parametrize(
    ("name", "millions"),
    [("DARTS_V2", 4.718752), ("PC_DARTS_ImageNet", 5.34), ("P-DARTS", 4.94)],
)
def test_parameters_on_imagenet(name: str, millions: float) -> None:
    a = SPACE.catalogue()[name]
    count = parameters(a, IMAGENET, channels=48, layers=14, stem="imagenet")
    assert abs(count / 1e6 - millions) < 0.005


def test_edges_and_gates() -> None:
    gates = SPACE.supernet(TaskInfo((3, 8, 8), 10), channels=4, layers=3).gates
    assert len(gates) == 2 * 14
    assert {gate.options for gate in gates.values()} == {("none", *SPACE.operations)}
    assert {gate.absent for gate in gates.values()} == {0}


# -- notation ---------------------------------------------------------------------------------


def test_format_is_what_the_papers_print() -> None:
    a = SPACE.catalogue()["DARTS_V2"]
    assert SPACE.parse(V2) == a
    assert SPACE.format(a) == (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
        "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), "
        "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
        "('max_pool_3x3', 1), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), "
        "('skip_connect', 2), ('max_pool_3x3', 1), ('skip_connect', 2)], "
        "reduce_concat=[2, 3, 4, 5])"
    )


def test_parse_ignores_the_order_of_inputs() -> None:
    swapped = V2.replace(
        "('sep_conv_3x3', 1), ('skip_connect', 0)", "('skip_connect', 0), ('sep_conv_3x3', 1)"
    )
    assert swapped != V2
    assert SPACE.parse(swapped) == SPACE.parse(V2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "('dil_conv_3x3', 2)",
            "('dil_conv_3x3', 5)",
            r"normal\[7\] is an impossible edge: node 5",
        ),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', -1)", "impossible edge.*allowed is 0 to 4"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', 10**9)", "normal is not a plain list"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3', 2)", r"normal\[7\].*Did you mean 'dil_conv_3x3'\?"),
        ("('dil_conv_3x3', 2)", "('none', 2)", r"unknown operation at normal\[7\] 'none'"),
        ("('dil_conv_3x3', 2)", "('sep_conv_7x7', 2)", "unknown operation at .*'sep_conv_7x7'"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', 0)", "normal node 5 takes state 0 twice"),
        (", ('dil_conv_3x3', 2)", "", "normal has 7 pairs; space 'darts' needs 8, two a node"),
        ("'dil_conv_3x3'", f"'{'a' * 9999}'", r"unknown operation at normal\[7\] 'aaa"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=[2, 3, 4]", r"normal_concat=\[2, 3, 4\]"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=[2, 2, 3, 4, 5]", "normal_concat="),
        ("normal_concat=[2, 3, 4, 5]", f"normal_concat={[2] * 9999}", "normal_concat="),
        ("reduce_concat=[2, 3, 4, 5]", "reduce_concat=range(3, 6)", "reduce_concat="),
    ],
)
def test_parse_says_what_is_wrong(old: str, new: str, message: str) -> None:
    assert old in V2
    with pytest.raises(NasError, match=message) as error:
        SPACE.parse(V2.replace(old, new))
    assert len(str(error.value)) < 300


def test_parse_takes_a_range() -> None:
    assert SPACE.parse(V2.replace("[2, 3, 4, 5]", "range(2, 6)")) == SPACE.parse(V2)


# -- equal networks ---------------------------------------------------------------------------


def renumbered(a: Architecture, order: tuple[int, ...]) -> Architecture | None:
    """Return the normal cell with its nodes in another order, if inputs still come first."""
    genotype = SPACE.genotype(a)
    new_state = {0: 0, 1: 1} | {2 + old: 2 + new for new, old in enumerate(order)}
    pairs = []
    for new, old in enumerate(order):
        node = [(op, new_state[s]) for op, s in genotype.normal[2 * old : 2 * old + 2]]
        if max(state for _, state in node) >= 2 + new:
            return None
        pairs += node
    return SPACE.from_pairs([pairs, genotype.reduce])


def test_canonical_is_blind_to_the_numbers_of_nodes() -> None:
    found = 0
    for a in samples(30):
        for order in permutations(range(4)):
            b = renumbered(a, order)
            if b is not None and b != a:
                assert SPACE.canonical(a) == SPACE.canonical(b)
                found += 1
    assert found


def test_canonical_keeps_different_cells_apart() -> None:
    """Another operation is another network, whatever the order of the nodes."""
    for a in samples(20):
        for b in SPACE.neighbors(a):
            names = [
                d.name
                for d, x, y in zip(SPACE.decisions, a.choices, b.choices, strict=True)
                if x != y
            ]
            if names[0].endswith(("op0", "op1")):
                assert SPACE.canonical(a) != SPACE.canonical(b)


# -- derivation -------------------------------------------------------------------------------


def uniform_scores(gates: bool = False) -> dict[str, np.ndarray]:
    scores = {}
    for cell in ("normal", "reduction"):
        for node in range(2, 6):
            if gates:
                scores[f"{cell}/{node}"] = np.ones(node)
            for source in range(node):
                scores[f"{cell}/{node}<-{source}"] = np.full(8, 0.1)
    return scores


def test_derive_ignores_none() -> None:
    """An edge is as strong as its best operation other than `none` (DARTS, sec. 2.4)."""
    scores = uniform_scores()
    scores["normal/5<-4"][0] = 100.0  # certainly absent, but also ...
    scores["normal/5<-4"][4] = 0.9  # ... the strongest operation
    scores["normal/5<-2"][7] = 0.8
    options = SPACE.options(SPACE.derive(scores))
    assert options["normal/5/inputs"] == (2, 4)
    assert (options["normal/5/op0"], options["normal/5/op1"]) == ("dil_conv_5x5", "sep_conv_3x3")


def test_derive_weights_edges_by_their_gate() -> None:
    """With a gate over the inputs, its weight times the operation's counts (PC-DARTS)."""
    scores = uniform_scores(gates=True)
    scores["normal/4<-0"][1] = 0.9
    scores["normal/4"] = np.array([0.01, 1.0, 2.0, 3.0])
    assert SPACE.options(SPACE.derive(scores))["normal/4/inputs"] == (2, 3)


def test_derive_breaks_ties_by_order() -> None:
    options = SPACE.options(SPACE.derive(uniform_scores()))
    assert options["reduction/5/inputs"] == (0, 1)
    assert options["reduction/5/op0"] == "max_pool_3x3"


def test_path_sends_other_edges_to_none() -> None:
    path = SPACE.path(SPACE.parse(V2))
    assert path["normal/5"] == (0, 2)
    edges = [path[f"normal/5<-{source}"] for source in range(5)]
    assert edges == [SPACE.candidates.index("skip_connect"), 0, 6, 0, 0]


# -- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 6, "partial_channels": 4}, "supernet.partial_channels=4: must divide"),
        ({"partial_channels": 0}, "supernet.partial_channels=0"),
        ({"channels": 0}, "channels=0: at least 1 is needed"),
        ({"layers": 2}, "layers=2: at least 3 are needed"),
        ({"stem": "imgnet"}, "unknown supernet.stem 'imgnet'. Did you mean 'imagenet'?"),
        ({"chanels": 4}, "unknown setting of supernet 'chanels'. Did you mean 'channels'?"),
        ({"edge_gates": 1}, "supernet.edge_gates=1: expected bool"),
    ],
)
def test_supernet_refuses(options: dict[str, object], message: str) -> None:
    with pytest.raises(NasError) as error:
        SPACE.supernet(CIFAR, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 6, "partial_channels": 4}, "network.partial_channels=4: must divide"),
        ({"partial_channels": 0}, "network.partial_channels=0"),
        ({"layers": 0}, "layers=0: at least 1 is needed"),
        ({"stem": "x"}, "unknown network.stem 'x'. Allowed: cifar, imagenet."),
        ({"auxilary": True}, "Did you mean 'auxiliary'?"),
    ],
)
def test_build_refuses(settings: dict[str, object], message: str) -> None:
    with pytest.raises(NasError) as error:
        SPACE.build(samples(1)[0], CIFAR, **settings)
    assert message in str(error.value)


def test_build_checks_the_architecture_and_the_task() -> None:
    a = samples(1)[0]
    with pytest.raises(NasError, match="not an architecture of space 'darts'"):
        SPACE.build(Architecture("darts", a.choices[1:]), CIFAR)
    for make in (lambda task: SPACE.build(a, task), SPACE.supernet):
        with pytest.raises(NasError, match=r"space 'darts' needs images.*shape \[7\]"):
            make(TaskInfo((7,), 2))


def test_built_network_says_how_it_was_built() -> None:
    network = SPACE.build(samples(1)[0], TaskInfo((1, 8, 8), 3), channels=4, layers=3)
    assert isinstance(network, CellNetwork)
    again = CellNetwork(**network.config)  # type: ignore[arg-type]
    again.load_state_dict(network.state_dict())
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(again.eval()(x), network.eval()(x))


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_defaults_are_settings(scale: str) -> None:
    a = samples(1)[0]
    with torch.device("meta"):
        SPACE.build(a, CIFAR, **SPACE.network_defaults(scale))
    assert SPACE.supernet_defaults(scale)["layers"] >= 3

"""Sub-structures as text and as graphs."""

from __future__ import annotations

from nas.explain.motifs import Motif, motif_of
from nas.kernels.structure import Structure, structure_of
from nas.search_spaces.nas_bench_201 import NASBench201


def op(name: str, *after: Motif) -> Motif:
    return Motif(("", name), after)


def test_texts() -> None:
    out = op("output")
    assert op("conv").text == "conv"
    assert op("conv", out).text == "conv -> output"
    assert op("conv", op("pool", out), out).text == "conv -> (output, pool -> output)"
    assert op("conv", op("pool"), op("pool")).text == "conv -> 2 x pool"
    assert op("conv", op("pool"), op("pool"), out).text == "conv -> (output, 2 x pool)"
    assert Motif(("normal", "conv"), (Motif(("normal", "pool")),)).text == "normal: conv -> pool"


def test_a_label_stands_for_what_follows_to_its_height() -> None:
    space = NASBench201()
    text = "|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    structure = structure_of(space.graph(space.parse(text)), space.identity_ops)
    node = structure.labels.index(("", "nor_conv_1x1"))
    texts = [motif_of(structure, node, level).text for level in range(4)]
    assert texts[0] == "nor_conv_1x1"
    assert texts[1] == "nor_conv_1x1 -> (avg_pool_3x3, nor_conv_3x3)"
    assert texts[2] == "nor_conv_1x1 -> (avg_pool_3x3 -> output, nor_conv_3x3 -> nor_conv_3x3)"
    assert texts[3].endswith("nor_conv_3x3 -> nor_conv_3x3 -> output)")


def test_what_feeds_nothing_is_told_from_what_is_left_open() -> None:
    structure = Structure([("", "input"), ("", "none"), ("", "output")], [[1], [], []])
    assert motif_of(structure, 0, 0).text == "input"
    assert motif_of(structure, 0, 1).text == "input -> none"
    assert motif_of(structure, 0, 2).text == "input -> none"
    idle = motif_of(Structure([("", "input")], [[]]), 0, 1)
    assert idle.text == "input -> nothing"
    assert len(idle.graph().edges) == 1
    assert motif_of(structure, 2, 1).text == "output"


def test_the_order_of_successors_does_not_matter() -> None:
    labels = [("", "a"), ("", "b"), ("", "c")]
    one, other = Structure(labels, [[1, 2], [], []]), Structure(labels, [[2, 1], [], []])
    assert motif_of(one, 0, 1) == motif_of(other, 0, 1)
    assert hash(motif_of(one, 0, 1)) == hash(motif_of(other, 0, 1))


def test_a_drawing_has_one_output() -> None:
    out = op("output")
    graph = op("conv", op("pool", out), op("pool"), out).graph()
    assert sorted(data["op"] for _, data in graph.nodes.data()) == [
        "conv",
        "output",
        "pool",
        "pool",
    ]
    assert len(graph.edges) == 4
    assert {data["op"]: data["kind"] for _, data in graph.nodes.data()}["output"] == "output"

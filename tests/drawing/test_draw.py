"""Drawings: nothing overlaps, every operation is shown, a failure harms no file."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import IO, Any

import networkx as nx
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.transforms import Bbox

from nas.drawing import COLOURS, draw, figure, text, tint
from nas.drawing.palette import family
from nas.errors import NasError

Genes = list[tuple[str, int]]
Graph = Any

NORMAL: Genes = [
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("sep_conv_3x3", 1),
    ("skip_connect", 0),
    ("skip_connect", 0),
    ("dil_conv_3x3", 2),
]
REDUCE: Genes = [
    ("max_pool_3x3", 0),
    ("max_pool_3x3", 1),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
    ("max_pool_3x3", 0),
    ("skip_connect", 2),
    ("skip_connect", 2),
    ("max_pool_3x3", 1),
]
NASNET: Genes = [
    ("sep_conv_5x5", 1),
    ("sep_conv_7x7", 0),
    ("max_pool_3x3", 1),
    ("sep_conv_7x7", 0),
    ("avg_pool_3x3", 1),
    ("sep_conv_5x5", 0),
    ("skip_connect", 3),
    ("avg_pool_3x3", 2),
    ("sep_conv_3x3", 2),
    ("max_pool_3x3", 2),
]


def add_cell(graph: Graph, name: str, genes: Genes) -> Graph:
    """Add a cell with two operations a state, as DARTS and NASNet have them."""
    states = [f"{name}/c_{{k-2}}", f"{name}/c_{{k-1}}"]
    for state in states:
        graph.add_node(state, op=state.split("/")[1], cell=name, kind="input")
    output = f"{name}/c_{{k}}"
    for i, (op, source) in enumerate(genes):
        if i % 2 == 0:
            states.append(f"{name}/{i // 2}")
            graph.add_node(states[-1], op="add", cell=name, kind="node")
        graph.add_node((name, i), op=op, cell=name, kind="op")
        graph.add_edges_from([(states[source], (name, i)), ((name, i), states[-1])])
    graph.add_node(output, op="concat", cell=name, kind="output")
    graph.add_edges_from((state, output) for state in states[2:])
    return graph


def darts() -> Graph:
    return add_cell(add_cell(nx.DiGraph(), "normal", NORMAL), "reduction", REDUCE)


def nasnet() -> Graph:
    return add_cell(nx.DiGraph(), "normal", NASNET)


def nas_bench_201() -> Graph:
    graph: Graph = nx.DiGraph()
    ops = iter(("nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3", "nor_conv_1x1", "none"))
    for node, kind in enumerate(("input", "node", "node", "output")):
        graph.add_node(node, op="input" if kind == "input" else "add", kind=kind)
    for end in range(1, 4):
        for start in range(end):
            graph.add_node((start, end), op=next(ops), kind="op")
            graph.add_edges_from([(start, (start, end)), ((start, end), end)])
    return graph


def parallel() -> Graph:
    graph: Graph = nx.DiGraph()
    for node, kind in (("in", "input"), ("0", "node"), ("out", "output")):
        graph.add_node(node, op="add" if kind == "node" else kind, kind=kind)
    for i, op in enumerate(("conv_3x3", "conv_3x3", "max_pool_3x3")):
        graph.add_node(i, op=op, kind="op")
        graph.add_edges_from([("in", i), (i, "0")])
    graph.add_edge("0", "out")
    return graph


def chain(length: int) -> Graph:
    graph: Graph = nx.DiGraph()
    for i in range(length):
        graph.add_node(i, op=("conv_3x3", "batch_norm", "relu", "max_pool_2x2", "linear")[i % 5])
    graph.add_edges_from((i, i + 1) for i in range(length - 1))
    return graph


def residual() -> Graph:
    """A long network in which every second operation is bypassed."""
    graph = chain(24)
    graph.add_edges_from((i, i + 2) for i in range(0, 22, 2))
    return graph


def tangled(seed: int) -> Graph:
    """A random graph of boxes, with long edges and long labels."""
    rng = random.Random(seed)
    graph: Graph = nx.DiGraph()
    for i in range(14):
        graph.add_node(i, op=rng.choice(["conv_3x3", "skip", "Linear(in=64, out=128, bias=False)"]))
        graph.add_edges_from((j, i) for j in rng.sample(range(i), min(i, rng.choice([1, 1, 2, 3]))))
    return graph


GRAPHS: dict[str, Callable[[], Graph]] = {
    "darts": darts,
    "nasnet": nasnet,
    "nas-bench-201": nas_bench_201,
    "parallel": parallel,
    "chain of 12": lambda: chain(12),
    "chain of 40": lambda: chain(40),
    "residual": residual,
    "tangled": lambda: tangled(1),
    "more tangled": lambda: tangled(2),
    "one node": lambda: chain(1),
}
every_graph = pytest.mark.parametrize("graph", [f() for f in GRAPHS.values()], ids=list(GRAPHS))


def boxes(axes: Axes) -> list[Bbox]:
    return [p.get_bbox() for p in axes.patches if isinstance(p, FancyBboxPatch)]


def texts(drawing: Figure) -> list[str]:
    return [t.get_text() for axes in drawing.axes for t in axes.texts]


def lines(axes: Axes) -> list[np.ndarray[Any, Any]]:
    """Every edge's line as points along it, once."""
    paths = [p for p in axes.patches if isinstance(p, PathPatch)]
    return [np.concatenate(p.get_path().to_polygons(closed_only=False)) for p in paths[::2]]


def dense(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    steps = np.linspace(0, 1, 20)[:, None, None]
    return (points[:-1] * (1 - steps) + points[1:] * steps).reshape(-1, 2)


@every_graph
def test_boxes_and_labels_lie_apart_and_inside_the_figure(graph: Graph) -> None:
    for axes in figure(graph).axes:
        for a, b in combinations(boxes(axes), 2):
            assert a.x1 < b.x0 or b.x1 < a.x0 or a.y1 < b.y0 or b.y1 < a.y0
        (left, right), (bottom, _) = axes.get_xlim(), axes.get_ylim()
        for box in boxes(axes):
            assert left <= box.x0 and box.x1 <= right
            assert box.y0 >= -1e-9 and box.y1 <= bottom + 1e-9


@every_graph
def test_texts_fit_their_boxes(graph: Graph) -> None:
    drawing = figure(graph)
    for axes in drawing.axes:
        unit = axes.transData.inverted()
        for label in axes.texts:
            extent = Bbox(unit.transform(label.get_window_extent()))
            (x0, x1), (y0, y1) = sorted(extent.intervalx), sorted(extent.intervaly)
            fits = [b.x0 < x0 and x1 < b.x1 and b.y0 < y0 and y1 < b.y1 for b in boxes(axes)]
            assert sum(fits) == (label.get_fontweight() != "bold"), label.get_text()


@every_graph
def test_edges_pass_through_no_box(graph: Graph) -> None:
    """A line touches the two boxes at its ends at most."""
    for axes in figure(graph).axes:
        for points in map(dense, lines(axes)):
            for box in boxes(axes):
                inner = box.padded(-0.02)
                assert not any(inner.contains(x, y) for x, y in points)


@every_graph
def test_every_edge_ends_at_one_arrow(graph: Graph) -> None:
    """As many arrows as edges between what is no label on an edge."""
    arrows = sum(isinstance(p, Polygon) for axes in figure(graph).axes for p in axes.patches)
    inner = "node" in nx.get_node_attributes(graph, "kind").values()
    on_edges = sum(inner and data.get("kind") == "op" for _, data in graph.nodes(data=True))
    assert arrows == graph.number_of_edges() - on_edges


def test_every_operation_is_written() -> None:
    words = texts(figure(darts()))
    for op in ("sep_conv_3x3", "max_pool_3x3", "skip_connect", "dil_conv_3x3"):
        assert words.count(op) == sum(name == op for name, _ in NORMAL + REDUCE)
    assert words.count("$c_{k-2}$") == 2
    assert {"normal", "reduction", "0", "1", "2", "3", "concat"} <= set(words)


def test_parallel_edges_are_all_visible() -> None:
    words = texts(figure(parallel()))
    assert words.count("conv_3x3") == 2 and words.count("max_pool_3x3") == 1


def test_cells_have_axes_each_and_a_heading() -> None:
    drawing = figure(darts(), title="DARTS")
    headings = [t.get_text() for a in drawing.axes for t in a.texts if t.get_fontweight() == "bold"]
    assert headings == ["normal", "reduction"]
    assert [t.get_text() for t in drawing.texts] == ["DARTS"]


def test_what_enters_from_another_cell_is_shown() -> None:
    graph: Graph = nx.DiGraph([("stem", "a"), ("a", "b")])
    for node, cell in (("stem", "stem"), ("a", "body"), ("b", "body")):
        graph.nodes[node].update(op=f"conv_{node}", cell=cell)
    assert texts(figure(graph)) == [
        "stem",
        "conv_stem",
        "body",
        "stem conv_stem",
        "conv_a",
        "conv_b",
    ]
    assert text(graph) == "stem:\n  conv_stem\n\nbody:\n  stem conv_stem -> conv_a -> conv_b"


def test_a_long_chain_is_folded_to_a_readable_width() -> None:
    width, height = figure(chain(40)).get_size_inches()
    assert width < 12
    assert height < width


def test_labels_that_look_like_formulas_or_markup_are_safe() -> None:
    graph: Graph = nx.DiGraph()
    graph.add_node(0, op="cost $x_ <b> \\frac{")
    figure(graph).canvas.draw()
    assert "".join(texts(figure(graph))).startswith("cost $x_")


def test_long_labels_are_broken_into_lines() -> None:
    graph: Graph = nx.DiGraph()
    graph.add_node(0, op="Conv2d(64, 128, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))")
    written = texts(figure(graph))
    assert len(written) > 1 and max(map(len, written)) <= 30


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("sep_conv_3x3", "conv"),
        ("Conv2d(3, 64)", "conv"),
        ("conv3x3-bn-relu", "conv"),
        ("gcn", "conv"),
        ("layer 1: gcn", "conv"),
        ("max_pool_3x3", "pool"),
        ("AvgPool2d", "pool"),
        ("skip_connect", "skip"),
        ("Identity", "skip"),
        ("none", "none"),
        ("gat_8", "attention"),
        ("ReLU", "norm"),
        ("Linear(3, 4)", "linear"),
        ("moe_top2", "mixture"),
        ("dropout", "other"),
    ],
)
def test_families(op: str, expected: str) -> None:
    assert family(op) == expected


def test_colours_follow_the_family_and_none_is_dotted() -> None:
    paths = [p for p in figure(nas_bench_201()).axes[0].patches if isinstance(p, PathPatch)]
    drawn = {to_hex(p.get_edgecolor()): p.get_linestyle() for p in paths}
    assert {COLOURS[name] for name in ("conv", "pool", "skip", "none")} <= set(drawn)
    assert drawn[COLOURS["none"]] != drawn[COLOURS["conv"]]
    assert tint("conv") != tint("pool") and tint("other") == "#ffffff"


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")]
)
def test_draw_writes_the_format_of_the_suffix(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = draw(parallel(), tmp_path / f"cell{suffix}", title="parallel", dpi=40)
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_same_graph_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first = draw(nas_bench_201(), tmp_path / f"a{suffix}", dpi=40)
    second = draw(nas_bench_201(), str(tmp_path / f"b{suffix}"), dpi=40)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["cell.jpg", "cell"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NasError, match=r"Allowed: \.png, \.svg, \.pdf"):
        draw(parallel(), tmp_path / name)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="nowhere' does not exist"):
        draw(parallel(), tmp_path / "nowhere" / "cell.png")


def test_a_failing_draw_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Figure, stream: IO[bytes], **_: object) -> None:
        stream.write(b"half")
        raise OSError(28, "no space left")

    path = tmp_path / "cell.png"
    path.write_text("old")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(NasError, match="no space"):
        draw(parallel(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("function", [figure, text])
def test_graphs_that_are_none_are_refused(function: Callable[[Graph], object]) -> None:
    with pytest.raises(NasError, match="no nodes"):
        function(nx.DiGraph())
    with pytest.raises(NasError, match="cycle"):
        function(nx.DiGraph([(0, 1), (1, 0)]))


def test_text_of_cells() -> None:
    normal, reduction = text(darts()).split("\n\n")
    assert normal.splitlines() == [
        "normal:",
        "  node 0 = sep_conv_3x3(c_{k-2}) + sep_conv_3x3(c_{k-1})",
        "  node 1 = sep_conv_3x3(c_{k-2}) + sep_conv_3x3(c_{k-1})",
        "  node 2 = sep_conv_3x3(c_{k-1}) + skip_connect(c_{k-2})",
        "  node 3 = skip_connect(c_{k-2}) + dil_conv_3x3(node 0)",
        "  c_{k} = concat(node 0, node 1, node 2, node 3)",
    ]
    assert "  node 1 = skip_connect(node 0) + max_pool_3x3(c_{k-1})" in reduction


def test_text_of_an_unnamed_cell() -> None:
    assert text(nas_bench_201()).splitlines() == [
        "node 1 = nor_conv_3x3(input)",
        "node 2 = skip_connect(input) + none(node 1)",
        "output = avg_pool_3x3(input) + nor_conv_1x1(node 1) + none(node 2)",
    ]


def test_text_of_boxes_and_chains() -> None:
    graph: Graph = nx.DiGraph([("x", "a"), ("a", "b"), ("x", "b")])
    graph.nodes["x"].update(op="input", kind="input")
    graph.nodes["a"].update(op="conv_3x3")
    graph.nodes["b"].update(op="concat")
    assert text(graph) == "#1 = conv_3x3(input)\n#2 = concat(input, #1)"
    assert text(chain(3)) == "conv_3x3 -> batch_norm -> relu"


def test_a_state_with_a_label_is_named_by_it() -> None:
    graph = parallel()
    graph.nodes["0"]["label"] = "5"
    graph.nodes["in"]["label"] = "c_{k-1}"
    assert text(graph).startswith("node 5 = conv_3x3(c_{k-1})")
    assert {"5", "$c_{k-1}$"} <= set(texts(figure(graph)))


def test_states_without_numbers_are_numbered() -> None:
    graph: Graph = nx.DiGraph([("x", "first"), ("first", "second")])
    graph.add_nodes_from(["first", "second"], op="add", kind="node")
    graph.nodes["x"].update(op="input", kind="input")
    assert text(graph) == "node 0 = input\nnode 1 = node 0"

"""Networks of the graph spaces in every format; each has all operations of its space."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nas import registry
from nas.errors import NasError
from nas.export import export
from nas.export.graph_inputs import input_axes, on_tensors, random_graphs
from nas.search_spaces.graph.attention import ATTENTIONS
from nas.search_spaces.graph.cell_edges import edge_names
from nas.search_spaces.graph.edge_network import EdgeCell, EdgeNetwork
from nas.search_spaces.graph.edge_updates import AGGREGATIONS, RELATIONS
from nas.search_spaces.graph.macro import ACTIVATIONS, AGGREGATORS, MacroNetwork
from nas.search_spaces.graph.message_passing import AGGREGATIONS as JOINS
from nas.search_spaces.graph.message_passing import FILTERS
from nas.search_spaces.graph.micro import MicroNetwork
from nas.search_spaces.graph.mp import MPNetwork
from nas.search_spaces.graph.operations import LAYERS
from nas.search_spaces.graph.tree import TreeNetwork
from nas.task import TaskInfo
from nas.task.graph import Graph

OPERATIONS = [*LAYERS, "gat_2", "skip", "zero"]
SHAPES = {"features": 5, "classes": 3}
Config = dict[str, Any]


def macro(info: TaskInfo) -> Config:
    rows = zip(cycle(ATTENTIONS), cycle(AGGREGATORS), ACTIVATIONS, strict=False)
    return {"layers": [(*row, 2, 4) for row in rows]}


def micro(info: TaskInfo) -> Config:
    inputs, how = [0] * len(OPERATIONS), {"activation": "elu", "combined": "concat"}
    return {"inputs": inputs, "operations": OPERATIONS, **how, "cells": 1, "hidden": 4}


def tree(info: TaskInfo) -> Config:
    links = [0] * len(OPERATIONS)
    return {"links": links, "operations": OPERATIONS, "hidden": 4, "pool": "max"}


def mp(info: TaskInfo) -> Config:
    options = {"first": cycle(FILTERS), "second": cycle(JOINS), "third": cycle(FILTERS)}
    cell = {name: next(options[stage]) for name, stage, _, _ in edge_names(4)}
    return {"operations": [cell], "nodes": 4, "hidden": 4, "edge_features": info.edge_features}


def edge(info: TaskInfo) -> Config:
    options = {
        "node": cycle(["none", "identity", *AGGREGATIONS]),
        "edge": cycle(["identity", "none", *RELATIONS]),
    }
    places = EdgeCell(3, 4, 4, True).places()
    return {
        "updates": {name: next(options[kind]) for name, kind in places},
        "states": 3, "hidden": 4, "edge_hidden": 4, "cells": 1, "pool": "sum",
        "edge_features": info.edge_features, "graphs": info.kind == "graphs",
    }  # fmt: skip


CLASSES: dict[str, tuple[Callable[[TaskInfo], Config], type[nn.Module]]] = {
    "macro": (macro, MacroNetwork),
    "micro": (micro, MicroNetwork),
    "tree": (tree, TreeNetwork),
    "mp": (mp, MPNetwork),
    "edge": (edge, EdgeNetwork),
}
INFOS = {
    "nodes": TaskInfo((5,), 3, "nodes"),
    "graphs": TaskInfo((5,), 3, "graphs", edge_features=2),
}
NAMES = [f"{name}_{kind}" for name in CLASSES for kind in INFOS]


class Own(nn.Module):
    """A user's network, which looks at what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3)

    def forward(self, x: Any) -> Tensor:
        assert isinstance(x, Graph) and x.index is not None
        h = self.linear(x.features)
        h = torch.zeros_like(h).index_add(0, x.edges[1], h[x.edges[0]])
        return h[x.index][: len(x)]


@cache
def network(name: str) -> tuple[nn.Module, TaskInfo]:
    torch.manual_seed(0)
    if name == "own_nodes":
        return Own().eval(), INFOS["nodes"]
    key, _, kind = name.partition("_")
    make, network_class = CLASSES[key]
    config = SHAPES | make(INFOS[kind])
    net = network_class(**config)
    net.config = config  # type: ignore[assignment]
    return net.eval(), INFOS[kind]


def inputs_of(name: str) -> tuple[nn.Module, list[tuple[Tensor, ...]]]:
    """Return a network that takes tensors, and graphs of other sizes than those of the export."""
    net, info = network(name)
    taking, generator = on_tensors(net, info.kind), torch.Generator().manual_seed(7)
    return taking, random_graphs(taking, info, torch.float32, generator)


RUN = """
import importlib.util, json, sys
from pathlib import Path

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("nas", "test_graph_networks"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
import torch
from safetensors.torch import load_file

found = {}
for file in sorted(Path(sys.argv[1]).glob("*.py")):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network, data, worst = module.load(), load_file(file.with_suffix(".data")), 0.0
    for number in "012":
        inputs = {k[1:]: v for k, v in data.items() if k[0] == number and k[1:] != "y"}
        with torch.no_grad():
            worst = max(worst, (network(**inputs) - data[number + "y"]).abs().max().item())
    module.load(file.with_suffix(".weights.safetensors"))
    module.main()
    found[file.stem] = [worst, "nas" in sys.modules]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    for name in [*NAMES, "own_nodes"]:
        net, info = network(name)
        export(net, info, "python", folder / f"{name}.py")
        export(net, info, "weights", folder / f"{name}.weights.safetensors")
        taking, graphs = inputs_of(name)
        data = {}
        for number, inputs in enumerate(graphs):
            names = input_axes(taking, len(inputs))
            data |= {f"{number}{key}": x for key, x in zip(names, inputs, strict=True)}
            data[f"{number}y"] = taking(*inputs).detach()
        save_file(data, folder / f"{name}.data")
    return folder


@pytest.fixture(scope="module")
def reports(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a fresh process, in which `nas` cannot be imported, makes of the files."""
    command = [sys.executable, "-I", "-c", RUN, str(folder)]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", [*NAMES, "own_nodes"])
def test_source_reproduces_the_network_without_this_package(
    reports: dict[str, Any], name: str
) -> None:
    deviation, imports_nas = reports[name]
    assert deviation < 1e-5 and not imports_nas


@pytest.mark.parametrize("name", NAMES)
def test_source_takes_tensors_and_sums_edge_by_edge(folder: Path, name: str) -> None:
    text = (folder / f"{name}.py").read_text()
    for word in ("import nas", "from nas", "sparse_csr", "autograd", "OneOf"):
        assert word not in text
    batch = " batch: Tensor," if name.endswith("graphs") else ""
    start = f"self, features: Tensor, edges: Tensor,{batch} edge_features: Tensor | None = None"
    assert start in text
    assert "features [nodes, 5], edges [2, edges]" in text


def test_features_of_edges_are_inputs_where_they_are_used(folder: Path) -> None:
    assert "edge_features [edges, 2]" in (folder / "mp_graphs.py").read_text()
    assert "edge_features [edges, 2]" not in (folder / "macro_graphs.py").read_text()


def test_sources_are_formatted(folder: Path) -> None:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    common = ["--isolated", "--line-length", "100", str(folder)]
    for command in (["format", "--diff"], ["check", "--no-cache", "--select", "E,F,I"]):
        done = subprocess.run(
            [ruff, *command, *common], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_weights_have_the_networks_names(folder: Path) -> None:
    state = load_file(folder / "tree_nodes.safetensors")
    assert state.keys() == network("tree_nodes")[0].state_dict().keys()


@pytest.mark.parametrize("name", ["macro_graphs", "tree_nodes", "mp_nodes", "edge_graphs"])
def test_program_runs_graphs_of_any_size(name: str, tmp_path: Path) -> None:
    net, info = network(name)
    path = export(net, info, "torch", tmp_path / "a.pt2")
    program = torch.export.load(path).module()
    taking, graphs = inputs_of(name)
    for inputs in graphs:
        torch.testing.assert_close(program(*inputs), taking(*inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["tree_nodes", "mp_graphs"])
def test_model_runs_graphs_of_any_size(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    runtime = pytest.importorskip("onnxruntime")
    if name == "mp_graphs" and torch.__version__.startswith("2.6."):
        pytest.skip("PyTorch 2.6 converts fewer operations to ONNX")
    net, info = network(name)
    path = export(net, info, "onnx", tmp_path / "a.onnx")
    assert capfd.readouterr().out == ""
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    taking, graphs = inputs_of(name)
    for inputs in graphs:
        names = input_axes(taking, len(inputs))
        given = {key: np.asarray(x) for key, x in zip(names, inputs, strict=True)}
        [y] = session.run(None, given)
        torch.testing.assert_close(torch.from_numpy(y), taking(*inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("space", ["gnn", "gnn-micro", "gnn-mp", "gnn-edges", "nas-bench-graph"])
def test_networks_of_every_graph_space(space: str, tmp_path: Path) -> None:
    found = registry.get("search_spaces", space).factory()
    [architecture] = found.sample(np.random.default_rng(0), 1)
    for kind, info in INFOS.items():
        net, path = found.build(architecture, info), tmp_path / f"{kind}.py"
        export(net, info, "python", path, space=found, architecture=architecture)
        assert f"Space {found.name}:" in path.read_text()


class Valued(nn.Module):
    def forward(self, graph: Any) -> Tensor:
        x: Tensor = graph.features
        return x if x.sum().item() > 0 else -x


def test_what_cannot_be_traced_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"torch\.export cannot trace the network: ."):
        export(Valued(), INFOS["nodes"], "torch", tmp_path / "a.pt2")
    with pytest.raises(
        NasError, match=r"not run on graphs with 4 features a node and 0 an edge: ."
    ):
        export(network("tree_nodes")[0], TaskInfo((4,), 3, "nodes"), "onnx", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())

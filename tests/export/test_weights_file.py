"""The weights as safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from nas import registry
from nas.export import export


def test_state_dict_and_notes(tmp_path: Path) -> None:
    space = registry.get("search_spaces", "darts").factory()
    architecture = space.catalogue()["DARTS_V2"]
    task = SimpleNamespace(input_shape=(3, 8, 8), outputs=5)
    net = space.build(architecture, task, channels=2, layers=1)
    path = tmp_path / "a.safetensors"
    export(net, (3, 8, 8), "weights", path, space=space, architecture=architecture)
    space.build(architecture, task, channels=2, layers=1).load_state_dict(load_file(path))
    assert all(torch.equal(load_file(path)[k], v) for k, v in net.state_dict().items())
    with safe_open(path, "pt") as file:
        notes = file.metadata()
    assert notes["space"] == "darts"
    assert space.parse(notes["architecture"]) == architecture
    config = json.loads(notes["config"])
    assert (config["channels"], config["classes"]) == (2, 5)
    assert config["genotype"]["normal_concat"] == [2, 3, 4, 5]


def test_a_network_without_weights(tmp_path: Path) -> None:
    assert load_file(export(nn.ReLU(), (4,), "weights", tmp_path / "a.safetensors")) == {}


def test_shared_and_strided_tensors(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    net[0].bias = nn.Parameter(torch.arange(8.0)[::2])
    path = export(net, (4,), "weights", tmp_path / "a.safetensors")
    state = load_file(path)
    assert torch.equal(state["0.weight"], state["1.weight"])
    assert state["0.bias"].tolist() == [0, 2, 4, 6]

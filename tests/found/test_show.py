"""What `nas show` tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nas
from nas.errors import NasError
from nas.found.show import describe, metrics_text, print_description
from nas.progress import Silent
from nas.search_spaces.darts import DARTS
from nas.search_spaces.nas_bench_201 import NASBench201

TEXT = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
SMALL = {"channels": 4, "layers": 3}


def test_a_published_architecture() -> None:
    d = describe("DARTS_V2", None, SMALL, None)
    assert (d["name"], d["space"]) == ("DARTS_V2", "darts")
    assert DARTS().parse(d["architecture"]) == DARTS().catalogue()["DARTS_V2"]
    assert d["input_shape"] == [3, 32, 32]
    assert (d["network"]["channels"], d["network"]["layers"]) == (4, 3)
    assert d["decisions"]["normal/2/inputs"] == [0, 1]
    assert "normal" in d["drawing"] and "skip_connect" in d["drawing"]
    assert d["parameters"] > 0 and d["flops"] > 0
    assert "metrics" not in d and "drawn" not in d
    json.dumps(d)


def test_sizes_are_those_of_the_paper_by_default() -> None:
    """NAS-Bench-201's own figure for this cell: 16 channels, 5 cells a stage, on CIFAR-10."""
    d = describe(TEXT, None, {}, None)
    assert d["network"] == NASBench201().network_defaults("paper")
    wider = describe(TEXT, "nas-bench-201", {"channels": 32}, None)
    assert 3.5 < wider["parameters"] / d["parameters"] < 4.1


def test_a_run_is_shown_with_its_shapes_and_what_it_measured(
    tmp_path: Path, tiny_npz: Path, no_report: None
) -> None:
    small = {"channels": 4, "cells": 1}
    run = nas.search(
        "nas-bench-201", "random", f"npz:{tiny_npz}", out=tmp_path / "run", evaluations=1,
        settings={"evaluator": {"epochs": 1}, "supernet": small, "network": small},
        progress=Silent(),
    )  # fmt: skip
    d = describe(str(run.folder), None, {}, None)
    assert d["input_shape"] == [3, 8, 8]
    assert d["network"] == small
    assert d["metrics"] == run.best.metrics
    text = print_description(d)
    assert f"accuracy {run.best.metrics['accuracy']:.4f}" in text
    wider = describe(str(run.folder), None, {"channels": 8}, None)
    assert wider["parameters"] > d["parameters"]


def test_a_drawing_is_made_where_a_file_is_named(tmp_path: Path) -> None:
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        file = tmp_path / f"cell{suffix}"
        d = describe(TEXT, None, {"channels": 4, "cells": 1}, file)
        assert file.read_bytes().startswith(start)
        assert d["drawn"] == str(file)
        assert f"drawn in {file}" in print_description(d)


def test_a_description_for_a_person() -> None:
    text = print_description(describe("DARTS_V2", None, SMALL, None))
    lines = text.splitlines()
    assert lines[0] == "DARTS_V2 (darts)"
    assert lines[2].startswith("Genotype(normal=[")
    assert "input 3x32x32" in text and "layers=3" in text
    assert "parameters" in text and "multiply-adds" in text


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        ("DARTS_V9", {}, "is no run folder"),
        ("DARTS_V2", {"layer": 3}, r"unknown setting of network 'layer'\. Did you mean 'layers'"),
        ("DARTS_V2", {"channels": "x"}, "channels='x': expected int"),
        ("DARTS_V2", {"channels": 0}, "channels=0"),
    ],
)
def test_mistakes(source: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(NasError, match=message):
        describe(source, None, settings, None)


def test_metrics_are_written_as_a_person_reads_them() -> None:
    metrics = {"accuracy": 0.83256, "params": 372346.0, "epochs": 4.0, "latency": 10.20692}
    assert metrics_text(metrics) == "accuracy 0.8326  params 372,346  epochs 4  latency 10.2069"
    odd = {"score": 1.0, "synflow": 500754084767.0255, "tiny": 1.5e-7, "zero": 0.0, "loss": -2500.5}
    assert metrics_text(odd) == (
        "score 1.0000  synflow 5.008e+11  tiny 1.5e-07  zero 0.0000  loss -2,500"
    )


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [("regnet_y_400mf", [3, 224, 224], 4_344_144), ("tabnas-criteo", [1027], 41_153)],
)
def test_published_sizes(name: str, shape: list[int], parameters: int) -> None:
    found = describe(name, None, {}, None)
    assert (found["input_shape"], found["parameters"]) == (shape, parameters)

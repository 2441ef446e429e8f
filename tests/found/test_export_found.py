"""`nas export`: from whatever names an architecture to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.errors import NasError
from nas.found.export import export_found

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"


def test_a_genotype_text_becomes_json(tmp_path: Path) -> None:
    result = export_found(CELL, "json", None, tmp_path / "a.json", None, None, {})
    data = json.loads((tmp_path / "a.json").read_text())
    assert result == {"file": str(tmp_path / "a.json")}
    assert data["space"] == "nas-bench-201" and data["text"] == CELL


def test_settings_decide_the_width_of_fresh_weights(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    file = tmp_path / "w.safetensors"
    settings = {"channels": 4, "cells": 1}
    result = export_found(CELL, "weights", None, file, None, None, settings)
    assert result["weights"] == "fresh"
    assert load_file(file)["stem.0.weight"].shape == (4, 3, 3, 3)


def test_data_decides_the_shapes(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    file = tmp_path / "w.safetensors"
    settings = {"channels": 4, "cells": 1}
    export_found(CELL, "weights", None, file, None, "digits", settings)
    assert load_file(file)["stem.0.weight"].shape == (4, 1, 3, 3)


def test_an_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"unknown export format 'onxx'. Did you mean 'onnx'\?"):
        export_found(CELL, "onxx", None, tmp_path / "x", None, None, {})


@pytest.mark.parametrize("weights", ["inherited", "trained"])
def test_an_architecture_without_a_run_has_fresh_weights_only(weights: str, tmp_path: Path) -> None:
    with pytest.raises(NasError, match=f"no {weights} weights"):
        export_found(CELL, "weights", None, tmp_path / "w.safetensors", weights, None, {})
    assert not (tmp_path / "w.safetensors").exists()

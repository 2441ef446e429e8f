"""`load_task` and `data_names`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from nas.data import data_names, load_task
from nas.errors import NasError


def test_names_have_one_line_descriptions() -> None:
    names = data_names()
    assert "scikit-learn" in names["digits"]
    assert all(text and "\n" not in text for text in names.values())


def test_listing_imports_no_heavy_library() -> None:
    code = (
        "import sys; from nas.data import data_names; data_names();"
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_seed_and_device_reach_the_task() -> None:
    task = load_task("digits", seed=3, device=torch.device("cpu"), limit=100, valid_fraction=0.2)
    assert (task.size("train"), task.size("valid"), task.origin["seed"]) == (80, 20, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limt": 3}, "unknown setting of data digits 'limt'. Did you mean 'limit'"),
        ({"image_size": 3}, "unknown setting of data digits 'image_size'"),
        ({"limit": "many"}, "data digits.limit='many'"),
        ({"valid_fraction": 2.0}, "digits: valid_fraction=2.0"),
        ({"device": "nonsense"}, "device 'nonsense'"),
        ({"label_smoothing": 1.0}, "digits: label_smoothing=1.0"),
        ({"auxiliary_weight": -1}, "digits: auxiliary_weight=-1"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message):
        load_task("digits", **settings)

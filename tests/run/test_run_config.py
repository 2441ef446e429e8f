"""The config of a run: what it records, and what is refused as other than it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_runs import CONFIG, SPACE, create

from nas.errors import NasError
from nas.run import load
from nas.task import TaskInfo


def test_a_new_run_records_settings_and_versions(tmp_path: Path) -> None:
    run = create(tmp_path / "runs" / "a")
    config = json.loads((run.folder / "config.json").read_text())
    assert {name: config[name] for name in CONFIG} == CONFIG
    assert {"nas", "python", "torch", "numpy", "optuna"} <= config["versions"].keys()
    assert config["created"]
    assert run.space is SPACE
    assert run.info == TaskInfo((3, 8, 8), 3)
    assert run.settings("supernet") == {"channels": 4}
    assert run.settings("nothing") == {}
    assert not run.finished


def test_the_same_settings_take_up_the_run(tmp_path: Path) -> None:
    first = create(tmp_path)
    again = create(tmp_path, device="cuda", settings={"strategy": {}, "supernet": {"channels": 4}})
    assert again.config == first.config  # of the first start, with its date and device


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 1}, "seed=0, not 1"),
        ({"strategy": "darts"}, "strategy='random', not 'darts'"),
        (
            {"settings": {"supernet": {"channels": 8}, "strategy": {}}},
            "supernet.channels=4, not 8",
        ),
        ({"settings": {"supernet": {}, "strategy": {}}}, "supernet.channels=4, not None"),
        ({"evaluations": 5}, "evaluations=None, not 5"),
    ],
)
def test_other_settings_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], difference: str
) -> None:
    create(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(NasError) as error:
        create(tmp_path, **changes)
    assert f"{tmp_path} holds a run with other settings ({difference})" in str(error.value)
    assert f"nas resume {tmp_path}" in str(error.value)
    assert (tmp_path / "config.json").read_bytes() == before


def test_data_that_changed_are_refused(tmp_path: Path) -> None:
    create(tmp_path, data="npz:x")
    changed = CONFIG["task"] | {"splits": {"sha256": "other"}}
    with pytest.raises(NasError, match="data 'npz:x' is not what it was"):
        create(tmp_path, data="npz:x", task=changed)


@pytest.mark.parametrize("name", ["space", "objective", "settings", "task"])
@pytest.mark.parametrize("value", [None, 3])
def test_a_config_that_lacks_something_is_named(tmp_path: Path, name: str, value: Any) -> None:
    create(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {name: value}
    if value is None:
        del config[name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(NasError, match=rf"config\.json is damaged: '{name}' is missing"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("before", "settings", "today", "left"),
    [
        (
            {"strategy": "evolution-pareto", "evaluator": "inherit"},
            {"strategy": {"population": 4}, "evaluator": {"epochs": 2}},
            {"strategy": "nsga-ii", "evaluator": "weight-inheritance"},
            {"strategy": {"population": 4}, "evaluator": {"epochs": 2}},
        ),
        (
            {"strategy": "nac", "evaluator": "predictor:mlp"},
            {
                "strategy": {"solver": "gates-only", "relaxation": "unit"},
                "evaluator": {"measured_by": "inherit"},
            },
            {"strategy": "nac", "evaluator": "predictor:mlp"},
            {
                "strategy": {"solver": "frozen-weights", "relaxation": "unit-norm"},
                "evaluator": {"measured_by": "weight-inheritance"},
            },
        ),
        (
            {"strategy": "bandit"},
            {"strategy": {"algorithm": "manas", "credit": "lsq", "eta": 0.1, "mixing": 0.1,
                          "level": 1, "explore": 0.75, "local": "ucb", "epsilon": 0.3, "ucb": 0.1}},
            {"strategy": "manas"},
            {"strategy": {"credit": "lsq", "eta": 0.1, "mixing": 0.1}},
        ),
    ],
)  # fmt: skip
def test_a_run_of_before_is_taken_up_by_names_of_today(
    tmp_path: Path,
    before: dict[str, Any],
    settings: dict[str, Any],
    today: dict[str, Any],
    left: dict[str, Any],
) -> None:
    create(tmp_path, **before, settings=settings)
    config = load(tmp_path).config
    assert {word: config[word] for word in today} == today
    assert config["settings"] == left
    assert create(tmp_path, **today, settings=left).config == config


def test_a_damaged_name_or_group_is_left_as_it_is(tmp_path: Path) -> None:
    create(tmp_path, strategy=3, evaluator="inherit", settings={"strategy": [], "evaluator": None})
    assert load(tmp_path).config["evaluator"] == "inherit"

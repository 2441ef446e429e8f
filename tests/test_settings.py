"""Settings from defaults, files and `key=value` texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nas.errors import NasError
from nas.settings import (
    convert,
    fill,
    parse_assignments,
    parse_value,
    read_config,
    setting,
)


@dataclass
class Settings:
    epochs: int = setting(10, "passes")
    rate: float = setting(0.1, "of SGD")
    name: str = setting("sgd", "of the optimizer")
    nesterov: bool = setting(False, "look ahead")
    clip: float | None = setting(None, "largest norm")
    betas: tuple[float, ...] = setting((0.9, 0.999), "of Adam")
    parts: tuple[str, ...] = setting((), "names")
    extra: dict[str, Any] = setting({}, "free")  # noqa: RUF009


# -- texts ------------------------------------------------------------------------------------


def test_assignments() -> None:
    groups = parse_assignments(
        [
            "epochs=3",
            " rate = 0.5 ",
            "supernet.channels=8",
            "supernet.edge_gates=true",
            "network.stem=cifar",
            "evaluator.text=a=b",
            "list=[1, 2]",
            "empty=",
            "none=null",
            ".dot=1",
        ]
    )
    assert groups == {
        "strategy": {
            "epochs": 3,
            "rate": 0.5,
            "list": [1, 2],
            "empty": "",
            "none": None,
            "dot": 1,
        },
        "supernet": {"channels": 8, "edge_gates": True},
        "network": {"stem": "cifar"},
        "evaluator": {"text": "a=b"},
    }


def test_the_last_assignment_wins() -> None:
    assert parse_assignments(["a=1", "a=2"], "train") == {"train": {"a": 2}}


def test_assignments_with_deep_values_stay_texts() -> None:
    assert parse_assignments(["a=" + "[" * 100_000])["strategy"]["a"].startswith("[[[")


@pytest.mark.parametrize("text", ["epochs", "", "=3", "  =3", "epochs:3"])
def test_what_is_not_an_assignment(text: str) -> None:
    with pytest.raises(NasError, match=r"--set .*: expected key=value, such as epochs=20"):
        parse_assignments([text])


# -- dataclasses ------------------------------------------------------------------------------


def test_defaults() -> None:
    assert fill(Settings, {}, "strategy") == Settings()
    assert Settings().extra is not Settings().extra


def test_fill_converts() -> None:
    values = {
        "epochs": 3,
        "rate": 1,
        "name": 5,
        "nesterov": True,
        "clip": 2,
        "betas": "0.5,0.25",
        "parts": ["a", "b"],
        "extra": {"x": 1},
    }
    made = fill(Settings, values, "strategy")
    assert made == Settings(3, 1.0, "5", True, 2.0, (0.5, 0.25), ("a", "b"), {"x": 1})
    assert type(made.rate) is float


@pytest.mark.parametrize("value", [None, "none"])
def test_none_where_it_is_allowed(value: Any) -> None:
    assert fill(Settings, {"clip": value}, "strategy").clip is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, (0.5,)), ("0.5", (0.5,)), ("", ()), ([], ()), ((1, 2), (1.0, 2.0))],
)
def test_tuples(value: Any, expected: tuple[float, ...]) -> None:
    assert fill(Settings, {"betas": value}, "strategy").betas == expected


def test_a_text_may_look_like_json() -> None:
    assert fill(Settings, {"name": parse_value('{"a": [1]}')}, "strategy").name == '{"a": [1]}'


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": "three"}, "strategy.epochs='three': expected int"),
        ({"epochs": 3.0}, "strategy.epochs=3.0: expected int"),
        ({"epochs": True}, "strategy.epochs=True: expected int"),
        ({"epochs": None}, "strategy.epochs=None: expected int"),
        ({"epochs": [1]}, r"strategy.epochs=\[1\]: expected int"),
        ({"rate": "fast"}, "strategy.rate='fast': expected float"),
        ({"rate": False}, "strategy.rate=False: expected float"),
        ({"nesterov": 1}, "strategy.nesterov=1: expected bool"),
        ({"nesterov": "yes"}, "strategy.nesterov='yes': expected bool"),
        ({"name": True}, "strategy.name=True: expected str"),
        ({"clip": "much"}, "strategy.clip='much': expected float or NoneType"),
        ({"betas": "a,b"}, "strategy.betas='a': expected float"),
        ({"extra": 3}, "strategy.extra=3: expected dict"),
    ],
)
def test_values_of_another_type(values: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=f"^{message}"):
        fill(Settings, values, "strategy")


def test_unknown_setting() -> None:
    message = r"unknown setting of strategy 'epoch'\. Did you mean 'epochs'\? Allowed: .*rate"
    with pytest.raises(NasError, match=message):
        fill(Settings, {"epoch": 3}, "strategy")


def test_convert_tells_where() -> None:
    with pytest.raises(NasError, match=r"network\.channels='x': expected int"):
        convert("x", int, "network.channels")


# -- files ------------------------------------------------------------------------------------


def test_read_json_and_toml(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"strategy": {"epochs": 3}}')
    (tmp_path / "a.toml").write_text("[strategy]\nepochs = 3\n")
    assert read_config(tmp_path / "a.json") == read_config(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "not valid JSON"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.json", b"[1, 2]", "expected a table of settings at the top"),
        ("a.toml", b"a = ", "not valid TOML"),
        ("a.toml", b"a = " + b"[" * 100_000, "not valid TOML"),
        ("a.json", b"\xff\xfe", "cannot be read"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NasError, match=f"config file .*{name}: .*{message}"):
        read_config(tmp_path / name)


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        with pytest.raises(NasError, match="cannot be read"):
            read_config(path)

"""Registration and look-up of data sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.data import source
from nas.data.source import DataSettings, Request, data_source, find_source, sources
from nas.errors import NasError


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test register without leaving traces."""
    monkeypatch.setattr(source, "_sources", dict(sources()))


def test_built_in_sources() -> None:
    expected = {"cifar10", "cifar100", "digits", "fashion-mnist", "folder", "mnist", "npz"}
    assert expected <= set(sources())


def test_a_registered_source_is_found_and_listed_in_order() -> None:
    @data_source("aaa", "a test", argument="FILE")
    def load(request: Request) -> None:
        raise NotImplementedError

    assert list(sources()) == sorted(sources()) and next(iter(sources())) == "aaa"
    found, argument = find_source("aaa:C:/data")
    assert (found.load, argument, found.usage) == (load, "C:/data", "aaa:FILE")


def test_a_name_of_another_file_is_refused() -> None:
    with pytest.raises(NasError, match=r"'digits' is registered twice: by nas\.data\.digits"):
        data_source("digits", "another")(lambda request: None)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digit", "unknown data 'digit'. Did you mean 'digits'"),
        ("", "unknown data ''"),
        ("digits:5", "digits takes no argument; expected digits"),
        ("npz", "npz needs an argument; expected npz:PATH"),
        ("npz:", "npz needs an argument"),
    ],
)
def test_wrong_specs_are_refused(spec: str, message: str) -> None:
    with pytest.raises(NasError, match=message):
        find_source(spec)


def test_a_request_knows_its_paths() -> None:
    request = Request("npz:~/x.npz", "~/x.npz")
    assert request.path == Path.home() / "x.npz"
    assert request.folder == Path.home() / ".cache/nas/data"
    assert Request("mnist", root="here").folder == Path("here")


def test_a_request_hands_its_settings_to_the_task() -> None:
    settings = DataSettings(valid_fraction=0.25, limit=8, label_smoothing=0.1, auxiliary_weight=0.2)
    request = Request("mine", settings=settings, seed=5)
    task = request.task([[0.0], [1.0]] * 10, [0, 1] * 10, scale="paper")
    assert (task.size("train"), task.size("valid")) == (6, 2)
    assert (task.name, task.scale, task.origin["seed"]) == ("mine", "paper", 5)
    assert (task.label_smoothing, task.auxiliary_weight) == (0.1, 0.2)

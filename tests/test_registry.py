"""Names: found in the package and in plug-ins, refused with the nearest match."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from nas import registry
from nas.errors import NasError
from nas.registry import KINDS, get, names, register

KIND = "search_spaces"


@dataclass
class Point:
    """An entry point that loads what it is told to."""

    name: str
    load: Callable[[], Any]
    value: str = "some.package:Thing"


def fails(error: Exception) -> Callable[[], Any]:
    def load() -> Any:
        raise error

    return load


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Discover again in every test, and forget what the test registered."""
    for kind in KINDS:
        names(kind)
    entries = {kind: dict(known) for kind, known in registry._entries.items()}
    monkeypatch.setattr(registry, "_entries", entries)
    monkeypatch.setattr(registry, "_discovered", set())
    yield


def plug_in(monkeypatch: pytest.MonkeyPatch, *points: Point, kind: str = KIND) -> None:
    def entry_points(group: str) -> list[Point]:
        return list(points) if group == f"nas.{kind}" else []

    monkeypatch.setattr(registry, "entry_points", entry_points)


def make_space() -> str:
    """A space of a plug-in.

    More about it.
    """
    return "space"


# -- what is built in -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_described(kind: str) -> None:
    found = names(kind)
    assert found and list(found) == sorted(found)
    for name, entry in found.items():
        assert entry.name == name == name.lower()
        assert callable(entry.factory)
        assert entry.summary and "\n" not in entry.summary


def test_spaces_bear_the_name_that_they_are_found_by() -> None:
    for name, entry in names(KIND).items():
        space = entry.factory()
        assert space.name == name
        assert space.description


def test_names_is_a_copy() -> None:
    names(KIND).clear()
    assert names(KIND)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (KIND, "dart", "unknown search space 'dart'. Did you mean 'darts'? Allowed: "),
        (KIND, "NAS-Bench-201", "Did you mean 'nas-bench-201'?"),
        ("strategies", "pcdarts", "unknown strategy 'pcdarts'. Did you mean 'pc-darts'?"),
        ("strategies.differentiable.relaxations", "soft", "unknown relaxation 'soft'"),
    ],
)
def test_unknown_name(kind: str, name: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        get(kind, name)
    assert message in str(error.value)


def test_nothing_is_like_it() -> None:
    with pytest.raises(NasError, match=r"^unknown search space 'xyz'\. Allowed: .*darts"):
        get(KIND, "xyz")


# -- registering ------------------------------------------------------------------------------


def test_register_returns_what_it_decorates() -> None:
    assert register(KIND, "mine", "of a test", "Me, 2026")(make_space) is make_space
    entry = get(KIND, "mine")
    assert (entry.factory, entry.summary, entry.paper) == (make_space, "of a test", "Me, 2026")


def test_one_name_for_two_things_is_an_error() -> None:
    with pytest.raises(NasError, match=r"search space 'darts' is registered twice: by .*darts and"):
        register(KIND, "darts", "another")(make_space)
    assert get(KIND, "darts").factory is not make_space


def test_a_module_may_be_imported_again() -> None:
    for _ in range(2):
        register(KIND, "mine", "of a test")(make_space)
    assert get(KIND, "mine").factory is make_space


# -- plug-ins ---------------------------------------------------------------------------------


def test_plug_in_gets_the_name_of_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, Point("theirs", lambda: make_space))
    entry = get(KIND, "theirs")
    assert entry.factory is make_space
    assert entry.summary == "A space of a plug-in."
    assert "theirs" not in names("strategies")


def test_plug_in_may_register_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> Any:
        return register(KIND, "own-name", "own summary")(make_space)

    plug_in(monkeypatch, Point("point", load))
    assert get(KIND, "own-name").summary == "own summary"
    assert "point" not in names(KIND)


def test_plug_in_may_be_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, Point("module", lambda: pytest))
    assert "module" not in names(KIND)


def test_plug_in_without_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, Point("quiet", lambda: lambda: "space"))
    assert get(KIND, "quiet").summary == "some.package:Thing"


def test_every_kind_takes_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "strategies.differentiable.regularisers"
    plug_in(monkeypatch, Point("theirs", lambda: make_space), kind=kind)
    assert get(kind, "theirs").factory is make_space


@pytest.mark.parametrize("error", [ImportError("no torch_geometric"), RuntimeError("boom")])
def test_broken_plug_in(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """It is named every time, not only the first."""
    plug_in(monkeypatch, Point("broken", fails(error)))
    for _ in range(2):
        message = rf"^plug-in search space 'broken' \(some\.package:Thing\): {error}$"
        with pytest.raises(NasError, match=message):
            names(KIND)


def test_plug_in_cannot_take_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, Point("darts", lambda: make_space))
    with pytest.raises(NasError, match="search space 'darts' is registered twice"):
        names(KIND)

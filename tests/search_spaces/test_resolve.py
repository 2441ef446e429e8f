"""From what a user wrote to a search space."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import Tensor, nn

from nas import registry
from nas.errors import NasError
from nas.mutables import OneOf
from nas.registry import import_object
from nas.search_spaces.darts import DARTS
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.resolve import name_of, resolve_space, space_options, with_options

SOURCE = """
from torch import nn
from nas import ModuleSpace, OneOf

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="act")

    def forward(self, x):
        return self.act(x)

def make():
    return Net()

space = ModuleSpace(Net, name="called")
number = 3
registered = "darts"
_hidden = 1
"""


class Local(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = OneOf([nn.ReLU(), nn.Tanh()], label="act")

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(SOURCE)
    return tmp_path / "mine.py"


def test_a_name() -> None:
    assert isinstance(resolve_space("darts"), DARTS)


def test_a_space_or_its_class() -> None:
    space = DARTS()
    assert resolve_space(space) is space
    assert isinstance(resolve_space(DARTS), DARTS)


def test_a_module_class_or_a_function() -> None:
    for thing in (Local, lambda: Local()):
        assert resolve_space(thing).cardinalities == (2,)


@pytest.mark.parametrize(
    ("name", "expected"), [("Net", "Net"), ("make", "make"), ("space", "called")]
)
def test_a_file(file: Path, name: str, expected: str) -> None:
    space = resolve_space(f"{file}:{name}")
    assert isinstance(space, ModuleSpace)
    assert (space.name, space.decisions[0].options) == (expected, ("relu", "tanh"))


def test_a_file_that_names_another_space(file: Path) -> None:
    assert isinstance(resolve_space(f"{file}:registered"), DARTS)


def test_a_package() -> None:
    assert resolve_space("nas.search_spaces.darts:DARTS").name == "darts"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drats", r"unknown search space 'drats'\. Did you mean 'darts'\?"),
        ("nowhere.py:Net", "no such file: nowhere.py"),
        ("no_such_package:Net", "module 'no_such_package' cannot be imported: No module named"),
        ("nas.search_spaces.darts:Dart", r"unknown name in nas\.search_spaces\.darts 'Dart'"),
        (":Net", "module '' cannot be imported"),
        (".relative:Net", "module '.relative' cannot be imported"),
        ("darts:", "unknown option of space 'darts' ''"),
    ],
)
def test_what_is_not_there(text: str, message: str) -> None:
    with pytest.raises(NasError, match=message):
        resolve_space(text)


def test_a_name_that_is_not_in_the_file(file: Path) -> None:
    with pytest.raises(NasError, match=r"unknown name in .*'net'\. Did you mean 'Net'\?") as error:
        resolve_space(f"{file}:net")
    assert "_hidden" not in str(error.value)


@pytest.mark.parametrize("thing", [3, None, [Local]])
def test_what_is_not_a_space(thing: object) -> None:
    with pytest.raises(NasError, match=r"not a search space: .*expected a name, a SearchSpace or"):
        resolve_space(thing)


def test_an_object_of_a_file_that_is_not_a_space(file: Path) -> None:
    with pytest.raises(NasError, match="not a search space: 3"):
        resolve_space(f"{file}:number")


@pytest.mark.parametrize(
    ("source", "message"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("def", "SyntaxError: ")],
)
def test_a_file_that_fails(tmp_path: Path, source: str, message: str) -> None:
    file = tmp_path / "broken.py"
    file.write_text(source)
    with pytest.raises(NasError, match=rf"broken\.py cannot be imported: {message}"):
        resolve_space(f"{file}:Net")
    assert "nas_user_broken" not in sys.modules


def test_a_package_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NasError, match="module 'broken_package' cannot be imported: division"):
        resolve_space("broken_package:Net")


def test_import_object_of_anything(file: Path) -> None:
    assert import_object(f"{file}:number") == 3


# -- back to a text ---------------------------------------------------------------------------


def test_name_of_a_text() -> None:
    assert name_of("darts", DARTS()) == "darts"
    assert name_of("package:Net", DARTS()) == "package:Net"


def test_name_of_a_file_is_absolute(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    reference = name_of("mine.py:Net", resolve_space("mine.py:Net"))
    assert reference == f"{file.resolve()}:Net"
    monkeypatch.chdir("/")
    assert resolve_space(reference).name == "Net"


def test_name_of_a_class_is_found_again() -> None:
    reference = name_of(Local, resolve_space(Local))
    assert resolve_space(reference).decisions == resolve_space(Local).decisions


def test_name_of_what_no_text_finds() -> None:
    space = resolve_space(lambda: Local())
    assert name_of(lambda: Local(), space) == space.name
    assert name_of(DARTS(), DARTS()) == "darts"


# -- options of registered spaces -------------------------------------------------------------


def _other(default: object) -> object:
    """Return another value of an option."""
    if isinstance(default, bool):
        return not default
    return default + 1 if isinstance(default, int) else default


@pytest.mark.parametrize("name", registry.names("search_spaces"))
def test_a_space_can_be_made_again_from_its_name(name: str) -> None:
    factory = registry.get("search_spaces", name).factory
    options = {option: _other(default) for option, default in space_options(factory).items()}
    space = factory(**options)
    again = resolve_space(space.name)
    assert (again.name, again.decisions) == (space.name, space.decisions)
    if options != space_options(factory):
        assert space.name != name


def test_options_may_be_given_as_settings() -> None:
    assert with_options("gnn", {}) == "gnn"
    space = resolve_space(with_options("gnn", {"layers": 3}))
    assert (space.name, len(space.decisions)) == ("gnn:layers=3", 15)
    assert resolve_space(with_options("gnn:layers=4", {"layers": 2})).name == "gnn"
    assert name_of("gnn:layers=2", resolve_space("gnn:layers=2")) == "gnn"
    with pytest.raises(NasError, match="your own"):
        with_options("mine.py:Net", {"layers": 3})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gnn:layer=3", "unknown option of space 'gnn' 'layer'. Did you mean 'layers'"),
        ("gnn:layers=many", "gnn:layers='many': expected int"),
        ("gnn:layers", "gnn:layers='': expected int"),
        ("gnn:layers=0", "at least 1"),
        ("darts:layers=8", "unknown option of space 'darts'"),
        ("gm:layers=2", "unknown search space 'gm'"),
    ],
)
def test_wrong_options_are_refused(text: str, message: str) -> None:
    with pytest.raises(NasError, match=message):
        resolve_space(text)

"""Where classes and functions come from."""

from __future__ import annotations

import collections
import collections.abc
import math
import sys
import typing
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.errors import NasError
from nas.export.source.origin import environment, import_of, is_own, plain_form, source_of
from nas.search_spaces.graph.written import written_as

LIMIT = 3


class Outer:
    @property
    def limit(self) -> int:
        return LIMIT


def test_what_is_copied() -> None:
    assert is_own("nas.mutables", "mine") and is_own("mine.parts", "mine") and is_own("b", "a")
    assert not is_own("torch.nn", "mine") and not is_own("math", "mine")
    assert not is_own("numpy.linalg", "mine") and is_own("numpy.linalg", "numpy.core")
    assert not is_own("torch.nn", "torch")


def test_source() -> None:
    text, line = source_of(Outer.limit.fget)  # type: ignore[attr-defined]
    assert text == "@property\ndef limit(self) -> int:\n    return LIMIT\n"
    assert Path(__file__).read_text().splitlines()[line - 1] == "    @property"


def slow() -> int:
    return LIMIT


@written_as(slow)
def fast() -> int:
    return 3


def test_plain_forms() -> None:
    assert plain_form(fast) is slow and plain_form(slow) is slow and plain_form(Outer) is Outer


def test_no_source() -> None:
    scope: dict[str, type] = {}
    exec("class Hidden: pass", {"__name__": "nowhere"}, scope)
    with pytest.raises(NasError, match=r"no source of 'nowhere\.Hidden'; define it in a file"):
        source_of(scope["Hidden"])
    assert dict(environment(scope["Hidden"])) == {"Hidden": scope["Hidden"]}


Made = collections.namedtuple("Made", "first second")


def test_named_tuples_without_source() -> None:
    assert source_of(Made)[0] == "class Made(NamedTuple):\n    first: object\n    second: object\n"
    assert environment(Made)["NamedTuple"] is typing.NamedTuple


def test_environment() -> None:
    inner = torch.zeros(1)

    class Local(Outer):
        def use(self) -> Tensor:
            return inner

    around = environment(Local)
    assert around["inner"] is inner and around["Outer"] is Outer and around["Local"] is Local
    assert around["LIMIT"] == 3
    assert "Exception" not in environment(type("E", (Exception,), {}))


@pytest.mark.parametrize(
    ("value", "wanted", "place"),
    [
        (nn.Conv2d, "Conv", ("torch.nn", "Conv2d")),
        (Tensor, "Tensor", ("torch", "Tensor")),
        (torch.relu, "relu", ("torch", "relu")),
        (F.relu, "relu", ("torch.nn.functional", "relu")),
        (F.gelu, "gelu", ("torch.nn.functional", "gelu")),
        (F.max_pool2d, "max_pool2d", ("torch.nn.functional", "max_pool2d")),
        (math.sqrt, "root", ("math", "sqrt")),
        (collections.abc.Callable, "Callable", ("collections.abc", "Callable")),
        (typing.Callable, "Callable", ("typing", "Callable")),
        (typing.Any, "Any", ("typing", "Any")),
        (typing.Optional, "Optional", ("typing", "Optional")),
        (ModuleType, "ModuleType", ("types", "ModuleType")),
        (typing.NamedTuple, "NamedTuple", ("typing", "NamedTuple")),
    ],
)
def test_imports(value: object, wanted: str, place: tuple[str, str]) -> None:
    assert import_of(value, wanted, "here") == place
    assert getattr(sys.modules[place[0]], place[1]) is value


def test_what_cannot_be_imported() -> None:
    def local() -> None: ...

    with pytest.raises(NasError, match=r"here refers to 'f', which '.*test_origin' does not give"):
        import_of(local, "f", "here")

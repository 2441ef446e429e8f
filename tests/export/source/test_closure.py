"""Definitions with all that they refer to."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from nas.errors import NasError
from nas.export.source.closure import Closure
from nas.export.source.order import Definition, ordered
from nas.export.source.symbols import Symbols

MODULES = {
    "parts": '''\
        from __future__ import annotations

        import functools
        from collections.abc import Callable
        from typing import NamedTuple
        import torch.nn.functional as fn
        from torch.nn import *

        LIMIT: int = 3
        TABLE = {"relu": fn.relu, "half": lambda x: x}
        unused = object()

        class Shape(NamedTuple):
            """Sizes."""
            sizes: list[int]
            kind: Unresolved
            other: Wide

        class Wide:
            pass

        def scale(x, by: Callable[[int], int] = None) -> "int":
            return x * LIMIT

        @functools.lru_cache(maxsize=None)
        def cached(n):
            return scale(n)

        def act(x):
            return TABLE["half"](x)

        def soft(x):
            return Softmax(-1)(x)

        def recursive(n, other: Recursive):
            return recursive(n - 1, None) if n else Recursive()

        class Recursive:
            def __init__(self):
                self.again = recursive
        ''',
    "user": """\
        import parts
        import torch
        import torch.nn as nn
        from nas.mutables import OneOf
        from parts import scale as rescale, Shape

        relu = torch.relu

        class Base(nn.Module):
            pass

        class Net(Base):
            '''Doc.'''

            # a comment
            sizes = [parts.LIMIT for _ in range(2)]

            def forward(self, x, shape: Shape = None, how: parts.Wide = None, op: OneOf = None):
                scale = 1  # not the one of `parts`
                return relu(rescale(x) + parts.cached(2)) + torch.nn.functional.relu(x) + scale

        def scale(x):
            return Net()(x)

        def uses_mutable():
            return OneOf

        def uses_module():
            return parts

        def uses_instance():
            return parts.unused
        """,
}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    module = import_module("user")
    yield module
    for name in MODULES:
        sys.modules.pop(name, None)


def written(*things: Any) -> tuple[str, list[Definition]]:
    closure = Closure(Symbols(), "user")
    for thing in things:
        closure.reference(thing, thing.__name__, "the test")
    definitions = ordered(closure.written())
    body = "\n\n".join(definition.text for definition in definitions)
    imports = closure.symbols.imports()
    return f"from __future__ import annotations\n{imports}\n\n{body}", definitions


def run(text: str, statement: str) -> str:
    command = [sys.executable, "-I", "-S", "-c", f"{text}\n{statement}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_dependency_order_names_and_imports(user: Any) -> None:
    text, definitions = written(user.Net, user.scale)
    names = [definition.name for definition in definitions]
    assert names == ["LIMIT", "scale", "cached", "rescale", "Base", "Net", "scale2"]
    for line in ("import functools", "import torch", "from torch import nn, relu"):
        assert f"\n{line}\n" in text
    assert "import parts" not in text and "lru_cache(maxsize=None)\ndef cached(n)" in text


def test_local_names_stay(user: Any) -> None:
    text, _ = written(user.Net)
    assert "scale = 1  # not the one of `parts`" in text
    assert "\nrescale = scale\n" in text
    assert "relu(rescale(x) + cached(2)) + torch.nn.functional.relu(x) + scale" in text
    assert "# a comment\n    sizes = [LIMIT for _ in range(2)]" in text


def test_annotations_pull_nothing_in(user: Any) -> None:
    text, definitions = written(user.Net)
    assert {d.name for d in definitions}.isdisjoint({"Shape", "Wide", "OneOf"})
    assert "shape: object = None, how: object = None, op: object = None" in text
    text, _ = written(sys.modules["parts"].Shape)
    assert "sizes: list[int]\n    kind: object\n    other: object" in text
    assert "from collections.abc import Callable" not in text
    assert "by: Callable[[int], int] = None" in written(sys.modules["parts"].scale)[0]


def test_what_is_written_runs_alone(user: Any) -> None:
    parts = sys.modules["parts"]
    text, _ = written(parts.cached, parts.recursive)
    assert run(text, "print(cached(2), type(recursive(2, None)).__name__)") == "6 Recursive"


def test_members_of_star_imports(user: Any) -> None:
    assert "from torch.nn import Softmax" in written(sys.modules["parts"].soft)[0]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("uses_mutable", r"'uses_mutable' \(user\) refers to OneOf, which is not part of a found"),
        ("uses_module", r"'uses_module' \(user\) uses the module 'parts' as a value"),
        ("uses_instance", r"'unused', which 'uses_instance' \(user\) uses, is a object"),
    ],
)
def test_what_cannot_be_copied(user: Any, name: str, problem: str) -> None:
    with pytest.raises(NasError, match=problem):
        written(getattr(user, name))


def test_lambdas(user: Any) -> None:
    with pytest.raises(NasError, match="refers to a lambda; give it a name with def"):
        written(sys.modules["parts"].act)


def test_another_text_for_a_class(user: Any) -> None:
    closure = Closure(Symbols(["Net"]), "user")
    closure.texts[user.Net] = "class Net(Base):\n    x = rescale\n"
    assert closure.reference(user.Net, "Net", "the test") == "Net2"
    texts = {definition.name: definition.text for definition in closure.written()}
    assert texts["Net2"] == "class Net2(Base):\n    x = scale\n"
    assert closure.loaded_attributes() == {"Module", "int"}


def test_a_fast_function_is_written_as_a_plain_one(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user.scale, "__written_as__", sys.modules["parts"].scale, raising=False)
    assert user.scale is not sys.modules["parts"].scale
    closure = Closure(Symbols(), "user")
    assert closure.reference(user.scale, "scale", "the test") == "scale"
    [definition] = [d for d in closure.written() if d.name == "scale"]
    assert definition.module == "parts"

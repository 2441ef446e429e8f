"""Values as expressions."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nas.errors import NasError
from nas.export.source.layout import flat
from nas.export.source.values import Values, quoted

Pair = namedtuple("Pair", ["first", "second"])


class Colour(Enum):
    RED = 1


@dataclass
class Settings:
    size: int
    names: tuple[str, ...] = ()
    total: int = field(init=False, default=0)


KNOWN = {"torch": torch, "nn": nn, "F": F, "partial": partial, "math": math}
KNOWN |= {"Pair": Pair, "Colour": Colour, "Settings": Settings, "plain": quoted}


def reference(value: object, wanted: str, where: str) -> str:
    del wanted, where
    return next(name for name, known in KNOWN.items() if known is value)


def written(value: object) -> str:
    return flat(Values(reference).node(value, "it"))


@pytest.mark.parametrize(
    "value",
    [
        *(1, -1, 1.5, 1e-300, True, None, ..., 2j, b"a\n", "a", 'say "a"', "it's", "\\\n", "é"),
        *((), (1,), [], [1, [2]], {}, {"a": (1, None), 2: {}}, set(), {1, 2}, frozenset({3})),
        *(range(3), float("inf"), Pair(1, [2]), Colour.RED, Settings(3, ("a",))),
        *(torch.float16, torch.channels_last, torch.device("cpu"), F.gelu, nn.ReLU, torch.relu),
        *(quoted, Settings, math),
    ],
)
def test_an_expression_gives_an_equal_value(value: Any) -> None:
    text = written(value)
    assert eval(text, dict(KNOWN)) == value  # the test's own texts
    assert '"' not in text or "'" not in text or isinstance(value, str)


def test_some_texts() -> None:
    assert written(F.relu) == "F.relu" and written(torch.relu) == "torch.relu"
    assert written(torch.Size([1, 2])) == "(1, 2)"
    assert written(float("nan")) == 'float("nan")'
    assert written(partial(F.leaky_relu, negative_slope=0.1)) == (
        "partial(F.leaky_relu, negative_slope=0.1)"
    )
    assert quoted("a") == '"a"' and quoted('"a"') == "'\"a\"'"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([1, torch.zeros(1)], "it is a Tensor, which has no literal form; register it as a buffer"),
        ({"a": nn.ReLU()}, "it is a ReLU, which has no literal form"),
        (Settings(object()), r"it\.size is a object"),  # type: ignore[arg-type]
        (iter([]), "it is a list_iterator"),
    ],
)
def test_what_has_no_expression(value: object, problem: str) -> None:
    with pytest.raises(NasError, match=f"export to python: {problem}"):
        written(value)


def test_modules_are_referred_to() -> None:
    assert isinstance(KNOWN["math"], ModuleType) and written(math) == "math"

"""The global names of a file."""

from __future__ import annotations

from nas.export.source.symbols import Symbols


def test_one_name_each() -> None:
    symbols = Symbols(["build"])
    assert symbols.claim("a", "pool") == "pool"
    assert symbols.claim("b", "pool") == "pool2"
    assert symbols.claim("c", "pool") == "pool3"
    assert symbols.claim("a", "other") == "pool"
    assert symbols.claim("d", "build") == "build2"


def test_imports() -> None:
    symbols = Symbols()
    assert symbols.module("torch.nn.functional", "F") == "F"
    assert symbols.module("torch.nn.functional", "functional") == "F"
    assert symbols.member("torchvision.functional", "F", "F") == "F2"
    symbols.module("torch", "torch")
    symbols.module("torch.nn", "nn")
    symbols.member("torch", "Tensor", "Tensor")
    symbols.module("numpy", "np")
    symbols.module("math", "math")
    symbols.member("typing", "NamedTuple", "NamedTuple")
    symbols.member("typing", "Any", "Any")
    symbols.member("typing", "TYPE_CHECKING", "TYPE_CHECKING")
    assert symbols.imports().split("\n") == [
        "import math",
        "from typing import TYPE_CHECKING, Any, NamedTuple",
        "",
        "import numpy as np",
        "import torch",
        "from torch import Tensor, nn",
        "from torch.nn import functional as F",
        "from torchvision.functional import F as F2",
    ]

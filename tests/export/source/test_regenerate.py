"""Networks written from the modules in them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.source.layout import flat
from nas.export.source.regenerate import regenerate
from nas.mutables import OneOf, Sum


class Leaf(nn.Module):
    """A leaf.

    Args:
        size: Left out.
    """

    def __init__(self, size: int, depth: int = 0) -> None:
        super().__init__()
        self.size = size
        self.ignored = object()
        self.scale = nn.Parameter(torch.ones(size), requires_grad=False)
        self.register_parameter("nothing", None)
        self.register_buffer("offset", torch.zeros(size, dtype=torch.int64), persistent=False)
        self.inner = Leaf(size, depth - 1) if depth else None

    def forward(self, x: Tensor) -> Tensor:
        if self.inner is not None:
            x = self.inner(x)
        return self.helped(x) * self.scale

    def helped(self, x: Tensor) -> Tensor:
        return x + self.size

    def not_needed(self) -> object:
        return self.ignored


class Layers(nn.ModuleList):
    def __init__(self) -> None:
        super().__init__([nn.Linear(2, 2), Leaf(2)])
        self.norm = nn.LayerNorm(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self[1](self[0](x)))  # type: ignore[no-any-return]


class Net(nn.Module):
    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.value: Any = None
        for name, attribute in attributes.items():
            setattr(self, name, attribute)

    def forward(self, x: Tensor) -> Any:
        return self.value


class Lookup(Net):
    def forward(self, x: Tensor) -> Any:
        return isinstance(self.value, OneOf)


def texts(network: nn.Module) -> dict[str, str]:
    return {d.name: d.text for d in regenerate(network).definitions}


def test_one_structure() -> None:
    program = regenerate(Leaf(3))
    assert flat(program.network) == "Leaf()" and not program.keeps_initialisation
    [leaf] = program.definitions
    assert leaf.text == (
        '''class Leaf(nn.Module):
    """A leaf."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 3
        self.inner = None
        self.scale = nn.Parameter(torch.zeros(3), requires_grad=False)
        self.register_parameter("nothing", None)
        self.register_buffer("offset", torch.zeros(3, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        if self.inner is not None:
            x = self.inner(x)
        return self.helped(x) * self.scale

    def helped(self, x: Tensor) -> Tensor:
        return x + self.size
'''
    )
    assert program.state.keys() == {"scale", "offset"}


def test_several_structures_of_a_class() -> None:
    net = nn.Sequential(Leaf(2), Leaf(3), Leaf(2), Leaf(2, depth=2))
    program = regenerate(net)
    assert flat(program.network) == "nn.Sequential(Leaf1(), Leaf2(), Leaf1(), Leaf4())"
    found = texts(net)
    assert found.keys() == {"Leaf", "Leaf1", "Leaf2", "Leaf3", "Leaf4"}
    assert "__init__" not in found["Leaf"] and "forward" not in found["Leaf1"]
    assert found["Leaf2"].startswith('class Leaf2(Leaf):\n    """`Leaf` as at 1."""\n')
    assert "self.inner = Leaf1()" in found["Leaf3"] and "self.inner = Leaf3()" in found["Leaf4"]


def test_containers_with_more_in_them() -> None:
    found = texts(Layers())
    assert "super().__init__([nn.Linear(2, 2), Leaf()])\n        self.norm = " in found["Layers"]


def test_names_that_are_no_identifiers() -> None:
    net = Net()
    net.add_module("class", nn.ReLU())
    assert 'self.add_module("class", nn.ReLU())' in texts(net)["Net"]


def test_modules_of_this_package() -> None:
    found = texts(Net(value=Sum({"a": nn.ReLU(), "b": nn.Tanh()})))
    assert found.keys() == {"Sum", "Net"}
    assert 'nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})' in found["Sum"]
    assert "Args" not in found["Sum"]


def with_hook() -> nn.Module:
    net = Net(value=nn.ReLU())
    net.value.register_forward_hook(lambda *_: None)
    return net


@pytest.mark.parametrize(
    ("net", "problem"),
    [
        (Net(value=[nn.ReLU()]), "attribute 'value' of 'Net' is a ReLU, which has no literal"),
        (Net(value=Net(value=iter([]))), "attribute 'value' of 'value' is a list_iterator"),
        (Net(value=torch.zeros(2)), "is a Tensor, .* register it as a buffer"),
        (Net(value=lambda x: x), "attribute 'value' of 'Net' refers to a lambda"),
        (Net(value=nn.ReLU(), forward=len), "the forward of 'Net' was replaced on the object"),
        (with_hook(), "'value' has forward hooks"),
        (Lookup(), "'Lookup' .* refers to OneOf"),
    ],
)
def test_what_cannot_be_expressed(net: nn.Module, problem: str) -> None:
    with pytest.raises(NasError, match=f"export to python: .*{problem}"):
        regenerate(net)


def test_attributes_that_nothing_uses_do_not_matter() -> None:
    net = Net(value=Leaf(2), size=object())
    assert "self.size" not in texts(net)["Net"] and "self.size = 2" in texts(net)["Leaf"]

"""Networks that say how they were built."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from torch import Tensor, nn

from nas.errors import NasError
from nas.export.source.by_config import by_config
from nas.export.source.layout import flat
from nas.mutables import OneOf


class Sizes(NamedTuple):
    inner: int
    outer: list[int]


class Configured(nn.Module):
    def __init__(self, sizes: Sizes, choose: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(sizes.inner, n) for n in sizes.outer))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


class Chosen(Configured):
    def choices(self) -> list[nn.Module]:
        return [module for module in self.modules() if isinstance(module, OneOf)]


def configured(kind: type[nn.Module], **changes: Any) -> nn.Module:
    config = {"sizes": Sizes(2, [2, 2]), "choose": True}
    net = kind(**config)
    net.config = {**config, **changes}
    return net


def test_the_class_is_called_with_the_configuration() -> None:
    program = by_config(configured(Configured))
    expected = "Configured(sizes=Sizes(inner=2, outer=[2, 2]), choose=True)"
    assert flat(program.network) == expected
    assert [d.name for d in program.definitions] == ["Sizes", "Configured"]
    assert program.definitions[1].text.startswith("class Configured(nn.Module):\n    def __init__")
    assert program.keeps_initialisation and not program.ties


@pytest.mark.parametrize(
    ("net", "problem"),
    [
        (nn.Linear(2, 2), "does not keep the arguments"),
        (configured(Configured, sizes=Sizes(2, [2])), "does not keep the arguments"),
        (configured(Configured, other=1), "does not keep the arguments"),
        (configured(Configured, choose=object()), r"config\['choose'\] is a object"),
        (configured(Chosen), r"'Chosen' .* refers to OneOf"),
    ],
)
def test_other_networks(net: nn.Module, problem: str) -> None:
    with pytest.raises(NasError, match=problem):
        by_config(net)


def test_a_layer_that_was_replaced() -> None:
    net = configured(Configured)
    net.layers[0] = nn.Identity()  # type: ignore[index, operator, union-attr]
    with pytest.raises(NasError, match="does not keep the arguments"):
        by_config(net)

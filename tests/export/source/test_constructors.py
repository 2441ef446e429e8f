"""Modules of torch.nn as calls."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from nas.elastic import ELASTIC
from nas.errors import NasError
from nas.export.source.closure import Closure
from nas.export.source.constructors import Constructors, torch_base
from nas.export.source.layout import Node, flat
from nas.export.source.program import file_symbols


class Normed(nn.GroupNorm):
    def __init__(self) -> None:
        super().__init__(2, 8)
        self.extra = nn.Parameter(torch.zeros(1))


class Named(nn.ModuleDict):
    pass


def constructors() -> Constructors:
    def child(module: nn.Module, path: str) -> Node:
        return made.call(module, path)

    made = Constructors(Closure(file_symbols(), __name__).values, child)
    return made


def call(module: nn.Module) -> str:
    return flat(constructors().call(module, "at"))


CASES: list[tuple[Any, str]] = [
    (nn.Conv2d(3, 8, (3, 3), padding=(1, 1), bias=False), "3, 8, 3, padding=1, bias=False"),
    (nn.Conv2d(4, 4, (1, 3), stride=2, groups=4), "4, 4, (1, 3), stride=2, groups=4"),
    (nn.Conv1d(4, 4, 3, padding="same", padding_mode="circular"), None),
    (nn.ConvTranspose2d(4, 2, 2, stride=2, output_padding=1), None),
    (nn.Linear(3, 4), "3, 4"),
    (nn.Linear(3, 4, dtype=torch.float16), "3, 4, dtype=torch.float16"),
    (nn.BatchNorm2d(4, affine=False), "4, affine=False"),
    (nn.BatchNorm2d(4, momentum=None, track_running_stats=False), None),
    (nn.LayerNorm((4, 4), bias=False), "(4, 4), bias=False"),
    (nn.MaxPool2d(3, 2, 1, ceil_mode=True), "3, stride=2, padding=1, ceil_mode=True"),
    (nn.AdaptiveAvgPool2d((None, 2)), "(None, 2)"),
    (nn.Dropout(0.5), ""),
    (nn.Identity(1, 2, key=3), ""),
    (nn.PReLU(3), "num_parameters=3"),
    (nn.Upsample(scale_factor=2, mode="nearest"), "scale_factor=2.0"),
    (nn.Embedding(9, 3, padding_idx=1), "9, 3, padding_idx=1"),
    (nn.LSTM(3, 4, 2, batch_first=True), "3, 4, num_layers=2, batch_first=True"),
    (nn.RNN(3, 4, nonlinearity="relu"), '3, 4, nonlinearity="relu"'),
    (nn.GRUCell(3, 4, bias=False), "3, 4, bias=False"),
    (nn.MultiheadAttention(4, 2, bias=False, add_bias_kv=True), None),
    (nn.TransformerEncoderLayer(4, 2, 8, activation="gelu"), None),
    (nn.TransformerDecoderLayer(4, 2, 8, norm_first=True), None),
    (
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(4, 2, 8), 2, nn.LayerNorm(4), enable_nested_tensor=False
        ),
        None,
    ),
    (nn.Sequential(), ""),
    (nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh())), "nn.ReLU(), nn.Sequential(nn.Tanh())"),
    (nn.ModuleList([nn.ReLU(), nn.Tanh()]), "[nn.ReLU(), nn.Tanh()]"),
    (nn.ModuleDict({"a b": nn.ReLU()}), '{"a b": nn.ReLU()}'),
    (nn.ParameterList([torch.zeros(2)]), "[nn.Parameter(torch.zeros(2))]"),
    (nn.ParameterDict({"a": torch.zeros(())}), '{"a": nn.Parameter(torch.zeros(()))}'),
]


@pytest.mark.parametrize(("module", "expected"), CASES, ids=lambda case: type(case).__name__)
def test_a_call_makes_the_same_module(module: nn.Module, expected: str | None) -> None:
    text = call(module)
    if expected is not None:
        assert text == f"nn.{type(module).__name__}({expected})"
    scope = {"nn": nn, "torch": torch, "F": nn.functional}
    made = eval(text, scope)  # the test's own texts
    assert repr(made) == repr(module)
    shapes = {name: (t.shape, t.dtype) for name, t in module.state_dict().items()}
    assert {name: (t.shape, t.dtype) for name, t in made.state_dict().items()} == shapes


def test_named_parts_of_a_sequential() -> None:
    module = nn.Sequential()
    module.add_module("first", nn.ReLU())
    assert call(module) == 'nn.Sequential(OrderedDict({"first": nn.ReLU()}))'


def test_modules_that_elastic_blocks_leave() -> None:
    kernel = ELASTIC["kernel_size"].extract(nn.Conv2d(4, 4, 5, padding=2), 3)
    assert call(kernel) == "nn.Conv2d(4, 4, 3, padding=1)"
    block = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 2, 1))
    width = ELASTIC["width"].extract(block, 4)
    assert call(width) == (
        "nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1))"
    )


def test_random_state_is_left_alone() -> None:
    module = nn.Linear(3, 4)
    state = torch.get_rng_state()
    call(module)
    assert torch.equal(torch.get_rng_state(), state)


def test_subclasses() -> None:
    assert torch_base(Normed) is nn.GroupNorm and torch_base(nn.ReLU) is nn.ReLU
    assert torch_base(type("Own", (nn.Module,), {})) is nn.Module
    made = constructors()
    assert [flat(node) for _, node in made.arguments(Normed(), "at")] == ["2", "8"]
    done = made.made_by_base(Normed())
    assert {"weight", "bias", "eps"} <= done and "extra" not in done
    assert made.made_by_base(Named({"a": nn.ReLU()})) == {"a"}
    assert made.made_by_base(type("Own", (nn.Module,), {})()) == frozenset()


def changed(module: Any, name: str, value: object) -> nn.Module:
    setattr(module, name, value)
    return module  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (changed(nn.Linear(2, 2), "extra", nn.Parameter(torch.zeros(1))), "its tensor 'extra' is"),
        (changed(nn.Linear(2, 2), "weight", nn.Parameter(torch.zeros(1, 2))), "tensor 'weight'"),
        (changed(nn.ELU(), "alpha", object()), "argument 'alpha' of 'at' is a object"),
        (parametrizations.weight_norm(nn.Linear(2, 2)), "'at' is a ParametrizedLinear of torch"),
    ],
)
def test_modules_that_no_call_makes(module: nn.Module, problem: str) -> None:
    with pytest.raises(NasError, match=f"export to python: .*{problem}"):
        call(module)

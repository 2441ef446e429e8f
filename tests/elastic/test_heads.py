"""Attention with some of its heads."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.elastic import ELASTIC
from nas.elastic.attention import HeadAttention
from nas.errors import NasError
from nas.export import export
from nas.mutables import Elastic, Mutable, OneOf, collapse
from nas.mutables.supernet import Supernet
from nas.search_spaces.module import ModuleSpace
from nas.task import TaskInfo

HEADS = ELASTIC["heads"]


def attention(**settings: Any) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    made = nn.MultiheadAttention(12, 4, **{"batch_first": True, **settings}).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 0.5)
    return made


def tokens(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_hand(module: nn.MultiheadAttention, heads: int, x: Tensor) -> Tensor:
    """The heads one by one: each adds its part of the output."""
    q, k, v = nn.functional.linear(x, module.in_proj_weight, module.in_proj_bias).chunk(3, -1)
    total = module.out_proj.bias.expand_as(x)
    for h in range(heads):
        at = slice(3 * h, 3 * h + 3)
        weights = (q[..., at] @ k[..., at].transpose(-2, -1) / 3**0.5).softmax(-1)
        total = total + weights @ v[..., at] @ module.out_proj.weight[:, at].t()
    return total


@pytest.mark.parametrize("heads", [1, 3, 4])
@pytest.mark.parametrize("need_weights", [True, False])
def test_the_first_heads_by_hand(heads: int, need_weights: bool) -> None:
    module, x = attention(), tokens(2, 5, 12)
    elastic = HEADS.prepared(module)
    output, weights = HEADS.run(elastic, heads, x, x, x, need_weights=need_weights)
    assert torch.allclose(output, by_hand(module, heads, x))
    assert (weights is not None) == need_weights
    small = HEADS.extract(elastic, heads)
    assert type(small) is HeadAttention
    assert small.out.weight.shape == (12, 3 * heads)
    assert torch.allclose(small(x, x, x, need_weights=need_weights)[0], output, atol=1e-12)


@pytest.mark.parametrize(
    "settings", [{}, {"batch_first": False}, {"bias": False}, {"kdim": 5, "vdim": 7}]
)
@pytest.mark.parametrize("masks", [{}, {"attn_mask"}, {"key_padding_mask"}, {"each"}])
def test_all_heads_are_the_module(settings: dict[str, Any], masks: set[str]) -> None:
    module = attention(**settings)
    first = (lambda x: x) if module.batch_first else (lambda x: x.transpose(0, 1))
    query, key = first(tokens(3, 4, 12)), first(tokens(3, 6, module.kdim))
    value = first(tokens(3, 6, module.vdim))
    given: dict[str, Any] = {}
    if "attn_mask" in masks:
        given["attn_mask"] = torch.ones(4, 6, dtype=torch.bool).triu(3)
    if "each" in masks:
        given["attn_mask"] = tokens(12, 4, 6)
    if "key_padding_mask" in masks:
        given["key_padding_mask"] = torch.arange(6).expand(3, 6) >= 4
    for more in ({}, {"need_weights": False}, {"average_attn_weights": False}):
        mine = HEADS.run(HEADS.prepared(module), 4, query, key, value, **given, **more)
        theirs = module(query, key, value, **given, **more)
        for y, z in zip(mine, theirs, strict=True):
            assert (y is None and z is None) or torch.allclose(y, z, atol=1e-12)


def test_one_sequence_without_a_batch() -> None:
    module, x = attention(), tokens(5, 12)
    mask = tokens(4, 5, 5)
    mine = HEADS.run(HEADS.prepared(module), 4, x, x, x, attn_mask=mask)
    assert torch.allclose(mine[0], module(x, x, x, attn_mask=mask)[0], atol=1e-12)
    assert HEADS.run(HEADS.prepared(module), 2, x, x, x, attn_mask=mask)[0].shape == (5, 12)


def test_a_transformer_layer() -> None:
    """Also where PyTorch would run its fused path, which knows nothing of fewer heads."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 4, 16, batch_first=True).double().eval()
    elastic, x = Elastic(layer, label="h", heads=(1, 2, 4)), tokens(2, 5, 12)
    supernet = Supernet(elastic, lambda _: {})
    with torch.no_grad():
        assert torch.allclose(supernet(x, {"h": 2}), layer(x), atol=1e-10)
        assert not torch.allclose(supernet(x, {"h": 0}), layer(x))
        for option in range(3):
            small = collapse(copy.deepcopy(elastic), {"h": option})
            assert not any(isinstance(module, Mutable) for module in small.modules())
            assert torch.equal(small(x), supernet(x, {"h": option}))
        assert isinstance(layer.self_attn, nn.MultiheadAttention)  # what was given is left alone


def test_mixture_is_the_weighted_sum_of_outputs_and_attention() -> None:
    elastic, x = Elastic(attention(), label="h", heads=(1, 2, 4)), tokens(2, 5, 12)
    supernet = Supernet(elastic, lambda _: {}).eval()
    weights = torch.tensor([0.2, 0.0, 0.5], dtype=torch.float64, requires_grad=True)

    class Call(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = elastic

        def forward(self, x: Tensor, **named: Any) -> Any:
            return self.attention(x, x, x, **named)

    call = Call()
    supernet = Supernet(call, lambda _: {})
    with supernet.selected({"h": weights}):
        mixed = call(x)
        assert call(x, need_weights=False)[1] is None
        with pytest.raises(NasError, match="'h': a mixture of sizes gives tensors of different"):
            call(x, average_attn_weights=False)
    apart = []
    for option in (0, 2):
        with supernet.selected({"h": option}):
            apart.append(call(x))
    for y, one, three in zip(mixed, *apart, strict=True):
        assert torch.allclose(y, 0.2 * one + 0.5 * three)
    mixed[0].sum().backward()
    assert weights.grad is not None and weights.grad[0] != 0


def test_gradients_reach_the_heads_that_run() -> None:
    elastic, x = HEADS.prepared(attention()), tokens(2, 5, 12)
    HEADS.run(elastic, 2, x, x, x)[0].square().sum().backward()
    grads = {name: parameter.grad for name, parameter in elastic.named_parameters()}
    assert bool(grads["value.weight"][:6].all()) and not grads["value.weight"][6:].any()
    assert bool(grads["out.weight"][:, :6].all()) and not grads["out.weight"][:, 6:].any()


def test_export() -> None:
    small, x = HEADS.extract(HEADS.prepared(attention()), 3), tokens(2, 5, 12)
    program = torch.export.export(small, (x, x, x), {"need_weights": False})
    expected = small(x, x, x, need_weights=False)[0]
    assert torch.allclose(program.module()(x, x, x, need_weights=False)[0], expected)


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        whole = nn.MultiheadAttention(12, 4, batch_first=True)
        self.attention: nn.Module = Elastic(whole, label="h", heads=(1, 3))
        self.out = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.attention(x, x, x, need_weights=False)[0].mean(1))


def test_export_as_source_that_needs_nothing_of_nas(tmp_path: Path) -> None:
    network = collapse(Classifier(), {"h": 1}).eval()
    export(network, (5, 12), "python", tmp_path / "net.py")
    text = (tmp_path / "net.py").read_text()
    assert "class HeadAttention(nn.Module)" in text
    assert "import nas" not in text and "from nas" not in text


def test_choices_beside_the_attention() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.act = OneOf({"relu": nn.ReLU(), "tanh": nn.Tanh()}, label="act")

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.attention(x, x, x, need_weights=False)[0])

    space = ModuleSpace(
        lambda: nn.Sequential(Elastic(Block(), label="heads", heads=(1, 2))), name="block"
    )
    assert space.size == 4
    assert [decision.when for decision in space.decisions] == [(), ()]
    supernet, x = space.supernet(TaskInfo((3, 4), 4, "sequence")).double().eval(), tokens(2, 3, 4)
    for a in space.sample(np.random.default_rng(0), 6):
        assert torch.allclose(supernet(x, supernet.path(a)), supernet.extract(a)(x))


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.MultiheadAttention(4, 2), nn.MultiheadAttention(4, 2)


@pytest.mark.parametrize(
    ("module", "heads", "message"),
    [
        (nn.Linear(2, 2), (1, 2), "needs an nn.MultiheadAttention.*there are none in Linear"),
        (Two(), (1, 2), "a block that holds exactly one; there are 2 in Two"),
        (nn.MultiheadAttention(4, 2), (1, 3), "distinct sizes from 1 to 2 needed"),
        (nn.MultiheadAttention(4, 2, add_bias_kv=True), (1, 2), "add_bias_kv=True"),
        (nn.MultiheadAttention(4, 2, add_zero_attn=True), (1, 2), "add_zero_attn=True"),
    ],
)
def test_heads_refuses(module: nn.Module, heads: tuple[int, ...], message: str) -> None:
    with pytest.raises(NasError, match=message):
        Elastic(module, heads=heads)

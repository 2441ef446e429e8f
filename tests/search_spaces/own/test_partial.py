"""Partial channels in a user's module: what goes through candidates, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import Elastic, OneOf
from nas.search_spaces.cells.operations import PartialChannels
from nas.search_spaces.module import ModuleSpace
from nas.search_spaces.own.narrow import narrowed
from nas.space import Architecture
from nas.task import TaskInfo

TASK = TaskInfo((8, 6, 6), 8)


def conv(**settings: Any) -> nn.Conv2d:
    return nn.Conv2d(8, 8, 3, **{"padding": 1, **settings})


def space_of(*parts: Callable[[], nn.Module]) -> ModuleSpace:
    return ModuleSpace(lambda: nn.Sequential(*(part() for part in parts)), name="mine")


def choice(*candidates: nn.Module) -> OneOf:
    return OneOf({f"c{i}": module for i, module in enumerate(candidates)}, label="c")


def test_a_quarter_goes_through_the_rest_passes_all_are_shuffled() -> None:
    """PC-DARTS, eq. 2, by hand."""
    space = space_of(lambda: choice(conv(), nn.MaxPool2d(3, 1, 1)))
    supernet, x = space.supernet(TASK, partial_channels=4), torch.randn(2, 8, 6, 6)
    edge = supernet.network[0]
    assert isinstance(edge, PartialChannels)
    layer = edge.op.candidates["c0"]
    assert layer.weight.shape == (2, 2, 3, 3)
    y = supernet(x, {"c": torch.tensor([0.3, 0.7])})
    mixed = 0.3 * layer(x[:, :2]) + 0.7 * nn.functional.max_pool2d(x[:, :2], 3, 1, 1)
    joined = torch.cat([mixed, x[:, 2:]], 1)
    assert torch.allclose(y, joined[:, [0, 2, 4, 6, 1, 3, 5, 7]])
    plain = supernet.extract(Architecture("mine", (0,)))
    assert torch.equal(plain(x), supernet(x, {"c": 0}))


def test_max_pooling_passes_beside_candidates_that_halve_the_resolution() -> None:
    space = space_of(lambda: choice(conv(stride=2), nn.AvgPool2d(2, ceil_mode=True)))
    supernet = space.supernet(TASK, partial_channels=2)
    x = torch.randn(2, 8, 5, 5)
    y = supernet(x, {"c": 1})
    assert y.shape == (2, 8, 3, 3)
    assert torch.equal(y[:, 1::2], nn.functional.max_pool2d(x[:, 4:], 2, 2, ceil_mode=True))


def test_fresh_networks_have_all_channels() -> None:
    space = space_of(lambda: choice(conv(), nn.Identity()))
    assert space.build(Architecture("mine", (0,)), TASK)[0].weight.shape == (8, 8, 3, 3)


def test_the_supernet_keeps_less_for_gradients() -> None:
    """What partial channels are for."""

    def kept(k: int) -> int:
        space = space_of(lambda: choice(conv(), nn.Sequential(conv(), nn.ReLU(), conv())))
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        supernet = space.supernet(TASK, partial_channels=k)
        x = torch.randn(64, 8, 6, 6)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            y = supernet(x, {"c": torch.full((2,), 0.5, requires_grad=True)})
        sizes.pop(x.untyped_storage().data_ptr(), None)
        y.sum().backward()
        return sum(sizes.values())

    assert kept(4) < 0.5 * kept(1)


def test_looking_leaves_the_network_and_random_numbers_alone() -> None:
    norm = nn.BatchNorm2d(8)
    space = space_of(lambda: norm, lambda: nn.Dropout(0.5), lambda: choice(nn.ReLU(), nn.Tanh()))
    torch.manual_seed(0)
    supernet = space.supernet(TASK, partial_channels=4)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))
    assert all(module.training for module in supernet.modules())
    assert int(norm.num_batches_tracked) == 0


def test_a_choice_that_is_the_network() -> None:
    space = ModuleSpace(lambda: choice(conv(), nn.Identity()), name="mine")
    supernet = space.supernet(TASK, partial_channels=4)
    assert supernet(torch.randn(2, 8, 6, 6), {"c": 0}).shape == (2, 8, 6, 6)


def test_a_layer_in_two_choices_stays_one() -> None:
    layer = conv()
    space = space_of(
        lambda: OneOf([layer, nn.Identity()], "a"), lambda: OneOf([layer, nn.Identity()], "b")
    )
    network = space.supernet(TASK, partial_channels=4).network
    first, second = (network[i].op.candidates["0_Conv2d"] for i in range(2))
    assert first is second


class Hard(nn.Module):
    """Knows how many channels there are."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), 8, 6, 6)


class Mean(nn.Module):
    """Would be broadcast where it is added to others."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = conv()

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return y if y.shape[1] == 8 else y[:, :1]


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()
        self.c = choice(self.conv, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.conv(x))


def wide() -> nn.Module:
    return Elastic(nn.Sequential(conv(), conv()), label="w", width=(4, 8))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: nn.Sequential(Elastic(conv(), kernel_size=(1, 3))), "there is no OneOf"),
        (lambda: choice(nn.Conv2d(8, 16, 1), nn.Conv2d(8, 16, 1)), "'c': it makes 16 channels of"),
        (lambda: choice(conv(stride=3)), r"'c': it makes images of \(2, 2\) pixels from \(6, 6\)"),
        (lambda: nn.Sequential(nn.Flatten(), choice(nn.ReLU())), "'c': it does not turn one batch"),
        (lambda: choice(conv(groups=2)), "'c': 2 groups of channels cannot be divided by 4"),
        (lambda: choice(nn.ChannelShuffle(2), nn.LayerNorm(6)), "'c': it is not known.*LayerNorm"),
        (lambda: choice(nn.utils.parametrizations.weight_norm(conv())), "weights of a Param.*comp"),
        (lambda: choice(wide()), "'c': the sizes of an Elastic width inside would not fit"),
        (lambda: choice(Hard()), "made narrow it raised RuntimeError: shape"),
        (lambda: choice(Mean(), nn.Identity()), "'c': 'c0' keeps channels"),
        (lambda: Two(), "'c': a Conv2d in it is used outside of it, too"),
    ],
)
def test_what_is_refused(make: Callable[[], nn.Module], reason: str) -> None:
    with pytest.raises(NasError, match=f"'mine' has no partial channels: .*{reason}"):
        ModuleSpace(make, name="mine").supernet(TASK, partial_channels=4)
    with pytest.raises(NasError, match=r"take a strategy without them \(nas compat"):
        ModuleSpace(make, name="mine").supernet(TASK, partial_channels=4)


def test_channels_that_cannot_be_divided() -> None:
    with pytest.raises(NasError, match="'c': 8 channels cannot be divided by 3"):
        space_of(lambda: choice(conv())).supernet(TASK, partial_channels=3)


def test_a_module_that_does_not_run_is_said_to_be_that() -> None:
    space = space_of(lambda: choice(nn.ReLU()), lambda: nn.Linear(5, 5))
    with pytest.raises(NasError, match="the module cannot be run on an example of the data: Runt"):
        space.supernet(TASK, partial_channels=4)


@pytest.mark.parametrize("settings", [{}, {"groups": 8}, {"groups": 4}, {"bias": False}])
def test_narrow_layers_start_as_layers_of_their_size(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    large = nn.Conv2d(256, 256, 3, **{**settings, "groups": settings.get("groups", 1) * 4})
    small = narrowed(large, 4, {})
    fresh = nn.Conv2d(64, 64, 3, **settings)
    assert repr(small) == repr(fresh)
    assert small.weight.shape == fresh.weight.shape
    largest = float(fresh.weight.detach().abs().max())
    assert float(small.weight.detach().abs().max()) == pytest.approx(largest, rel=0.02)

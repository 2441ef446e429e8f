"""RegNets: published models against torchvision's, equal networks, populations."""

from __future__ import annotations

from math import prod
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import regnet as reference

from nas.errors import NasError
from nas.search_spaces.regnet import PUBLISHED, RegNetSpace
from nas.space import SearchSpace
from nas.task import TaskInfo
from nas.testing import SpaceContract

SPACE = RegNetSpace()
IMAGENET = TaskInfo((3, 224, 224), 1000)
IN_TORCHVISION = [name for name in PUBLISHED if hasattr(reference, name)]


class TestRegNet(SpaceContract):
    samples = 200
    networks = 1
    network_settings = SPACE.network_defaults("small")

    def make_space(self) -> SearchSpace:
        return RegNetSpace()


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# -- published facts ------------------------------------------------------------------------------


def test_stages_of_200mf() -> None:
    """METHODS: (36.44, 24, 2.49, 13) gives widths 24, 56, 152, 368 and depths 1, 1, 4, 7."""
    stages = SPACE.stages(SPACE.to_array([SPACE.catalogue()["regnet_x_200mf"]]))
    assert stages.widths.tolist() == [[24, 56, 152, 368]]
    assert stages.depths.tolist() == [[1, 1, 4, 7]]
    assert stages.groups.tolist() == [[8] * 4]


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_published_models_have_torchvisions_parameters(name: str) -> None:
    with mock.patch.object(reference, "_regnet", lambda params, *_, **__: params):
        params = getattr(reference, name)()
    with torch.device("meta"):
        mine = SPACE.build(SPACE.catalogue()[name], IMAGENET)
        theirs = reference.RegNet(params)
    shapes = [{n: p.shape for n, p in net.state_dict().items()} for net in (mine, theirs)]
    assert shapes[0] == shapes[1]


def test_parameters_of_y_400mf() -> None:
    with torch.device("meta"):
        network = SPACE.build(SPACE.catalogue()["regnet_y_400mf"], IMAGENET)
    assert parameters(network) == 4_344_144


@pytest.mark.parametrize("name", ["regnet_x_400mf", "regnet_y_400mf"])
def test_torchvisions_weights_give_torchvisions_outputs(name: str) -> None:
    torch.manual_seed(0)
    theirs = getattr(reference, name)().eval()
    mine = SPACE.build(SPACE.catalogue()[name], IMAGENET).eval()
    mine.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(mine(x), theirs(x), atol=1e-5)


def test_stages_are_torchvisions() -> None:
    choices = SPACE.sample_choices(np.random.default_rng(0), 200)
    stages = SPACE.stages(choices)
    for i, a in enumerate(SPACE.from_array(choices)):
        depth, w0, wa, wm, group = list(SPACE.options(a).values())[:5]
        theirs = reference.BlockParams.from_init_params(depth, w0, wa, wm, group)
        assert stages.widths[i].tolist() == theirs.widths, SPACE.format(a)
        assert stages.depths[i].tolist() == theirs.depths, SPACE.format(a)
        assert stages.groups[i].tolist() == theirs.group_widths, SPACE.format(a)


# -- valid and equal ------------------------------------------------------------------------------


def test_size_counts_the_valid() -> None:
    """The share of valid rows among uniform ones, whatever the seed, within four deviations."""
    rng, n = np.random.default_rng(0), 100_000
    rows = np.stack([rng.integers(0, c, n) for c in SPACE.cardinalities], axis=1)
    share = SPACE.size / prod(SPACE.cardinalities)
    assert abs(SPACE.feasible(rows).mean() - share) < 4 * (share * (1 - share) / n) ** 0.5


def test_a_quarter_of_all_combinations_is_valid() -> None:
    """As the documentation of the space says: 25.4 %."""
    assert round(100 * SPACE.size / prod(SPACE.cardinalities), 1) == 25.4


def test_other_numbers_of_stages_are_refused() -> None:
    text = "depth=12;w0=256;wa=8.0;wm=3.0;group_width=8;se=no"
    with pytest.raises(NasError, match=r"it has 1 stage\(s\); 4 are needed"):
        SPACE.parse(text)


def test_equal_networks_have_one_key_and_one_canonical_form() -> None:
    choices = SPACE.sample_choices(np.random.default_rng(1), 3000)
    stages = SPACE.stages(choices)
    columns = [stages.widths, stages.depths, stages.groups, choices[:, 5:]]
    networks = [tuple(row) for row in np.concatenate(columns, axis=1).tolist()]
    by_key: dict[int, set[tuple[int, ...]]] = {}
    for key, network in zip(SPACE.keys(choices).tolist(), networks, strict=True):
        by_key.setdefault(key, set()).add(network)
    assert all(len(same) == 1 for same in by_key.values())
    assert len(by_key) == len(set(networks))
    for a in SPACE.from_array(choices[:20]):
        b = SPACE.canonical(a)
        assert b.choices <= a.choices
        assert SPACE.keys(SPACE.to_array([a])) == SPACE.keys(SPACE.to_array([b]))


def test_neighbours_with_the_same_stages_share_a_canonical_form() -> None:
    a = SPACE.catalogue()["regnet_x_400mf"]
    alike = [b for b in SPACE.neighbors(a) if SPACE.graph(b).nodes == SPACE.graph(a).nodes]
    same = [b for b in alike if SPACE.keys(SPACE.to_array([b])) == SPACE.keys(SPACE.to_array([a]))]
    assert same and {SPACE.canonical(b) for b in same} == {SPACE.canonical(a)}


# -- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("divide", [2, 4, 8])
def test_channels_are_divided(divide: int) -> None:
    with torch.device("meta"):
        whole, part = (
            SPACE.build(SPACE.catalogue()["regnet_y_800mf"], IMAGENET, divide=n)
            for n in (1, divide)
        )
    assert part.config["widths"] == [w // divide for w in whole.config["widths"]]
    assert part.config["groups"] == [16 // divide] * 4


def test_the_stem_of_small_images_keeps_their_resolution() -> None:
    network = SPACE.build(
        SPACE.catalogue()["regnet_x_200mf"], TaskInfo((1, 16, 16), 10), stem="cifar", divide=8
    )
    assert network.trunk_output(network.stem(torch.zeros(1, 1, 16, 16))).shape[2:] == (2, 2)


def test_the_supernet_is_refused_with_the_reason() -> None:
    with pytest.raises(NasError, match="'regnet' has no supernet: its numbers move the borders"):
        SPACE.supernet(IMAGENET)


def test_wrong_settings_are_refused() -> None:
    a = SPACE.catalogue()["regnet_x_200mf"]
    with pytest.raises(NasError, match=r"network\.divide=3: expected 1, 2, 4 or 8"):
        SPACE.build(a, IMAGENET, divide=3)
    with pytest.raises(NasError, match=r"network\.stem"):
        SPACE.build(a, IMAGENET, stem="none")

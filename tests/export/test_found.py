"""What there is to export."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas import registry
from nas.errors import NasError
from nas.export.found import Found
from nas.mutables import OneOf
from nas.space import Architecture


def test_frozen_network_is_a_copy_in_evaluation_mode() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    frozen = Found(net, (2,)).frozen_network("torch")
    with torch.no_grad():
        net[0].weight.zero_()
    assert net.training and not frozen.training
    assert frozen[0].weight.abs().sum() > 0


def test_networks_that_are_none() -> None:
    with pytest.raises(NasError, match="export to torch needs a network"):
        Found(None, (2,)).frozen_network("torch")
    undecided = nn.Sequential(nn.ReLU(), OneOf([nn.ReLU()]))
    with pytest.raises(NasError, match=r"'1' is still undecided \(OneOf\)"):
        Found(undecided, (2,)).frozen_network("torch")
    net = nn.Linear(2, 2)
    net.cached = net.weight * 2
    with pytest.raises(NasError, match="cannot be copied"):
        Found(net, (2,)).frozen_network("torch")


def test_decided() -> None:
    space = registry.get("search_spaces", "darts").factory()
    with pytest.raises(NasError, match="export to json needs the search space and the arch"):
        Found(None, (), space, None).decided("json")
    with pytest.raises(NasError, match="belongs to space 'other'"):
        Found(None, (), space, Architecture("other", (0,))).decided("json")
    architecture = space.catalogue()["DARTS_V1"]
    assert Found(None, (), space, architecture).notation() == space.format(architecture)
    assert Found(None, (), space, None).notation() is None

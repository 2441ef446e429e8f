"""What there is to export."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas import registry
from nas.errors import NasError
from nas.export.request import Request
from nas.mutables import OneOf
from nas.space import Architecture


def test_frozen_network_is_a_copy_in_evaluation_mode() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    frozen = Request(net, (2,)).frozen_network("torch")
    with torch.no_grad():
        net[0].weight.zero_()
    assert net.training and not frozen.training
    assert frozen[0].weight.abs().sum() > 0


def test_networks_that_are_none() -> None:
    with pytest.raises(NasError, match="export to torch needs a network"):
        Request(None, (2,)).frozen_network("torch")
    undecided = nn.Sequential(nn.ReLU(), OneOf([nn.ReLU()]))
    with pytest.raises(NasError, match=r"'1' is still undecided \(OneOf\)"):
        Request(undecided, (2,)).frozen_network("torch")
    net = nn.Linear(2, 2)
    net.cached = net.weight * 2
    with pytest.raises(NasError, match="cannot be copied"):
        Request(net, (2,)).frozen_network("torch")


def test_decided() -> None:
    space = registry.get("search_spaces", "darts").factory()
    with pytest.raises(NasError, match="export to json needs the search space and the arch"):
        Request(None, (), space, None).decided("json")
    with pytest.raises(NasError, match="belongs to space 'other'"):
        Request(None, (), space, Architecture("other", (0,))).decided("json")
    architecture = space.catalogue()["DARTS_V1"]
    assert Request(None, (), space, architecture).notation() == space.format(architecture)
    assert Request(None, (), space, None).notation() is None

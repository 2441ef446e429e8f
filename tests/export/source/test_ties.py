"""What a network has in several places."""

from __future__ import annotations

import copy

import torch
from torch import nn

from nas.export.source.layout import flat
from nas.export.source.ties import ties


def shared() -> nn.Module:
    net = nn.Module()
    net.first = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    net.second = nn.Sequential(net.first, nn.ReLU(), net.first)
    net.third = nn.Linear(3, 3)
    net.third.weight = net.first[0].weight
    net.register_buffer("mean", net.first[1].running_mean)
    return net


def separate() -> nn.Module:
    """Return the same network with a copy in every place."""
    net = shared()
    for place in ("second.0", "second.2"):
        net.set_submodule(place, copy.deepcopy(net.first))
    net.third = nn.Linear(3, 3)
    net.mean = torch.zeros(3)
    return net


def test_statements_make_it_shared_again() -> None:
    statements = [flat(node) for node in ties(shared())]
    assert len(statements) == 4 and not list(ties(separate()))
    network = separate()
    for statement in statements:
        exec(statement, {"network": network})  # the test's own texts
    assert network.second[0] is network.first is network.second[2]
    assert network.third.weight is network.first[0].weight
    assert network.mean is network.first[1].running_mean
    assert [flat(node) for node in ties(network)] == statements

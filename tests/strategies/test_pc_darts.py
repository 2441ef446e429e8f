"""PC-DARTS: what its composition is for."""

from __future__ import annotations

from typing import Any

import torch

from nas.costs.measure import activation_bytes
from nas.search_spaces.resolve import resolve_space
from nas.strategies.pc_darts import pc_darts
from nas.task import TaskInfo


def activations(**options: Any) -> int:
    """Return what a forward pass of a supernet keeps for the backward pass, in bytes."""
    torch.manual_seed(0)
    info = TaskInfo((3, 16, 16), 10)
    supernet = resolve_space("darts").supernet(info, channels=8, layers=3, **options)
    weights = {
        name: torch.rand(len(gate.options)).softmax(0).requires_grad_()
        for name, gate in supernet.gates.items()
    }
    x = torch.randn(2, 3, 16, 16)
    return activation_bytes(lambda: supernet(x, weights), supernet.parameters())


def test_partial_channels_need_less_than_half_of_the_activation_memory() -> None:
    settings = pc_darts("paper")
    partial = activations(
        partial_channels=settings.partial_channels, edge_gates=settings.edge_gates
    )
    assert partial < activations() / 2

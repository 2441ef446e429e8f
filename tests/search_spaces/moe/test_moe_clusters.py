"""Experts pay where the task has parts: regression on eight clusters, each with its own map.

Eight experts of 8 hidden units against one block of 8: with one expert a token, as many active
multiply-adds but for the router's.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.search_spaces.moe import FeedForward, MoELayer

D, HIDDEN, CLUSTERS, STEPS = 8, 8, 8, 300


def error(network: nn.Module, seed: int) -> float:
    """Train with Adam on endless data; return the mean squared error over the variance.

    Args:
        network: Is trained.
        seed: Of the clusters and of the data.
    """
    generator = torch.Generator().manual_seed(seed)
    centres = 2 * torch.randn(CLUSTERS, D, generator=generator)
    maps = torch.randn(CLUSTERS, D, D, generator=generator) * D**-0.5

    def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        cluster = torch.randint(CLUSTERS, (n,), generator=generator)
        x = centres[cluster] + 0.5 * torch.randn(n, D, generator=generator)
        return x.unsqueeze(0), torch.einsum("nd,ndh->nh", x, maps[cluster]).unsqueeze(0)

    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        x, y = batch(128)
        optimizer.zero_grad()
        nn.functional.mse_loss(network(x), y).backward()
        optimizer.step()
        schedule.step()
    x, y = batch(2048)
    with torch.no_grad():
        return float((network.eval()(x) - y).pow(2).mean() / y.var())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_top_1_routing_beats_the_dense_block_of_equal_active_size(seed: int) -> None:
    torch.manual_seed(seed)
    dense = error(FeedForward(D, HIDDEN), seed)
    routed = error(MoELayer(D, HIDDEN, "top-k", CLUSTERS, 1, k=1, auxiliary=1e-2), seed)
    assert routed <= 0.6 * dense

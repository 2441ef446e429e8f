"""Experts pay where the task has parts: regression on eight clusters, each with its own map."""

from __future__ import annotations

import torch
from torch import nn

from nas.search_spaces.moe import FeedForward, MoELayer

D, CLUSTERS, STEPS = 8, 8, 200


def error(network: nn.Module) -> float:
    """Train with Adam on endless data; return the mean squared error over the variance."""
    generator = torch.Generator().manual_seed(1)
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


def test_top_1_routing_beats_the_dense_block_of_equal_active_size() -> None:
    torch.manual_seed(0)
    dense = error(FeedForward(D, 8))
    routed = error(MoELayer(D, 8, "top-k", CLUSTERS, 1, auxiliary=1e-2))
    assert routed <= 0.6 * dense

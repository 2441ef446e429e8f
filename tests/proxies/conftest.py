"""A small network, a batch and its loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Batch = tuple[Tensor, Tensor]


class Net(nn.Module):
    """Convolutions with batch norm, ReLU as a module, a function and in place; a dead branch."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 5, 3, stride=2)
        self.dropout = nn.Dropout(0.5)
        self.dead = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.first(x)))
        F.relu(self.dead(x))
        x = torch.relu(self.second(x))
        output: Tensor = self.head(self.dropout(x.mean((2, 3))))
        return output


@pytest.fixture
def network() -> nn.Module:
    """A fresh network, one of whose parts is frozen and one in evaluation mode."""
    torch.manual_seed(0)
    made = Net()
    made.head.bias.requires_grad_(False)
    made.dead.eval()
    return made


@pytest.fixture
def batch() -> Batch:
    """Six examples [6, 3, 8, 8] of three classes."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(6, 3, 8, 8, generator=generator), torch.arange(6) % 3

"""Programs of torch.export."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.errors import NasError
from nas.export import export


def test_program_runs_batches_of_any_size(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    space = registry.get("search_spaces", "nas-bench-201").factory()
    task = SimpleNamespace(input_shape=(3, 8, 8), outputs=10)
    [architecture] = space.sample(np.random.default_rng(1), 1)
    net = space.build(architecture, task, channels=4, cells=1, partial_channels=2)
    path = export(net, (3, 8, 8), "torch", tmp_path / "a.pt2")
    assert capfd.readouterr() == ("", "")
    program = torch.export.load(path).module()
    net.eval()
    for batch in (1, 2, 7):
        x = torch.randn(batch, 3, 8, 8)
        torch.testing.assert_close(program(x), net(x), rtol=1e-5, atol=1e-5)


class Untraceable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum().item() > 0 else -x


def test_what_cannot_be_traced(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"torch\.export cannot trace the network: ."):
        export(Untraceable(), (2,), "torch", tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())

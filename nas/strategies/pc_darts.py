"""PC-DARTS (Xu et al., ICLR 2020, arXiv:1907.05737)."""

from __future__ import annotations

from nas import registry
from nas.strategies.differentiable.settings import DifferentiableSettings


@registry.register(
    "strategies",
    "pc-darts",
    "DARTS on a part of the channels, with weights over edges",
    "Xu et al., PC-DARTS: Partial Channel Connections, ICLR 2020, arXiv:1907.05737",
    differs="At small scale weights train alone for the first 40 % of 20 epochs, and the gates' "
    "learning rate follows from the number of steps; `--scale paper` is the paper's.",
)
def pc_darts(scale: str) -> DifferentiableSettings:
    """Return the paper's settings (sec. 4.2): K = 4, gates frozen for 15 of 50 epochs."""
    return DifferentiableSettings(
        partial_channels=4,
        edge_gates=True,
        warm_up=0.3,
        batch_size=256,
        weight_lr=0.1,
        weight_lr_min=0.0,
        gate_lr=6e-4,
    ).at(scale)

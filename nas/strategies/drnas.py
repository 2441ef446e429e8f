"""DrNAS (Chen et al., ICLR 2021, arXiv:2006.10355)."""

from __future__ import annotations

from nas import registry
from nas.strategies.differentiable.settings import DifferentiableSettings


@registry.register(
    "strategies",
    "drnas",
    "DARTS with gate weights drawn from a learned Dirichlet distribution",
    "Chen et al., DrNAS: Dirichlet Neural Architecture Search, ICLR 2021, arXiv:2006.10355",
    differs="Without the progressive stages (partial channels widened, operations pruned) of the "
    "paper's large networks. At small scale weights train alone for the first 40 % of 20 "
    "epochs, and the gates' learning rate follows from the number of steps; `--scale paper` is "
    "the paper's.",
)
def drnas(scale: str) -> DifferentiableSettings:
    """Return the paper's settings for NAS-Bench-201 (sec. 5): Dirichlet samples and their anchor.

    Without the progressive stages (partial channels widened, operations pruned) that the paper
    adds for its large networks.
    """
    return DifferentiableSettings(
        relaxation="dirichlet",
        regularisers=("dirichlet-anchor",),
        regulariser_scale=1e-3,
        gate_weight_decay=0.0,
        epochs=100,
    ).at(scale)

"""GDAS (Dong & Yang, CVPR 2019, arXiv:1910.04465)."""

from __future__ import annotations

from nas import registry
from nas.strategies.differentiable.settings import DifferentiableSettings


@registry.register(
    "strategies",
    "gdas",
    "DARTS that samples and runs one operation an edge",
    "Dong & Yang, Searching for a Robust Architecture in Four GPU Hours, CVPR 2019, "
    "arXiv:1910.04465",
    differs="At small scale weights train alone for the first 40 % of 50 epochs, and the gates' "
    "learning rate follows from the number of steps; `--scale paper` is the paper's.",
)
def gdas(scale: str) -> DifferentiableSettings:
    """Return the paper's settings (sec. 4.2): one hard sample, temperature 10 to 0.1."""
    return DifferentiableSettings(
        relaxation="gumbel-hard",
        temperature_start=10.0,
        temperature_end=0.1,
        epochs=250,
    ).at(scale, epochs=50)

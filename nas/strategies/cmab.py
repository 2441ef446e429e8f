"""CMAB-NAS: nested Monte-Carlo search over combinatorial bandits.

Source: Huang et al., Neural Architecture Search via Combinatorial Multi-Armed Bandit, IJCNN 2021,
arXiv:2101.00336.
"""

from __future__ import annotations

from nas import registry
from nas.strategies.bandits.cmab import Cmab
from nas.strategies.bandits.settings import CMABSettings
from nas.strategies.bandits.strategy import BanditStrategy

__all__ = ["CMABNAS", "CMABSettings"]


@registry.register(
    "strategies",
    "cmab",
    "nested Monte-Carlo search whose playouts sample a combinatorial bandit (CMAB-NAS)",
    "Huang et al., Neural Architecture Search via Combinatorial Multi-Armed Bandit, IJCNN 2021, "
    "arXiv:2101.00336",
    differs="The reward is the rank among the results, where the paper has the accuracy on a "
    "supernet: `reward=score` with the evaluator `supernet`. Decisions of any space are "
    "searched, not only the edges of a cell.",
)
class CMABNAS(BanditStrategy):
    """See `Cmab`."""

    Settings = CMABSettings
    settings: CMABSettings

    def _bandits(self) -> Cmab:
        return Cmab(self.space, self.settings, self.rng)

"""MANAS: an agent a decision, which share one loss.

Source: Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, arXiv:1909.01051.
"""

from __future__ import annotations

from nas import registry
from nas.strategies.bandits.manas import Manas
from nas.strategies.bandits.settings import MANASSettings
from nas.strategies.bandits.strategy import BanditStrategy

__all__ = ["MANAS", "MANASSettings"]


@registry.register(
    "strategies",
    "manas",
    "an agent a decision, with credit by Exp3 or by least squares (MANAS)",
    "Carlucci et al., MANAS: Multi-Agent Neural Architecture Search, arXiv:1909.01051",
    differs="The loss is one less the rank among the results, and eta is for some hundred "
    "evaluations; `reward=score` with the evaluator `supernet` and `train_on=proposals` "
    "is the paper's setting.",
)
class MANAS(BanditStrategy):
    """See `Manas`."""

    Settings = MANASSettings
    settings: MANASSettings

    def _bandits(self) -> Manas:
        return Manas(self.space, self.settings, self.rng)

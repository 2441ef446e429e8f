"""Successive halving as a stopping rule: when candidates are compared, and which of them go on.

Source: Li et al., A System for Massively Parallel Hyperparameter Tuning (ASHA), MLSys 2020,
arXiv:1810.05934, Algorithm 2, for the rungs and who goes on. It is not ASHA: nothing is promoted
later, and nothing runs asynchronously.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Rungs"]


class Rungs:
    """Results of the candidates at r, r * eta, r * eta^2 ... epochs.

    A candidate is compared with those that reached a rung before it; it is not taken up again
    later, when more results would let it go on, as ASHA's promotions do.

    Args:
        eta: One in how many goes on, at least 2.
        first: Epochs to the first rung (r).
        epochs: Of a full training; rungs are below.
    """

    def __init__(self, eta: int, first: int, epochs: int) -> None:
        self.eta = eta
        self.results: dict[int, list[float]] = {}
        while first < epochs:
            self.results[first] = []
            first *= eta

    def goes_on(self, epoch: int, result: float) -> bool:
        """Tell whether a result is among the best 1/eta at its rung, itself included.

        The best there so far goes on in any case; equal results share the better place.

        Args:
            epoch: A rung.
            result: Larger is better.
        """
        others = self.results[epoch]
        better = sum(other > result for other in others)
        return better < max(1, (len(others) + 1) // self.eta)

    def add(self, epoch: int, result: float) -> None:
        """Remember a candidate's result at a rung."""
        self.results[epoch].append(result)

    def state_dict(self) -> dict[str, Any]:
        """Return the results as plain values."""
        return {str(epoch): list(results) for epoch, results in self.results.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.results = {int(epoch): list(results) for epoch, results in state.items()}

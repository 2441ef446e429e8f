"""The weights of the best epoch on the validation examples, kept while a training goes on.

Source: GCN (Kipf and Welling, ICLR 2017, arXiv:1609.02907, sec. 5.2) and GraphNAS
(arXiv:1904.09981): of all epochs the best one on the validation nodes.
"""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["BestEpoch"]


class BestEpoch:
    """The best record so far, with a copy of the weights that it was measured with.

    Args:
        network: Whose epochs are compared.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.state: dict[str, Any] | None = None
        """For a checkpoint: "record", and "network", the weights; None before the first epoch."""

    def compare(self, record: dict[str, float]) -> None:
        """Keep the weights if they are the best so far: the accuracy, or with equal ones the loss.

        Accuracies of few examples are often equal.
        """
        if self.state is None or _worth(record) > _worth(self.state["record"]):
            weights = self.network.state_dict().items()
            copies = {name: value.detach().clone() for name, value in weights}
            self.state = {"record": record, "network": copies}

    def take(self) -> dict[str, float]:
        """Put the best weights into the network; return their epoch and validation metrics."""
        if self.state is None:
            return {}
        self.network.load_state_dict(self.state["network"])
        record = self.state["record"]
        self.state = None  # it is in the network now
        return {name: record[name] for name in ("epoch", "valid_accuracy", "valid_loss")}


def _worth(record: dict[str, float]) -> tuple[float, float]:
    return record["valid_accuracy"], -record["valid_loss"]

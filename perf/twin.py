"""Give the reference what our supernet has: the same weights, statistics and gate logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nas.mutables.supernet import Supernet
from perf.reference import EDGES, NODES, PartialMixedOperation, ReferenceSupernet


def copy_weights(supernet: Supernet, reference: ReferenceSupernet) -> None:
    """Give a reference supernet the weights and batch norm statistics of one of `nas`.

    Args:
        supernet: Of the space `darts`, of the same channels, cells and partial channels.
        reference: Is changed.
    """
    network: Any = supernet.network
    reference.stem.load_state_dict(network.stem[0].state_dict())
    reference.classifier.load_state_dict(network.classifier.state_dict())
    cells: Any = zip(network.cells, reference.cells, strict=True)
    for ours, theirs in cells:
        theirs.prepare0.load_state_dict(ours.prepare0.state_dict())
        theirs.prepare1.load_state_dict(ours.prepare1.state_dict())
        for (target, source), edge in zip(EDGES, theirs.edges, strict=True):
            mixed = edge.mixed if isinstance(edge, PartialMixedOperation) else edge
            for name, operation in mixed.operations.items():
                operation.load_state_dict(ours.cell.edge_state(target, source, name))


def copy_logits(logits: Mapping[str, Tensor], reference: ReferenceSupernet) -> None:
    """Give a reference supernet the gate logits of a strategy, on their device.

    Args:
        logits: "normal/3<-0" -> [8], and with edge gates "normal/3" -> [3].
        reference: Is changed.
    """
    for kind in reference.alphas:
        edges = [logits[f"{kind}/{target}<-{source}"] for target, source in EDGES]
        reference.alphas[kind] = torch.stack(edges).detach().clone().requires_grad_()
        if reference.edge_gates:
            nodes = [logits[f"{kind}/{node}"] for node in range(2, 2 + NODES)]
            reference.betas[kind] = torch.cat(nodes).detach().clone().requires_grad_()

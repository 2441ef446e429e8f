"""What a supernet of graph networks holds for a training step, against its candidates one by one.

Bytes of parameters and of what autograd keeps from the forward to the backward pass: counted, not
measured, so that the figures are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.costs.measure import activation_bytes
from nas.data import load_task
from nas.search_spaces.gnn import GNN
from nas.space import Architecture
from nas.task.graph import Graph
from perf.report import Column, Report, mebibytes

COLUMNS = (
    Column("gnn, one layer", -30),
    Column("networks", 8),
    Column("MiB weights", 11),
    Column("activations", 11),
    Column("in all", 9),
    Column("of the sum", 10),
)


def memory_table(small: bool, report: Report) -> None:
    """Print what a supernet, one path of it, the largest candidate and all candidates take.

    Args:
        small: Whether to take a random graph of few nodes and few candidates.
        report: Where to print.
    """
    title = "Memory: a supernet of graph networks against its candidates"
    notes = (
        "The digits' graph. Candidates: one layer of the largest heads and hidden size with every "
        "attention, aggregation and activation; smaller sizes would come on top of their sum. The "
        "supernet has all of these and all sizes, and mixes them."
    )
    report.table("memory", title, COLUMNS, notes)
    with report.doing("memory"):
        rows = _measure(small)
    total = sum(rows["all candidates"][1:])
    for name, (networks, weights, activations) in rows.items():
        share = (weights + activations) / total
        figures = map(mebibytes, (weights, activations, weights + activations))
        record = {"what": name, "networks": networks, "weight_bytes": weights}
        record |= {"activation_bytes": activations, "of_the_sum": share}
        report.row([name, f"{networks:,}", *figures, f"{100 * share:.1f} %"], record)


def _measure(small: bool) -> dict[str, tuple[int, int, int]]:
    """Return numbers of networks, bytes of weights and bytes of activations by row."""
    space, task = GNN(layers=1), load_task("digits-graph")
    x, _ = next(iter(task.batches("train", task.size("train"))))
    x = _first_nodes(x, 40) if small else x
    torch.manual_seed(0)
    supernet = space.supernet(task.info, shrink=1)
    mixture = {
        name: torch.full((len(gate.options),), 1 / len(gate.options), requires_grad=True)
        for name, gate in supernet.gates.items()
    }
    some = candidates(space)[: 3 if small else None]
    path = supernet.path(some[0])
    graph = [value for value in vars(x).values() if isinstance(value, Tensor)]
    held = [*supernet.parameters(), *supernet.buffers(), *graph]
    single = []
    for architecture in some:
        network = space.build(architecture, task.info)
        kept = activation_bytes(lambda net=network: net(x), [*network.parameters(), *graph])
        single.append((_bytes(network.parameters()), kept))
    weights = _bytes(supernet.parameters())
    largest = max(single, key=sum)
    return {
        "supernet, all options mixed": (
            1,
            weights,
            activation_bytes(lambda: supernet(x, mixture), held),
        ),
        "supernet, one path": (1, weights, activation_bytes(lambda: supernet(x, path), held)),
        "largest candidate": (1, *largest),
        "all candidates": (len(single), sum(w for w, _ in single), sum(a for _, a in single)),
    }


def candidates(space: GNN) -> list[Architecture]:
    """Return the architectures of one layer at its largest sizes."""
    options = [
        [len(d.options) - 1] if d.ordered else range(len(d.options)) for d in space.decisions
    ]
    return space.from_array(np.array(list(product(*options)), np.int64))


def _first_nodes(x: Graph, count: int) -> Graph:
    edges = x.edges[:, (x.edges < count).all(0)]
    return replace(x, features=x.features[:count], edges=edges, index=torch.arange(count))


def _bytes(tensors: Iterable[Any]) -> int:
    return sum(tensor.nbytes for tensor in tensors)

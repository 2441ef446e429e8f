"""GradSign on the nodes of one graph; test_scores.py has the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nas.proxies.gradients import example_gradients
from nas.proxies.gradsign import gradsign
from nas.proxies.proxy import batch_statistics
from nas.search_spaces.gnn import GNN
from nas.search_spaces.gnn_mp import GNNMP
from nas.space import SearchSpace
from nas.task import TaskInfo

TASK = TaskInfo((5,), 3, "nodes")


@pytest.mark.parametrize("space", [GNN(), GNNMP(1)])
def test_nodes_of_a_graph_are_examples_with_one_forward_pass(space: SearchSpace) -> None:
    for a in space.sample(np.random.default_rng(0), 3):
        torch.manual_seed(0)
        network = space.build(a, TASK).double()
        graph: Any = TASK.example(12)
        graph, y = graph.double()[torch.tensor([3, 1, 7, 8])], torch.tensor([0, 2, 1, 1])
        with batch_statistics(network):
            each = list(example_gradients(network, graph, y, F.cross_entropy))
        passes: list[int] = []
        network.register_forward_hook(lambda *given, seen=passes: seen.append(len(given[2])))
        signs = [{name: g[0].sign() for name, g in gradients.items()} for gradients in each]
        expected = sum(float(sum(s[name] for s in signs).abs().sum()) for name in signs[0])
        assert gradsign(network, graph, y, F.cross_entropy) == pytest.approx(expected, abs=4)
        assert len(signs) == 4 and passes == [4]

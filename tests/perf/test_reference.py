"""The reference computes what our supernet computes."""

from __future__ import annotations

import pytest
import torch

from nas.search_spaces.darts import DARTS
from nas.task import TaskInfo
from perf.reference import ReferenceSupernet, shuffle
from perf.twin import copy_logits, copy_weights


@pytest.mark.parametrize(("partial_channels", "edge_gates"), [(1, False), (4, True)])
def test_outputs_equal_ours(partial_channels: int, edge_gates: bool) -> None:
    torch.manual_seed(0)
    kind = {"partial_channels": partial_channels, "edge_gates": edge_gates}
    ours = DARTS().supernet(TaskInfo((3, 8, 8), 5), channels=4, layers=3, **kind)
    reference = ReferenceSupernet(3, 5, channels=4, cells=3, **kind)
    logits = {name: torch.randn(len(gate.options)) for name, gate in ours.gates.items()}
    copy_weights(ours, reference)
    copy_logits(logits, reference)
    x = torch.randn(4, 3, 8, 8)
    expected = ours(x, {name: a.softmax(-1) for name, a in logits.items()})
    torch.testing.assert_close(reference(x), expected, rtol=1e-4, atol=1e-5)
    ours.eval()
    reference.eval()  # the running statistics agree as well
    expected = ours(x, {name: a.softmax(-1) for name, a in logits.items()})
    torch.testing.assert_close(reference(x), expected, rtol=1e-4, atol=1e-5)


def test_other_logits_give_other_outputs() -> None:
    torch.manual_seed(0)
    reference = ReferenceSupernet(3, 5, channels=4, cells=3, partial_channels=2)
    x = torch.randn(4, 3, 8, 8)
    before = reference(x)
    with torch.no_grad():
        reference.alphas["reduction"][0, 1] = 3.0
    assert not torch.allclose(reference(x), before, atol=1e-3)


def test_edges_of_a_node_weigh_one() -> None:
    reference = ReferenceSupernet(3, 5, channels=4, cells=3, edge_gates=True)
    reference.betas["normal"] = torch.randn(14)
    weights = reference.edge_weights("normal")
    assert weights is not None
    sums = [part.sum() for part in weights.split([2, 3, 4, 5])]
    assert torch.allclose(torch.stack(sums), torch.ones(4))


def test_gates_are_no_weights() -> None:
    plain = ReferenceSupernet(3, 5, channels=4, cells=3)
    gated = ReferenceSupernet(3, 5, channels=4, cells=3, edge_gates=True)
    assert [gate.shape for gate in gated.gates()] == [(14, 8), (14, 8), (14,), (14,)]
    assert len(plain.gates()) == 2
    gates = {id(gate) for gate in gated.gates()}
    assert not gates & {id(weight) for weight in gated.parameters()}


def test_shuffle_interleaves() -> None:
    x = torch.arange(6.0).view(1, 6, 1, 1)
    assert shuffle(x, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]

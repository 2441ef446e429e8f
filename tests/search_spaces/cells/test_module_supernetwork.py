"""The supernet of TransNAS-Bench-101's cells; that it is exact is in the space's contract."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas.mutables.supernet import Supernet
from nas.search_spaces.cells.module_supernetwork import (
    HalvingSuperCell,
    ModuleSupernetwork,
    RecomputedHalvingCell,
)
from nas.search_spaces.cells.supercell import SupercellOptions
from nas.search_spaces.cells.supernetworks import DenseSuperCell, RecomputedDenseCell
from nas.search_spaces.transnas_micro import OPERATIONS, TransNASMicro
from nas.task import TaskInfo

SPACE = TransNASMicro()
INFO = TaskInfo((3, 8, 8), 5)


def supernet(**options: object) -> Supernet:
    torch.manual_seed(0)
    return SPACE.supernet(INFO, channels=4, blocks=1, stem="cifar", **options)


def mixture(made: Supernet) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {name: torch.rand(len(g.options)).requires_grad_() for name, g in made.gates.items()}


def images() -> Tensor:
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_cells() -> None:
    for checkpoint, halving, dense in (
        (False, HalvingSuperCell, DenseSuperCell),
        (True, RecomputedHalvingCell, RecomputedDenseCell),
    ):
        network = ModuleSupernetwork(
            SupercellOptions(OPERATIONS), 3, 5, "41414", 4, 2, "cifar", checkpoint
        )
        kinds = [type(block) for block in network.blocks]
        assert kinds == [halving, dense, dense, dense, halving, dense, dense, dense, halving, dense]


def test_gates_are_shared_by_all_cells() -> None:
    assert supernet().gates.keys() == {d.name for d in SPACE.decisions}
    nodes = {"cell/1", "cell/2", "cell/3"}
    assert supernet(edge_gates=True).gates.keys() - {d.name for d in SPACE.decisions} == nodes


def test_a_mixture_is_the_weighted_sum_of_operations() -> None:
    made = supernet().eval()
    weights, x = mixture(made), images()
    stem = made.network.stem(x)
    cell = made.network.blocks[0]
    states = [stem]
    for target in (1, 2, 3):
        terms = [
            weights[f"cell/{target}<-{source}"][option]
            * cell.operation((target, source), option)(states[source])
            for source in range(target)
            for option in (1, 2, 3)
        ]
        states.append(sum(terms))
    found = []
    cell.register_forward_hook(lambda _, __, y: found.append(y))
    made(x, weights)
    assert torch.allclose(found[0], states[-1], atol=1e-5)


def test_weights_of_edges_count() -> None:
    made = supernet(edge_gates=True).eval()
    weights = mixture(made)
    ones = {name: torch.ones_like(w) if "<-" not in name else w for name, w in weights.items()}
    assert not torch.allclose(made(images(), weights), made(images(), ones))
    for source in range(3):
        weights["cell/3"].data[source] = 0.0
    zeros = [made(images(), weights), made(torch.zeros(3, 3, 8, 8), weights)]
    assert torch.allclose(zeros[0], zeros[1])


@pytest.mark.parametrize("what", [{"checkpoint": True}, {"execution": "plain"}])
def test_other_executions_compute_the_same(what: dict[str, object]) -> None:
    results = []
    for made in (supernet(), supernet(**what)):
        made.double().train()
        weights = {name: w.detach().double().requires_grad_() for name, w in mixture(made).items()}
        made(images().double(), weights).square().sum().backward()
        results.append(
            [*(w.grad for w in weights.values()), *(p.grad for p in made.parameters())]
            + [b for b in made.buffers() if b.is_floating_point()]
        )
    assert all(torch.allclose(a, b) for a, b in zip(*results, strict=True))

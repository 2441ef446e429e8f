"""Which slots of a bank run, and their parts of stacked tensors."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from nas.search_spaces.cells.slots import Slots

OF, EDGES, TARGETS = 6, 3, 3
CHOICES = [at for n in range(1, OF + 1) for at in combinations(range(OF), n)]


def parts(at: tuple[int, ...]) -> list[int]:
    """Return where two channels a slot are."""
    return [2 * slot + channel for slot in at for channel in (0, 1)]


def test_slots_go_by_source_then_operation_then_target() -> None:
    slots = Slots([0, 2, 5, 6], of=8, edges=4, targets=2)  # two states, two operations
    assert len(slots) == 4 and slots.at == (0, 2, 5, 6)
    assert slots.sources == [0, 0, 1, 1]
    assert slots.operations == [0, 1, 0, 1]
    assert slots.edges == [0, 0, 3, 2]


def test_all_slots() -> None:
    assert Slots(range(OF), OF, EDGES, TARGETS).all
    assert not any(Slots(at, OF, EDGES, TARGETS).all for at in CHOICES[:-1])


@pytest.mark.parametrize("shape", [(), (1, 3, 3)])
def test_take(shape: tuple[int, ...]) -> None:
    tensor = torch.arange(2 * OF).double().view(-1, *[1] * len(shape)).expand(-1, *shape)
    for at in CHOICES:
        taken = Slots(at, OF, EDGES, TARGETS).take(tensor)
        assert torch.equal(taken, tensor[parts(at)]), at


def test_take_of_one_number_a_slot() -> None:
    for at in CHOICES:
        counts = Slots(at, OF, EDGES, TARGETS).take(torch.arange(OF))
        assert counts.tolist() == list(at)


def test_slots_that_lie_next_to_each_other_are_a_view() -> None:
    for at in CHOICES:
        tensor = torch.zeros(2 * OF)
        adjacent = at == tuple(range(at[0], at[-1] + 1))
        Slots(at, OF, EDGES, TARGETS).take(tensor).fill_(1.0)
        assert bool(tensor.any()) == adjacent, at


def test_put_writes_what_take_gave() -> None:
    for at in CHOICES:
        slots, tensor = Slots(at, OF, EDGES, TARGETS), torch.arange(2.0 * OF)
        expected = tensor.clone()
        expected[parts(at)] += 100.0
        slots.put(tensor, slots.take(tensor).add_(100.0))
        assert torch.equal(tensor, expected), at


def test_put_of_one_number_a_slot() -> None:
    for at in CHOICES:
        slots, counts = Slots(at, OF, EDGES, TARGETS), torch.zeros(OF, dtype=torch.long)
        slots.put(counts, slots.take(counts).add_(1))
        assert counts.nonzero().flatten().tolist() == list(at)


def test_gradients_reach_the_slots_that_run() -> None:
    for at in CHOICES:
        weight = torch.ones(2 * OF, 3, requires_grad=True)
        taken = Slots(at, OF, EDGES, TARGETS).take(weight)
        [gradient] = torch.autograd.grad((taken * torch.arange(1.0, 4.0)).sum(), [weight])
        expected = torch.zeros(2 * OF, 3)
        expected[parts(at)] = torch.arange(1.0, 4.0)
        assert torch.equal(gradient, expected), at

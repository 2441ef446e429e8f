"""Every bank: a slot is the operation that it stands for, alone and together with others."""

from __future__ import annotations

import pytest
import torch
from made_banks import (
    EVERY_BANK,
    assert_close,
    choices,
    make_bank,
    one_after_the_other,
    randomise,
    slots_of,
    states,
    step,
    together,
)


@EVERY_BANK
@pytest.mark.parametrize(("training", "affine"), [(True, True), (True, False), (False, True)])
def test_together_as_one_after_the_other(
    names: tuple[str, ...], stride: int, affine: bool, training: bool, dense: bool
) -> None:
    [one, _], [other, _] = make_bank(names, stride, affine), make_bank(names, stride, affine)
    randomise(one)
    other.load_state_dict(one.state_dict())
    one.train(training)
    other.train(training)
    for i, at in enumerate(choices(one.slots)):
        for size in (6, 5, 2)[: 3 if i < 3 else 1]:
            case = (at, size)
            found = step(together, one, at, bool(i % 2), size)
            assert_close(found, step(one_after_the_other, other, at, bool(i % 2), size), case)


@EVERY_BANK
def test_a_slot_is_its_operation(names: tuple[str, ...], stride: int) -> None:
    bank, made = make_bank(names, stride)
    for slot, op in enumerate(made):
        state = bank.state(slot)
        assert {n: t.shape for n, t in state.items()} == {
            n: t.shape for n, t in op.state_dict().items()
        }
        assert all(torch.equal(state[n], t) for n, t in op.state_dict().items())
        [x, _] = states()
        torch.testing.assert_close(bank.plain(x, slot), op(x), rtol=1e-12, atol=1e-12)


@EVERY_BANK
def test_the_tensors_of_a_slot_are_views(names: tuple[str, ...], stride: int) -> None:
    bank, _ = make_bank(names, stride)
    with torch.no_grad():
        for slot in range(bank.slots):
            for tensor in bank.state(slot).values():
                tensor.fill_(slot + 1)
    for slot in range(bank.slots):
        assert all(bool((t == slot + 1).all()) for t in bank.state(slot).values())


@EVERY_BANK
def test_slots_that_do_not_run_stay_as_they_are(names: tuple[str, ...], stride: int) -> None:
    bank, _ = make_bank(names, stride)
    randomise(bank)
    before = [{n: t.clone() for n, t in bank.state(i).items()} for i in range(bank.slots)]
    for at in choices(bank.slots):
        together(bank, states(), slots_of(bank, at), None)
        after = [bank.state(i) for i in range(bank.slots)]
        for slot in range(bank.slots):
            moved = {n for n, t in after[slot].items() if not torch.equal(t, before[slot][n])}
            assert bool(moved) == (slot in at), (at, slot, moved)
        before = [{n: t.clone() for n, t in state.items()} for state in after]

"""Mutation and crossover of populations."""

from __future__ import annotations

import numpy as np
from grids import Grid
from small_spaces import everything, router

from nas.strategies.variation import crossed, mutated


def test_one_active_decision_changes_where_something_valid_is_near() -> None:
    space, rng = router(), np.random.default_rng(0)
    rows = np.repeat(everything(space), 20, axis=0)
    children = mutated(space, rows, rng)
    assert space.valid(children).all()
    same = (children == rows) | ~space.active(rows) | ~space.active(children)
    assert ((~same).sum(1) <= 1).all() and (children != rows).any(1).all()


def test_what_has_no_mutation_stays() -> None:
    space, rng = Grid(4, 2, even=True), np.random.default_rng(0)
    rows = space.sample_choices(rng, 8)
    assert (mutated(space, rows, rng) == rows).all()
    assert mutated(space, rows[:0], rng).shape == (0, 4)


def test_children_are_mixed_and_valid() -> None:
    space, rng = Grid(4, 2, even=True), np.random.default_rng(0)
    mothers, fathers = space.sample_choices(rng, 50), space.sample_choices(rng, 50)
    children = crossed(space, mothers, fathers, rng)
    assert space.valid(children).all()
    assert ((children == mothers) | (children == fathers)).all()
    assert (children != mothers).any() and (children != fathers).any()

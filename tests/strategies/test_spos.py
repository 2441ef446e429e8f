"""SPOS's evolutionary search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from grids import Grid, architecture, failed, goes_on_the_same, measured, run

from nas.errors import NasError
from nas.objective import Measurement, Objective
from nas.strategies.spos import SPOS, SPOSSettings

SMALL = {"population": 10, "select": 4, "mutations": 5, "crossovers": 5}


def make(space: Grid | None = None, seed: int = 0, **settings: Any) -> SPOS:
    return SPOS(space or Grid(8, 4), Objective(), seed, SPOSSettings(**SMALL | settings))


def test_by_default_it_is_the_authors() -> None:
    made = SPOSSettings()
    assert (made.population, made.select, made.mutations, made.crossovers) == (50, 10, 25, 25)
    assert made.chance == 0.1
    assert SPOSSettings(**SPOS.defaults(1000)) == made


def test_a_generation_is_mutants_and_then_crossings_of_the_best_of_all() -> None:
    strategy = make(Grid(20, 40), chance=0.2)
    first = run(strategy, 10)
    parents = sorted(first, key=lambda a: -sum(a.choices))[:4]
    second = strategy.ask(10)
    shares = [
        max(np.mean(np.equal(child.choices, parent.choices)) for parent in parents)
        for child in second[:5]
    ]
    assert np.mean(shares) == pytest.approx(0.8, abs=0.12)
    options = [set(column) for column in zip(*(a.choices for a in parents), strict=True)]
    for child in second[5:]:
        assert all(choice in some for choice, some in zip(child.choices, options, strict=True))


def test_the_best_are_kept_for_ever() -> None:
    strategy = make()
    best = architecture(3, 3, 3, 3, 3, 3, 3, 3)
    strategy.tell([(best, measured(best))])
    run(strategy, 60)
    assert tuple(strategy._elite()[0].tolist()) == best.choices


def test_what_cannot_be_bred_is_random() -> None:
    strategy = make(mutations=2, crossovers=2)
    run(strategy, 10)
    assert len(set(strategy.ask(10))) == 10
    same = make(population=6, select=1, mutations=0, crossovers=6)
    run(same, 6)
    assert len(set(same.ask(6))) == 6  # crossings of one parent are that parent


def test_nothing_is_proposed_twice() -> None:
    assert len(set(run(make(), 200))) == 200


def test_failures_are_no_parents() -> None:
    strategy = make()
    strategy.tell([(a, failed()) for a in strategy.ask(10)])
    assert not len(strategy._elite())
    assert len(set(strategy.ask(20))) == 20


def test_a_changed_score_is_heeded() -> None:
    strategy = make(select=1)
    asked = run(strategy, 10)
    best = max(asked, key=lambda a: sum(a.choices))
    strategy.tell([(best, Measurement({"accuracy": -1.0}))])
    assert tuple(strategy._elite()[0].tolist()) != best.choices


def test_it_finds_the_optimum_of_an_additive_function() -> None:
    assert max(sum(a.choices) for a in run(make(), 300)) >= 22


def test_a_space_is_exhausted_and_it_goes_on() -> None:
    assert len(set(run(make(Grid(2, 2)), 30))) == 4
    assert len(set(run(make(Grid(4, 2, even=True)), 40))) == 8


def test_state() -> None:
    first = make()
    run(first, 14)
    first.ask(2)
    goes_on_the_same(first, make(seed=9))


def test_settings_out_of_range() -> None:
    with pytest.raises(NasError, match=r"strategy\.chance=0.0: expected above 0, to 1"):
        SPOSSettings(chance=0.0)

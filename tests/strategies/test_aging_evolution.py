"""Ageing evolution as its authors ran it."""

from __future__ import annotations

import pytest
from grids import Grid, architecture, distance, goes_on_the_same, measured, run

from nas.errors import NasError
from nas.objective import Objective
from nas.strategies.aging_evolution import AgingEvolution, AgingEvolutionSettings


def make(population: int = 5, sample: int = 3, seed: int = 0) -> AgingEvolution:
    made = AgingEvolutionSettings(population, sample)
    return AgingEvolution(Grid(), Objective(), seed, made)


def test_the_numbers_are_the_papers_whatever_the_budget() -> None:
    settings = AgingEvolutionSettings()
    assert (settings.population, settings.sample) == (100, 25)
    assert AgingEvolution.defaults(30) == {}
    assert AgingEvolution.initial_evaluations(settings) == 100


def test_any_mutation_is_a_child_also_one_that_is_known() -> None:
    strategy = make(population=1, sample=1)
    parent = architecture(0, 0, 0, 0, 0, 0)
    strategy.tell([(parent, measured(parent))])
    children = strategy.ask(200)
    assert {distance(child, parent) for child in children} == {1}
    assert len(set(children)) == 18  # all neighbours, each some times


def test_the_oldest_dies() -> None:
    strategy = make()
    asked = run(strategy, 12)
    assert [a for a, _ in strategy.members] == asked[-5:]


def test_it_finds_what_is_better() -> None:
    asked = run(make(10, 5), 150)
    assert max(sum(a.choices) for a in asked[-20:]) >= 16


def test_state() -> None:
    first = make()
    run(first, 9)
    goes_on_the_same(first, make(seed=9))


def test_settings_out_of_range() -> None:
    with pytest.raises(NasError, match=r"strategy\.sample=0: expected at least 1"):
        AgingEvolutionSettings(sample=0)

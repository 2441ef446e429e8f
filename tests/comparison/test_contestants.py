"""Strategies that can take part in a comparison."""

from __future__ import annotations

import pytest

from nas.comparison.contestants import contestant, contestants, split_names, strategy_of
from nas.errors import NasError
from nas.objective import Objective
from nas.search_spaces.nas_bench_201 import NASBench201
from nas.strategies.evolution import RegularizedEvolution
from nas.strategies.random import RandomSearch


def test_a_strategy_with_its_settings() -> None:
    found = contestant("evolution", {"population": 7})
    assert found.settings.population == 7
    started = found.start(NASBench201(), Objective("-loss"), 3)
    assert started.objective.direction == "minimize" and started.settings.population == 7


def test_a_strategy_without_settings() -> None:
    assert contestant("random").choice.factory is RandomSearch
    with pytest.raises(NasError, match="unknown setting of random 'population'"):
        contestant("random", {"population": 7})


def test_differentiable_ones_are_refused_with_the_reason() -> None:
    with pytest.raises(NasError, match=r"'pc-darts' trains gates in a supernet.*evolution.*random"):
        contestant("pc-darts")


def test_unknown_names() -> None:
    with pytest.raises(NasError, match="Did you mean 'random'"):
        contestant("randon")
    with pytest.raises(NasError, match="unknown setting of evolution 'populaton'"):
        contestant("evolution", {"populaton": 7})


# -- the same strategy with other settings ------------------------------------------------------


def test_settings_stand_behind_the_name() -> None:
    found = contestant("evolution?population=50&tournament=4", {"population": 9, "mutations": 2})
    assert found.name == "evolution?population=50&tournament=4"
    settings = found.settings
    assert (settings.population, settings.tournament, settings.mutations) == (50, 4, 2)
    text = 'optuna:tpe?options={"n_startup_trials":3,"multivariate":true}'
    tpe = contestant(text)
    assert tpe.name == text and "n_startup_trials" in tpe.settings.options
    assert strategy_of(tpe.name) == "optuna:tpe" and strategy_of("random") == "random"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("evolution?populaton=50", "unknown setting of evolution 'populaton'. Did you mean"),
        ("evolution?population=many", "evolution.population='many': expected int"),
        ("evolution?population=0", "population=0: expected at least 1"),
        ("evolution?", "expected settings behind the '\\?'"),
        ("evolution?population", "'population' is no SETTING=VALUE"),
        ("evolution?population=1&population=2", "'population' stands there twice"),
        ("optuna:tpe?sampler=gp", "'sampler' stands there twice"),
        ("evolutoin?population=5", "Did you mean 'evolution'"),
        ("random?population=5", "unknown setting of random 'population'"),
    ],
)
def test_mistakes_behind_the_name(text: str, reason: str) -> None:
    with pytest.raises(NasError, match=reason):
        contestant(text)


def test_all_of_a_comparison() -> None:
    names = ["evolution", "evolution?population=50", "bandit?level=2"]
    found = contestants(names, {"evolution": {"tournament": 3}})
    assert [one.name for one in found] == [*names[:2], "cmab?level=2"]  # by today's name
    assert [one.settings.tournament for one in found[:2]] == [3, 3]
    assert [one.settings.population for one in found[:2]] == [20, 50]
    with pytest.raises(NasError, match=r"'evolution\?population=5' is named twice"):
        contestants(["evolution?population=5"] * 2, {})
    with pytest.raises(NasError, match="Did you mean 'evolution'"):
        contestants(names, {"evolutoin": {}})


def test_names_in_a_text() -> None:
    text = 'random, optuna:tpe?options={"a": [1, 2], "b": 3}&x=1,evolution?population=3,'
    assert split_names(text) == [
        "random", 'optuna:tpe?options={"a": [1, 2], "b": 3}&x=1', "evolution?population=3",
    ]  # fmt: skip
    assert split_names(" , ") == []


def test_defaults_follow_from_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        RegularizedEvolution, "defaults", classmethod(lambda cls, n: {"population": n // 5})
    )
    assert contestant("evolution", {}, 150).settings.population == 30
    assert contestant("evolution", {}).settings.population == 20
    assert contestant("evolution", {"population": 7}, 150).settings.population == 7
    assert contestant("evolution?population=8", {"population": 7}, 150).settings.population == 8

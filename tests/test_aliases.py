"""Names of before: they go on working, and nothing lists them."""

from __future__ import annotations

from typing import Any

import pytest

from nas import registry
from nas.aliases import ALIASES, current, first_name, recorded, renamed
from nas.catalog import list_evaluators, list_strategies
from nas.errors import NasError
from nas.evaluators import choose_evaluator
from nas.strategies import choose_strategy

PAIRS = [(kind, old, new) for kind, known in ALIASES.items() for old, new in known.items()]
BANDIT = {
    "algorithm": "cmab", "credit": "lsq", "eta": 0.1, "mixing": 0.1, "level": 2, "explore": 0.75,
    "local": "ucb", "epsilon": 0.3, "ucb": 0.1,
}  # fmt: skip
"""The settings of `bandit` as a run of before records them."""


@pytest.mark.parametrize(("kind", "old", "new"), PAIRS)
def test_an_old_name_is_found_and_not_listed(kind: str, old: str, new: str) -> None:
    assert registry.get(kind, old) is registry.get(kind, new)
    assert registry.resolve_entry(kind, old) == (registry.get(kind, new), {})
    assert old not in registry.names(kind) and new in registry.names(kind)
    assert current(kind, new) == new


def test_a_guess_is_a_name_of_today() -> None:
    with pytest.raises(NasError) as error:
        registry.get("strategies", "evolution-paretto")
    assert "evolution-pareto" not in str(error.value).partition("Did you mean")[2]
    with pytest.raises(NasError, match=r"strategy 'cmab:other': write cmab$"):
        registry.resolve_entry("strategies", "bandit:other")


def test_seeds_are_those_of_the_first_name() -> None:
    assert first_name("strategies", "nsga-ii") == "evolution-pareto"
    assert first_name("strategies", "cmab") == "bandit"
    assert first_name("strategies", "manas") == "bandit:manas"
    assert first_name("strategies", "optuna:tpe") == "optuna:tpe"


def test_lists_show_names_of_today() -> None:
    assert [entry["name"] for entry in list_strategies("bandit")] == ["cmab"]
    assert [entry["name"] for entry in list_strategies("bandit:manas")] == ["manas"]
    assert [entry["name"] for entry in list_evaluators("inherit")] == ["weight-inheritance"]


@pytest.mark.parametrize(
    ("text", "given", "name", "left"),
    [
        ("bandit", {}, "cmab", {}),
        ("bandit:manas", {"eta": 0.2}, "manas", {"eta": 0.2}),
        ("bandit", {"algorithm": "manas", "eta": 0.2, "level": 3}, "manas", {"eta": 0.2}),
        ("bandit:cmab", {"algorithm": "manas"}, "manas", {}),  # a setting goes before the name
        ("evolution-pareto", {"population": 4}, "nsga-ii", {"population": 4}),
        ("darts", {"solver": "one-level", "relaxation": "unit"}, "darts",
         {"solver": "single-level", "relaxation": "unit-norm"}),
        ("optuna:tpe", {"solver": 3}, "optuna:tpe", {"solver": 3}),
    ],
)  # fmt: skip
def test_settings_follow_the_name(
    text: str, given: dict[str, Any], name: str, left: dict[str, Any]
) -> None:
    assert renamed("strategies", text, given) == (name, left)


def test_what_was_chosen_bears_names_of_today() -> None:
    chosen = choose_strategy("bandit", {"algorithm": "manas", "credit": "exp3"})
    assert chosen.name == "manas" and chosen.settings("small", "classes").credit == "exp3"
    settings = choose_strategy("nac", {"solver": "gates-only"}).settings("small", "classes")
    assert (settings.solver, settings.relaxation) == ("frozen-weights", "unit-norm")
    judged = choose_evaluator("predictor:ridge", {"measured_by": "inherit"})
    assert judged.name == "predictor:ridge"
    assert judged.given == {"predictor": "ridge", "measured_by": "weight-inheritance"}
    assert choose_evaluator("inherit", {}).name == "weight-inheritance"


def test_a_name_of_today_takes_no_setting_of_before() -> None:
    with pytest.raises(NasError, match="algorithm"):
        choose_strategy("cmab", {"algorithm": "manas"}).settings("small", "classes")


def test_records_get_what_was_added_since() -> None:
    kept = {k: BANDIT[k] for k in ("level", "explore", "local", "epsilon", "ucb")}
    assert recorded("strategies", "bandit", BANDIT) == ("cmab", kept)
    assert recorded("strategies", "linas", {"batch": 5}) == (
        "linas", {"batch": 5, "predictor": "ridge-or-svr"},
    )  # fmt: skip
    assert recorded("strategies", "linas", {"predictor": "mlp"})[1] == {"predictor": "mlp"}

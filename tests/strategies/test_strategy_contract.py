"""The contract of strategies: every registered one on every space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite("nas.testing")

from every import BLACK_BOX, DIFFERENTIABLE, ENTRIES, SPACES  # noqa: E402

from nas.objective import Objective  # noqa: E402
from nas.settings import fill  # noqa: E402
from nas.space import SearchSpace  # noqa: E402
from nas.strategies.differentiable.settings import DifferentiableSettings  # noqa: E402
from nas.strategies.strategy import Strategy  # noqa: E402
from nas.testing import StrategyContract  # noqa: E402

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "aging-evolution": [{"population": 4, "sample": 2}],
    "agnn": [{"initial": 2, "batch_size": 2, "hidden": 16}],
    "bananas": [{"initial": 4, "batch": 3, "candidates": 12}],
    "bo-wl": [{"initial": 4, "pool": 20}],
    "evolution": [{"population": 4, "tournament": 2}],
    "nsga-ii": [{"population": 4}],
    "lanas": [{"initial": 4, "refit": 3, "draws": 20, "mutants": 10}],
    "linas": [{"batch": 5, "population": 5, "predictions": 20, "predictor": "ridge"}],
    "local-search": [{"starts": 2}],
    "optuna": [{"sampler": "tpe"}],
    "rl": [
        {"algorithm": "reinforce", "hidden": 16, "feasibility_samples": 16},
        {"algorithm": "ppo", "hidden": 16, "feasibility_samples": 16, "epochs": 2},
    ],
    "spos": [{"population": 4, "select": 2, "mutations": 2, "crossovers": 2}],
}
"""Settings with which a strategy learns early, where its defaults do not, and is fast."""


CORE = ("nas-bench-201", "nas-bench-101", "module", "constrained", "four")
"""The spaces on which the default run tests every strategy; of the others a share."""
SHARE = 4
DEAR = {("optuna", "moe")}
"""Left to the slow run: a proposal asks Optuna for 32 numbers, and many are rejected, as on others
of the spaces that it is tested on."""

# -- black-box strategies -------------------------------------------------------------------------


def contracts() -> Iterator[type]:
    """Make a test class of every black-box strategy, with some settings, on every space."""
    others = 0
    for name in BLACK_BOX:
        for settings in SETTINGS.get(name, [{}]):
            for space, make_space in SPACES.items():

                def make(
                    self: Any,
                    space: SearchSpace,
                    objective: Objective,
                    seed: int,
                    factory: Any = ENTRIES[name].factory,
                    settings: dict[str, Any] = settings,
                ) -> Strategy:
                    chosen = fill(factory.Settings, settings, "strategy") if settings else None
                    made: Strategy = factory(space, objective, seed, chosen)
                    return made

                members: dict[str, Any] = {
                    "make_space": lambda _, made=make_space: made(),
                    "make_strategy": make,
                }
                if space not in CORE:
                    others += 1
                    slow = others % SHARE or (name, space) in DEAR
                    members["pytestmark"] = [pytest.mark.slow] if slow else []
                label = "_".join(map(str, [name, *settings.values(), space]))
                yield type(f"Test_{label}", (StrategyContract,), members)


globals().update({cls.__name__: cls for cls in contracts()})


# -- differentiable strategies --------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["small", "paper"])
@pytest.mark.parametrize("strategy", DIFFERENTIABLE)
def test_a_preset_makes_settings(strategy: str, scale: str) -> None:
    assert isinstance(ENTRIES[strategy].factory(scale), DifferentiableSettings)

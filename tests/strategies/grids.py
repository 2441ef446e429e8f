"""Small spaces without networks, for tests of strategies."""

from __future__ import annotations

from typing import Any, NoReturn

from nas.objective import Measurement
from nas.space import Architecture, Decision, SearchSpace
from nas.strategies.strategy import Strategy


class Grid(SearchSpace):
    """Decisions that all have as many options; with `even`, only even sums are valid.

    Where only even sums are valid, no architecture has a neighbour (for two options each).
    """

    name = "grid"
    description = "for tests"

    def __init__(self, decisions: int = 6, options: int = 4, even: bool = False) -> None:
        names = [str(option) for option in range(options)]
        self.decisions = tuple(Decision(f"d{i}", tuple(names)) for i in range(decisions))
        self.even = even

    def constraint(self, architecture: Architecture) -> str | None:
        return "odd" if self.even and sum(architecture.choices) % 2 else None

    def _none(self, *arguments: Any, **settings: Any) -> NoReturn:
        raise NotImplementedError

    graph = build = supernet = path = derive = _none


class Mirrored(Grid):
    """A grid where the order of the choices does not matter."""

    def canonical(self, architecture: Architecture) -> Architecture:
        return Architecture(self.name, tuple(sorted(architecture.choices)))


def measured(architecture: Architecture) -> Measurement:
    """The sum of the choices, and (`cost`) the number of choices above 0."""
    choices = architecture.choices
    return Measurement({"accuracy": float(sum(choices)), "cost": float(sum(map(bool, choices)))})


def failed() -> Measurement:
    return Measurement(error="RuntimeError: failed")


def run(strategy: Strategy, evaluations: int) -> list[Architecture]:
    """Ask and tell one after the other; return all that was proposed."""
    asked = []
    for _ in range(evaluations):
        [architecture] = strategy.ask(1)
        assert strategy.space.check(architecture) is None
        strategy.tell([(architecture, measured(architecture))])
        asked.append(architecture)
    return asked


def distance(a: Architecture, b: Architecture) -> int:
    """In how many decisions two architectures differ."""
    return sum(x != y for x, y in zip(a.choices, b.choices, strict=True))


def architecture(*choices: int) -> Architecture:
    return Architecture("grid", choices)


def goes_on_the_same(first: Strategy, second: Strategy, evaluations: int = 30) -> None:
    """Check that a strategy that loads the state of another does what that does."""
    second.load_state_dict(first.state_dict())
    assert run(first, evaluations) == run(second, evaluations)

"""Conditions and constraints that a user writes as plain functions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError
from nas.space import Choices, ConstraintFunction, Decision

__all__ = ["ConditionOf", "Reason", "require_one_argument"]

_GIVEN = "it is given the options of decisions that are active here"
_EARLIER = "it is given the options of earlier decisions that are active here"


def require_one_argument(function: Callable[..., Any], what: str) -> None:
    """Refuse what cannot be called with one argument."""
    try:
        signature(function).bind({})
    except TypeError as error:
        raise NasError(
            f"{what} takes one argument, {{decision: option}}; in a class it is a @staticmethod "
            f"({error})"
        ) from error


class Reason:
    """A constraint: why a combination is not valid.

    Args:
        function: From {decision: option} to a reason, or None.
        space: The space's name.
    """

    def __init__(self, function: ConstraintFunction, space: str) -> None:
        self.function, self.what = function, f"the constraint of '{space}'"
        require_one_argument(function, self.what)

    def __call__(self, options: dict[str, Hashable]) -> str | None:
        """Return the reason; raises `NasError` where the function does, or returns a truth."""
        found: Any = _asked(self.function, options, self.what, _GIVEN)
        if found is None or (isinstance(found, str) and found):
            return found
        raise NasError(
            f"{self.what} returned {found!r}; expected why the options are not valid (text), or "
            "None where they are"
        )


class ConditionOf:
    """The condition of one decision, for populations.

    Args:
        function: From {decision: option} of earlier decisions to whether this one is active.
        decisions: Of the space.
        column: Which one it is about.
    """

    def __init__(
        self, function: Callable[[dict[str, Hashable]], bool], decisions: tuple[Decision, ...],
        column: int,
    ) -> None:  # fmt: skip
        self.function, self.earlier = function, decisions[:column]
        self.what = f"the condition of '{decisions[column].name}'"
        require_one_argument(function, self.what)
        if not self.earlier:
            raise NasError(f"{self.what} has nothing to ask: it is the first decision")
        self._known: dict[tuple[int, ...], bool] = {}

    def holds(self, choices: Choices, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell for which rows [n, d], with what is active of them [n, d], it holds: [n]."""
        n = len(self.earlier)
        seen = np.where(active[:, :n], choices[:, :n], -1)
        rows, place = np.unique(seen, axis=0, return_inverse=True)
        answers = np.array([self._holds(tuple(row)) for row in rows.tolist()], dtype=np.bool_)
        found: NDArray[np.bool_] = answers[place.reshape(-1)]
        return found

    def _holds(self, row: tuple[int, ...]) -> bool:
        if row not in self._known:
            pairs = zip(self.earlier, row, strict=True)
            options = {d.name: d.options[choice] for d, choice in pairs if choice >= 0}
            self._known[row] = bool(_asked(self.function, options, self.what, _EARLIER))
        return self._known[row]


def _asked(
    function: Callable[..., Any], options: dict[str, Hashable], what: str, hint: str
) -> object:
    try:
        return function(dict(options))
    except Exception as error:
        from nas.mutables import fault

        raise NasError(f"{what} raised {fault(error)}; {hint}: {', '.join(options)}") from error

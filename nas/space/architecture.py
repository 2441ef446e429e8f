"""Decisions, and architectures: one option for every decision of a space."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass

from nas.errors import NasError, unknown

__all__ = ["Architecture", "Decision"]


@dataclass(frozen=True)
class Decision:
    """One thing that may vary.

    Args:
        name: Unique within the space.
        options: What may be chosen, in order.
        ordered: Whether the options lie on a scale (widths, depths).
        when: Empty for a decision that is always active. Otherwise pairs (name of an earlier
            decision, options of it): the decision is active where any of these is chosen by an
            active decision. An inactive decision stays in the row at its first option.
    """

    name: str
    options: tuple[Hashable, ...]
    ordered: bool = False
    when: tuple[tuple[str, tuple[Hashable, ...]], ...] = ()

    def __post_init__(self) -> None:
        if not self.options:
            raise NasError(f"decision '{self.name}' has no options")
        names = [str(option) for option in self.options]  # texts must tell them apart
        if min(len(set(names)), len(set(self.options))) != len(self.options):
            raise NasError(f"decision '{self.name}' has an option twice: {self.options}")
        self._require_writable("name of a decision", self.name, ";=")
        for name in names:
            self._require_writable(f"option of decision '{self.name}'", name, ";")

    @staticmethod
    def _require_writable(what: str, text: str, reserved: str) -> None:
        """Refuse what `SearchSpace.format` could not write so that `parse` reads it back."""
        if text != text.strip() or any(sign in text for sign in reserved):
            signs = " or ".join(f"'{sign}'" for sign in reserved)
            raise NasError(f"{what} {text!r}: no {signs} in it, no space around it")

    def index(self, option: Hashable) -> int:
        """Return the position of an option; raises `NasError` for one that does not exist."""
        if option not in self.options:
            raise unknown(f"option of '{self.name}'", str(option), map(str, self.options))
        return self.options.index(option)


@dataclass(frozen=True)
class Architecture:
    """One option for every decision of a space.

    Args:
        space: The name of the space.
        choices: One option index per decision.
    """

    space: str
    choices: tuple[int, ...]

    def to_json(self) -> str:
        """Return the architecture as JSON text."""
        return json.dumps({"space": self.space, "choices": list(self.choices)})

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Read what `to_json` wrote; raises `NasError` on anything else."""
        try:
            data = json.loads(text)
            choices = tuple(data["choices"])
            if not all(type(choice) is int for choice in choices):
                raise TypeError
            return cls(str(data["space"]), choices)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            message = (
                f'not an architecture: {text[:80]!r}; expected {{"space": ..., "choices": [...]}}'
            )
            raise NasError(message) from error

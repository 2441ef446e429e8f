"""Architectures as text."""

from __future__ import annotations

from collections.abc import Hashable

from nas.errors import NasError, unknown
from nas.space.architecture import Architecture
from nas.space.decisions import Decisions

__all__ = ["Notation"]


class Notation(Decisions):
    """Architectures of a space, by the names of their options."""

    def options(self, architecture: Architecture) -> dict[str, Hashable]:
        """Return decision name -> chosen option, active decisions only."""
        active = self.active(self.to_array([architecture]))[0]
        rows = zip(self.decisions, architecture.choices, active, strict=True)
        return {decision.name: decision.options[choice] for decision, choice, on in rows if on}

    def format(self, architecture: Architecture) -> str:
        """Write an architecture in the field's notation (by default `name=option;...`)."""
        return ";".join(f"{name}={option}" for name, option in self.options(architecture).items())

    def parse(self, text: str) -> Architecture:
        """Read what `format` wrote; raises `NasError` that says where the text is wrong."""
        chosen: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            name, _, option = part.partition("=")
            if name not in self._columns:
                raise unknown(f"decision of space '{self.name}'", name, self._columns)
            if name in chosen:
                raise NasError(f"not an architecture of '{self.name}': '{name}' twice")
            names = {str(o): i for i, o in enumerate(self.decisions[self._columns[name]].options)}
            if option not in names:
                raise unknown(f"option of '{name}'", option, names)
            chosen[name] = names[option]
        architecture = Architecture(
            self.name, tuple(chosen.get(decision.name, 0) for decision in self.decisions)
        )
        self.require(architecture)
        missing = [name for name in self.options(architecture) if name not in chosen]
        if missing:
            raise NasError(f"not an architecture of '{self.name}': no option for '{missing[0]}'")
        return architecture

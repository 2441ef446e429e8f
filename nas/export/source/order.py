"""The definitions of a file, in an order in which they can be executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nas.export.source import scopes

__all__ = ["Definition", "after", "ordered"]


@dataclass
class Definition:
    """A class, function or constant of the file.

    Args:
        name: What it is called there.
        text: Its source, with the names that it had where it is from.
        module: Where that was.
        line: The line there; 0 for a constant.
        environment: The values of its global names.
    """

    name: str
    text: str
    module: str
    line: int
    environment: Mapping[str, object]
    edits: list[scopes.Edit] = field(default_factory=list)

    @property
    def is_constant(self) -> bool:
        return self.line == 0


def ordered(definitions: list[Definition]) -> list[Definition]:
    """Sort by module, a module after those that it needs, and by line; then mend the rest."""
    by_name = {definition.name: definition for definition in definitions}
    needs = {}
    for definition in definitions:
        names = scopes.global_names(ast.parse(definition.text))
        needs[definition.name] = {n: now for n, now in names.items() if n in by_name}
    modules: dict[str, set[str]] = {}
    for definition in definitions:
        others = {by_name[name].module for name in needs[definition.name]}
        modules.setdefault(definition.module, set()).update(others)
    rank = {module: i for i, module in enumerate(after(modules))}
    definitions = sorted(definitions, key=lambda d: (rank[d.module], d.line))
    literals = {d.name for d in definitions if d.is_constant and not needs[d.name]}
    at_once = {
        d.name: [name for name, now in needs[d.name].items() if now or name in literals]
        for d in definitions
    }
    return [by_name[name] for name in after(at_once)]


def after(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the keys in their order, but each after those that it needs."""
    done: dict[str, None] = {}
    seen: set[str] = set()

    def visit(key: str) -> None:
        if key not in seen:
            seen.add(key)
            for other in needs[key]:
                visit(other)
            done[key] = None

    for key in needs:
        visit(key)
    return list(done)

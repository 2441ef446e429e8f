"""The global names of one source file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Symbols"]


@dataclass(frozen=True)
class _Import:
    """A module, or a member of one."""

    module: str
    member: str | None = None

    def statement(self, name: str) -> tuple[str, str]:
        """Return what to import from ("" for `import ...`) and what, under a name."""
        parent, _, leaf = self.module.rpartition(".")
        source, target = (parent, leaf) if self.member is None else (self.module, self.member)
        return source, target if target == name else f"{target} as {name}"


class Symbols:
    """Gives every import and definition of a file a name that nothing else in it has.

    Args:
        reserved: Names that the file uses otherwise.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._names: dict[object, str] = {f"reserved {name}": name for name in reserved}
        self._taken = set(self._names.values())

    def claim(self, key: object, wanted: str) -> str:
        """Return the name of something: the one wanted, or that with a number where it is taken.

        Args:
            key: What bears the name; the same key has the same name.
            wanted: The name that it would best have.
        """
        if key not in self._names:
            name, number = wanted, 2
            while name in self._taken:
                name, number = f"{wanted}{number}", number + 1
            self._names[key] = name
            self._taken.add(name)
        return self._names[key]

    def module(self, module: str, wanted: str) -> str:
        """Return the name under which a module is imported."""
        return self.claim(_Import(module), wanted)

    def member(self, module: str, member: str, wanted: str) -> str:
        """Return the name under which a member of a module is imported."""
        return self.claim(_Import(module, member), wanted)

    def imports(self) -> str:
        """Return the import statements: the standard library's, a blank line, the others'."""
        whole: list[str] = []
        members: dict[str, list[str]] = {}
        for key, name in self._names.items():
            if isinstance(key, _Import):
                source, target = key.statement(name)
                if source:
                    members.setdefault(source, []).append(target)
                else:
                    whole.append(target)
        sections: list[list[str]] = [[], []]
        for target in sorted(whole):
            sections[not _is_standard(target)].append(f"import {target}")
        for source, targets in sorted(members.items()):
            plain = [target for target in sorted(targets, key=_kind) if " as " not in target]
            renamed = [target for target in sorted(targets, key=_kind) if " as " in target]
            lines = [", ".join(plain), *renamed] if plain else renamed
            sections[not _is_standard(source)] += [f"from {source} import {line}" for line in lines]
        return "\n\n".join("\n".join(section) for section in sections if section)


def _is_standard(module: str) -> bool:
    return module.split(" ")[0].partition(".")[0] in sys.stdlib_module_names


def _kind(name: str) -> tuple[int, str]:
    """Sort constants before classes before the rest, as isort does."""
    constant = name.isupper() and len(name) > 1
    return (0 if constant else 1 if name[0].isupper() else 2, name)

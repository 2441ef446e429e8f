"""Definitions with all that they refer to, gathered from their modules into one file."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from itertools import count
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

from nas.errors import NasError
from nas.export.source import scopes
from nas.export.source.graph import Graph
from nas.export.source.layout import flat, lay_out
from nas.export.source.order import Definition
from nas.export.source.origin import environment, import_of, is_own, plain_form, source_of
from nas.export.source.symbols import Symbols
from nas.export.source.values import Values
from nas.task import Graph as FullGraph

__all__ = ["Closure"]


class Closure:
    """The definitions of one file.

    Args:
        symbols: The names of the file.
        home: The module of the network's class.
    """

    def __init__(self, symbols: Symbols, home: str) -> None:
        self.home = home
        self.symbols = symbols
        self.values = Values(self.reference)
        self.definitions: dict[object, Definition] = {}
        self.texts: dict[object, str] = {}
        """What stands for the source of a class that is not to be taken as it is."""

    def loaded_attributes(self) -> set[str]:
        """Return the names that any definition reads as attributes."""
        trees = (ast.parse(definition.text) for definition in self.definitions.values())
        return set().union(*map(scopes.loaded_attributes, trees))

    # -- gathering ----------------------------------------------------------------------------

    def reference(self, value: object, wanted: str, where: str, referrer: str | None = None) -> str:
        """Return the name of a module, class or function; its definition is added to the file.

        Args:
            value: What is referred to.
            wanted: The name that it has where it is referred to.
            where: Who refers to it, for the error message.
            referrer: The module in which it is referred to; by default that of the network.

        Raises:
            NasError: If its source cannot be copied.
        """
        if isinstance(value, ModuleType):
            return self.symbols.module(value.__name__, wanted)
        plain = _unwrapped(value)
        if self._is_copied(plain, referrer or self.home):
            return self._copied(plain, where)
        return self.symbols.member(*import_of(value, wanted, where), wanted)

    def _is_copied(self, thing: object, referrer: str) -> TypeGuard[type | FunctionType]:
        """Tell whether something is a definition that belongs into the file."""
        if not isinstance(thing, (type, FunctionType)):
            return False
        return thing in self.texts or is_own(thing.__module__, referrer)

    def _copied(self, thing: type | FunctionType, where: str) -> str:
        from nas.mutables import Mutable

        if isinstance(thing, type) and issubclass(thing, Mutable):
            raise NasError(
                f"export to python: {where} refers to {thing.__name__}, which is not part of a "
                "found network"
            )
        if thing.__name__ == "<lambda>":
            raise NasError(f"export to python: {where} refers to a lambda; give it a name with def")
        if thing not in self.definitions:
            plain = plain_form(thing)
            text, line = source_of(plain)
            text = self.texts.get(thing, text)
            name = self.symbols.claim(thing, thing.__name__)
            text = re.sub(
                rf"^((?:class|(?:async )?def) ){plain.__name__}\b",
                rf"\1{name}",
                text,
                count=1,
                flags=re.M,
            )
            found = Definition(name, text, plain.__module__, line, environment(plain))
            self.define(thing, found)
        return self.definitions[thing].name

    def define(self, key: object, definition: Definition) -> None:
        """Add a definition and all that it refers to.

        Args:
            key: What it is; classes and functions stand for themselves.
            definition: Its `edits` are found here.
        """
        self.definitions[key] = definition
        tree = ast.parse(definition.text)
        names = scopes.global_names(tree).keys() & definition.environment.keys()
        unseen = {id(part) for whole in scopes.annotation_nodes(tree) for part in ast.walk(whole)}
        self._follow(tree, definition, names, unseen)

    def _follow(
        self, node: ast.AST, definition: Definition, names: set[str], unseen: set[int]
    ) -> None:
        """Resolve the global names in an expression, the outermost part first."""
        if id(node) in unseen:
            return
        parts = _dotted(node)
        if parts and parts[0] in names and self._resolve(node, parts, definition):
            return
        for child in ast.iter_child_nodes(node):
            self._follow(child, definition, names, unseen)

    def _resolve(self, node: Any, parts: list[str], definition: Definition) -> bool:
        """Resolve `name`, or `module.name` of a module to copy; tell whether it was one."""
        value = definition.environment[parts[0]]
        where = f"'{definition.name}' ({definition.module})"
        for part in parts[1:]:
            if not _is_own_module(value, definition.module):
                return False  # an attribute of something else; the name before the dot comes next
            value = getattr(value, part, None)
        if _is_own_module(value, definition.module):
            dotted = ".".join(parts)
            raise NasError(f"export to python: {where} uses the module '{dotted}' as a value")
        final = self._name(value, parts[-1], definition, where)
        if final != ".".join(parts):
            final = self._visible(final, parts[-1], definition)
            definition.edits.append((*scopes.place(node), final))
        return True

    def _visible(self, name: str, wanted: str, definition: Definition) -> str:
        """Return a name for a global that no local one hides in a definition."""
        hidden = scopes.local_names(ast.parse(definition.text))
        alias = name
        for attempt in count():
            if alias not in hidden:
                break
            alias = self.symbols.claim(("alias", name, attempt), wanted)
        if alias != name:
            text = f"{alias} = {name}\n"
            self.definitions[alias] = Definition(alias, text, definition.module, 0, {})
        return alias

    def _name(self, value: Any, wanted: str, definition: Definition, where: str) -> str:
        if isinstance(value, (ModuleType, type)) or _is_named(value):
            return self.reference(value, wanted, where, definition.module)
        node = self.values.node(value, f"'{wanted}', which {where} uses,")
        key = (wanted, flat(node))  # the same wherever it is imported
        if key not in self.definitions:
            name = self.symbols.claim(key, wanted)
            text = f"{name} = {lay_out(node, before=len(name) + 3)}\n"
            self.definitions[key] = Definition(name, text, definition.module, 0, {})
        return self.definitions[key].name

    # -- writing ------------------------------------------------------------------------------

    def written(self) -> list[Definition]:
        """Return the definitions with the names that the file has; see `ordered`."""
        return [self._written(definition) for definition in self.definitions.values()]

    def _written(self, definition: Definition) -> Definition:
        edits = list(definition.edits)
        for annotation in scopes.annotation_nodes(ast.parse(definition.text)):
            edits += self._annotation_edits(annotation, definition)
        text = scopes.apply_edits(definition.text, edits)
        return Definition(definition.name, text, definition.module, definition.line, {})

    def _annotation_edits(self, annotation: ast.expr, definition: Definition) -> list[scopes.Edit]:
        """Name what an annotation refers to; one that refers to what is not here says `object`."""
        edits: list[scopes.Edit] = []
        for node in ast.walk(annotation):
            if isinstance(node, ast.Name):
                name = self._known(node.id, definition)
                if name is None:
                    return [(*scopes.place(annotation), "object")]
                if name != node.id:
                    edits.append((*scopes.place(node), name))
        return edits

    def _known(self, name: str, definition: Definition) -> str | None:
        """Return the name, in the file, of something that nothing needs but an annotation."""
        if name not in definition.environment:
            return name if hasattr(builtins, name) else None
        value = definition.environment[name]
        if _is_own_module(value, definition.module):
            return None
        plain = _unwrapped(value)
        if self._is_copied(plain, definition.module):
            return self.definitions[plain].name if plain in self.definitions else None
        try:
            return self.reference(value, name, "an annotation", definition.module)
        except NasError:
            return None


def _is_own_module(value: object, referrer: str) -> bool:
    return isinstance(value, ModuleType) and is_own(value.__name__, referrer)


def _is_named(value: object) -> bool:
    """Tell whether a value is a function or the like, or something that `typing` made."""
    named = callable(value) and hasattr(value, "__name__")
    return named or getattr(value, "__module__", None) == "typing"


def _unwrapped(value: object) -> object:
    """Return what is behind decorators; a graph is one without methods that networks do without."""
    if isinstance(value, type) and issubclass(value, FullGraph):
        return Graph
    return inspect.unwrap(value) if callable(value) else value


def _dotted(node: ast.AST) -> list[str]:
    """Return the parts of `a.b.c`; nothing for other expressions."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return [*before, node.attr] if before else []
    return []

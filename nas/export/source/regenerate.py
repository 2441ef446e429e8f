"""A network's own source where its constructor cannot be used: written from the modules in it.

Every class of the network gets a constructor that makes the children that are there; its other
methods are taken as they are.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from torch import nn

from nas.errors import NasError
from nas.export.source.classes import HOLE, ClassSource
from nas.export.source.closure import Closure
from nas.export.source.constructors import Constructors, torch_base
from nas.export.source.layout import Group, Name, Node, flat, lay_out
from nas.export.source.order import Definition, ordered
from nas.export.source.origin import source_of
from nas.export.source.program import Program, file_symbols
from nas.export.source.scopes import loaded_attributes
from nas.export.source.ties import ties
from nas.export.source.values import quoted

__all__ = ["regenerate"]

_INTERNALS = frozenset(vars(nn.Module()))
_NOT_KEPT = ("__init__", "extra_repr", "_load_from_state_dict", "_save_to_state_dict")


def regenerate(network: nn.Module) -> Program:
    """Write classes that make the network as it is.

    Methods and attributes that nothing refers to are left out; what refers to them is only known
    when the rest is written, so it is written again until nothing more is missing.

    Raises:
        NasError: If something in the network cannot be expressed; it names the place.
    """
    used: set[str] = set()
    while True:
        writer = _Writer(network, used)
        program = writer.program()
        found = writer.closure.loaded_attributes()
        if found <= used:
            return program
        used |= found


@dataclass(eq=False)
class _Variant:
    """A class of the network with one structure.

    Args:
        kind: The class.
        path: Where in the network it was first found.
        name: What it will be called.
        statements: Of its constructor: what stands before an expression, and the expression.
    """

    kind: type[nn.Module]
    path: str
    name: Name
    statements: list[tuple[str, Node]] = field(default_factory=list)

    def constructor(self, unit: str) -> str:
        """Write `__init__`, indented by `unit` a level."""
        lines = ["    def __init__(self) -> None:"]
        for before, node in self.statements:
            lines.append(f"        {before}{lay_out(node, indent=8, before=8 + len(before))}")
        text = "\n".join(lines)
        return re.sub("^(?:    )+", lambda m: unit * (len(m[0]) // 4), text, flags=re.M)


class _Writer:
    """Writes a network, given the names of attributes that are known to be used.

    Args:
        network: The network.
        used: Names of methods and attributes.
    """

    def __init__(self, network: nn.Module, used: set[str]) -> None:
        self.network = network
        self.used = used
        self.closure = Closure(file_symbols(), type(network).__module__)
        self.values = self.closure.values
        self.constructors = Constructors(self.values, self.node)
        self.variants: dict[str, _Variant] = {}  # by class and statements
        self.numbers = count()  # for names until variants have theirs
        self.sources: dict[type, ClassSource] = {}
        for module in network.modules():
            for kind in _copied_classes(type(module)):
                if kind not in self.sources:
                    self.sources[kind] = ClassSource(source_of(kind)[0])
                    self.closure.texts[kind] = self._text(kind)

    def program(self) -> Program:
        """Write everything."""
        root = self.node(self.network, "")
        holes = self._define()
        definitions = self.closure.written()
        for definition in definitions:
            definition.text = _filled(definition.text, holes.get(definition.name))
        state = {
            **dict(self.network.named_parameters(remove_duplicate=False)),
            **dict(self.network.named_buffers(remove_duplicate=False)),
        }
        definitions = ordered(definitions)
        return Program(self.closure.symbols, definitions, root, state, ties(self.network), False)

    # -- modules ------------------------------------------------------------------------------

    def node(self, module: nn.Module, path: str) -> Node:
        """Return the expression that makes a module."""
        where = path or type(module).__name__
        _require_plain(module, where)
        if not _copied_classes(type(module)):
            return self.constructors.call(module, path)
        kind = type(module)
        variant = _Variant(kind, where, Name(f"{kind.__name__}#{next(self.numbers)}"))
        variant.statements.extend(self._statements(module, path))
        key = repr((id(kind), [before + flat(node) for before, node in variant.statements]))
        return Group(self.variants.setdefault(key, variant).name, "()")

    def _statements(self, module: nn.Module, path: str) -> Iterator[tuple[str, Node]]:
        """Yield the statements of a constructor that makes a module as it is."""
        where = path or type(module).__name__
        arguments = self.constructors.arguments(module, path)
        yield "", Group("super().__init__", "()", arguments)
        done = self.constructors.made_by_base(module)
        for name, value in vars(module).items():
            if name not in _INTERNALS | done and name in self.used:
                yield from self._attribute(module, name, value, where)
        for name, parameter in module._parameters.items():
            if name not in done:
                yield self._parameter(name, parameter)
        for name, buffer in module._buffers.items():
            if name not in done:
                node = "None" if buffer is None else self.constructors.zeros(buffer)
                yield "", Group("self.register_buffer", "()", (("", quoted(name)), ("", node)))
        for name, child in module._modules.items():
            if name not in done:
                yield self._child(name, child, path)

    def _attribute(
        self, module: nn.Module, name: str, value: object, where: str
    ) -> Iterator[tuple[str, Node]]:
        try:
            yield f"self.{name} = ", self.values.node(value, f"attribute '{name}' of '{where}'")
        except NasError:
            # Another class may use an attribute of this name; only this one's use matters.
            if name in self._loaded(type(module)):
                raise

    def _loaded(self, kind: type) -> set[str]:
        texts = (self.closure.texts[base] for base in _copied_classes(kind))
        return set().union(*(loaded_attributes(ast.parse(text)) for text in texts))

    def _parameter(self, name: str, parameter: nn.Parameter | None) -> tuple[str, Node]:
        if parameter is None:
            none: tuple[tuple[str, Node], ...] = (("", quoted(name)), ("", "None"))
            return "", Group("self.register_parameter", "()", none)
        return f"self.{name} = ", self.constructors.parameter(parameter)

    def _child(self, name: str, child: nn.Module | None, path: str) -> tuple[str, Node]:
        inner = f"{path}.{name}" if path else name
        node = "None" if child is None else self.node(child, inner)
        if name.isidentifier() and not keyword.iskeyword(name):
            return f"self.{name} = ", node
        return "", Group("self.add_module", "()", (("", quoted(name)), ("", node)))

    # -- classes ------------------------------------------------------------------------------

    def _text(self, kind: type) -> str:
        """Return the source of a class, with a hole for the constructor."""
        base = torch_base(kind) if issubclass(kind, nn.Module) else nn.Module

        def keep(name: str) -> bool:
            special = hasattr(base, name) or (name.startswith("__") and name.endswith("__"))
            return name in self.used or (special and name not in _NOT_KEPT)

        return self.sources[kind].without_constructor(keep)

    def _define(self) -> dict[str, tuple[_Variant, str]]:
        """Define the classes; return which constructor each gets, with its indentation.

        A class with one structure gets its constructor. One with several keeps what they have in
        common and gets a subclass for each.
        """
        groups: dict[type[nn.Module], list[_Variant]] = {}
        for variant in self.variants.values():
            groups.setdefault(variant.kind, []).append(variant)
        bases = {base for kind in groups for base in _copied_classes(kind)[1:]}
        holes = {}
        for kind, group in groups.items():
            name = self.closure.reference(kind, kind.__name__, kind.__name__, kind.__module__)
            if len(group) == 1 and kind not in bases:
                group[0].name.text = name
                holes[name] = group[0], self.sources[kind].pad
                continue
            for number, variant in enumerate(group, start=1):
                self._define_variant(variant, name, number)
                holes[variant.name.text] = variant, " " * 4
        return holes

    def _define_variant(self, variant: _Variant, base: str, number: int) -> None:
        name = self.closure.symbols.claim(variant, f"{base}{number}")
        variant.name.text = name
        text = f'class {name}({base}):\n    """`{base}` as at {variant.path}."""\n\n    {HOLE}\n'
        of = self.closure.definitions[variant.kind]
        self.closure.define(
            variant, Definition(name, text, of.module, of.line, {base: variant.kind})
        )


def _filled(text: str, hole: tuple[_Variant, str] | None) -> str:
    """Put a constructor into the hole of a class, or close the hole."""
    lines = text.split("\n")
    at = next((i for i, line in enumerate(lines) if line.strip() == HOLE), None)
    if at is None:
        return text
    if hole is not None:
        variant, unit = hole
        lines[at] = variant.constructor(unit)
    elif lines[at - 1] == "":
        del lines[at - 1 : at + 1]
    elif any(lines[at + 1 :]):
        del lines[at : at + 2]
    else:
        lines[at] = lines[at].replace(HOLE, "pass")
    return "\n".join(lines)


def _copied_classes(kind: type) -> list[type]:
    """Return the class and those of its bases that are neither PyTorch's nor Python's."""
    standard = sys.stdlib_module_names
    tops = ((base, base.__module__.partition(".")[0]) for base in kind.__mro__)
    return [base for base, top in tops if top != "torch" and top not in standard]


def _require_plain(module: nn.Module, where: str) -> None:
    """Raise `NasError` if a module does more than its class says."""
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    if any(getattr(module, name) for name in hooks):
        raise NasError(f"export to python: '{where}' has forward hooks, which have no source")
    if "forward" in vars(module):
        raise NasError(f"export to python: the forward of '{where}' was replaced on the object")

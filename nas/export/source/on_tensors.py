"""The class of an exported network that takes a graph as tensors."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from nas.export.source.closure import Closure
from nas.export.source.layout import Group
from nas.export.source.order import Definition, ordered
from nas.export.source.program import Program

__all__ = ["on_tensors"]


def on_tensors(program: Program, inputs: type[nn.Module]) -> Program:
    """Return a program whose network takes tensors.

    Args:
        program: Of a network that takes a graph.
        inputs: A class whose `forward` takes tensors and gives `super().forward` a graph.
    """
    assert isinstance(program.network, Group)
    closure = Closure(program.symbols, inputs.__module__)
    taking = closure.reference(inputs, inputs.__name__, "the network")
    there = {definition.name for definition in program.definitions}
    added = [definition for definition in closure.written() if definition.name not in there]
    base = str(program.network.head)
    name = program.symbols.claim(("on tensors", base), f"{base}OnTensors")
    text = f'class {name}({taking}, {base}):\n    """`{base}` that takes a graph as tensors."""\n'
    own = Definition(name, text, inputs.__module__, 1, {})
    return replace(
        program,
        definitions=[*program.definitions, *ordered(added), own],
        network=replace(program.network, head=name),
    )

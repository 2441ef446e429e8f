"""The source file, put together."""

from __future__ import annotations

import ast

from torch import Tensor

from nas.export.source.layout import Group
from nas.export.source.order import Definition
from nas.export.source.program import Program, file_symbols
from nas.export.source.template import file_text


def definition(name: str, text: str, line: int) -> Definition:
    return Definition(name, text, "m", line, {})


def program(**changes: object) -> Program:
    definitions = [
        definition("A", "A = 1\n", 0),
        definition("B", "B = 2\n", 0),
        definition("Net", "class Net(nn.Module):\n    pass\n", 3),
    ]
    network = Group("Net", "()")
    return Program(file_symbols(), definitions, network, {}, **changes)  # type: ignore[arg-type]


def test_blank_lines() -> None:
    text = file_text(program(), (3, 8), False, Tensor, [])
    assert "\nINPUT_SHAPE = (3, 8)\nWEIGHTS = Path(__file__).with_suffix" in text
    assert (
        '.safetensors")\nA = 1\nB = 2\n\n\nclass Net(nn.Module):\n    pass\n\n\ndef build()' in text
    )
    assert text.endswith('\n\n\nif __name__ == "__main__":\n    main()\n')
    assert "    x = torch.randn(2, *INPUT_SHAPE)\n" in text and "list(y.shape)" in text
    assert '    """Build the network with fresh weights."""\n    return Net()\n' in text


def test_ties() -> None:
    tie = Group("network.set_submodule", "()", (("", '"a"'), ("", "network.b")))
    text = file_text(program(ties=[tie], keeps_initialisation=False), (4,), True, tuple, [])
    assert (
        '    """\n    network = Net()\n    network.set_submodule("a", network.b)\n'
        "    return network\n"
    ) in text
    assert "start at zero" in text
    assert "torch.randint(2, (2, *INPUT_SHAPE))" in text and "type(y).__name__" in text


def test_notes_cannot_break_out_of_the_docstring() -> None:
    notes = ['a """ b \\" c', "word " * 40]
    text = file_text(program(), (4,), False, Tensor, notes)
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring is not None and "a ''' b \\\" c" in docstring
    assert max(map(len, text.splitlines())) <= 100

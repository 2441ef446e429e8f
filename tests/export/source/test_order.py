"""An order in which definitions can be executed."""

from __future__ import annotations

from nas.export.source.order import Definition, after, ordered


def definition(name: str, text: str, module: str, line: int) -> Definition:
    return Definition(name, text, module, line, {})


def test_modules_then_lines() -> None:
    found = ordered(
        [
            definition("Net", "class Net:\n    def f(self):\n        return op()\n", "net", 9),
            definition("Part", "class Part:\n    x = 1\n", "net", 3),
            definition("op", "def op():\n    return LIMIT\n", "ops", 20),
            definition("LIMIT", "LIMIT = 1\n", "ops", 0),
        ]
    )
    assert [d.name for d in found] == ["LIMIT", "op", "Part", "Net"]
    assert [d.is_constant for d in found] == [True, False, False, False]


def test_what_a_definition_needs_at_once_comes_first() -> None:
    found = ordered(
        [
            definition("A", "class A:\n    def f(self):\n        return B()\n", "m", 1),
            definition("TABLE", "TABLE = {'a': helper}\n", "m", 0),
            definition("B", "class B(A):\n    x = TABLE\n", "n", 5),
            definition("helper", "def helper():\n    pass\n", "m", 30),
        ]
    )
    names = [d.name for d in found]
    assert names.index("A") < names.index("B") > names.index("TABLE") > names.index("helper")


def test_after() -> None:
    assert after({"a": ["c"], "b": [], "c": ["b", "a"]}) == ["b", "c", "a"]

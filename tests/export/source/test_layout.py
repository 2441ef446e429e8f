"""Breaking expressions over lines."""

from __future__ import annotations

import ast

import pytest

from nas.export.source.layout import WIDTH, Group, Name, Node, flat, lay_out


def items(count: int, text: str = "item") -> tuple[tuple[str, Node], ...]:
    return tuple(("", f"{text}{i:02}") for i in range(count))


def test_what_fits_stays_on_a_line() -> None:
    call = Group("f", "()", (("", "1"), ("key=", Group("", "[]", items(2)))))
    assert flat(call) == lay_out(call) == "f(1, key=[item00, item01])"
    assert flat(Group("", "()", (("", "1"),))) == "(1,)"
    assert flat(Group("f", "()", (("", "1"),))) == "f(1)"


def test_the_arguments_of_a_call_go_on_one_line_where_they_fit() -> None:
    assert lay_out(Group("f" * 40, "()", items(10))).splitlines()[1:] == [
        "    " + ", ".join(f"item{i:02}" for i in range(10)),
        ")",
    ]
    lines = lay_out(Group("", "[]", items(14))).splitlines()
    assert lines[:2] == ["[", "    item00,"] and lines[-1] == "]"


def test_one_item_has_no_comma_in_a_call() -> None:
    call = Group("nn.ModuleList", "()", (("", Group("", "[]", items(14))),))
    lines = lay_out(call, indent=4, before=8).splitlines()
    assert lines[:2] == ["nn.ModuleList(", "        ["]
    assert lines[-2:] == ["        ]", "    )"]


@pytest.mark.parametrize("before", range(60, 80))
def test_no_line_is_too_long(before: int) -> None:
    inner = Group("g", "()", (("a=", Group("", "{}", items(8, "key: value"))), *items(3)))
    node = Group("f", "()", (("", inner), ("b=", inner)))
    text = lay_out(node, indent=8, before=before)
    assert max(len(line) for line in text.splitlines()[1:]) <= WIDTH
    assert before + len(text.splitlines()[0]) <= WIDTH


def test_laying_out_keeps_the_expression() -> None:
    node = Group("f", "()", (("", Group("", "()", items(20))), ("b=", Group("", "[]", items(20)))))
    assert ast.dump(ast.parse(lay_out(node))) == ast.dump(ast.parse(flat(node)))


def test_names_may_change_until_they_are_written() -> None:
    name = Name("before")
    node = Group(name, "()")
    name.text = "after"
    assert flat(node) == "after()"

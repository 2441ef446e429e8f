"""Expressions as text, broken over lines the way that common formatters break them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WIDTH", "Group", "Name", "Node", "flat", "lay_out"]

WIDTH = 100


@dataclass(eq=False)
class Name:
    """A name that is only decided after expressions with it are made."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Group:
    """Something in brackets.

    Args:
        head: What stands before the opening bracket: the callee, or nothing.
        brackets: The opening and the closing one.
        items: What stands between, each with a prefix such as "padding=" or "'key': ".
    """

    head: str | Name
    brackets: str
    items: tuple[tuple[str, Node], ...] = ()

    @property
    def is_call(self) -> bool:
        return bool(str(self.head))


Node = str | Name | Group


def flat(node: Node) -> str:
    """Write an expression on one line."""
    if not isinstance(node, Group):
        return str(node)
    inside = ", ".join(prefix + flat(item) for prefix, item in node.items)
    if len(node.items) == 1 and node.brackets == "()" and not node.is_call:
        inside += ","  # a tuple of one
    return f"{node.head}{node.brackets[0]}{inside}{node.brackets[1]}"


def lay_out(node: Node, indent: int = 0, before: int = 0, after: int = 0) -> str:
    """Write an expression on one line if it fits, else with its items on lines of their own.

    Args:
        node: The expression.
        indent: Of the statement that it is in.
        before: Columns taken on the first line, the indent included.
        after: Columns taken on the last line, such as by a comma.
    """
    text = flat(node)
    if not isinstance(node, Group) or not node.items or before + len(text) + after <= WIDTH:
        return text
    pad = " " * (indent + 4)
    opening, closing = f"{node.head}{node.brackets[0]}\n", f"\n{' ' * indent}{node.brackets[1]}"
    inside = ", ".join(prefix + flat(item) for prefix, item in node.items)
    if node.is_call and len(pad) + len(inside) <= WIDTH:
        return f"{opening}{pad}{inside}{closing}"
    comma = "," if len(node.items) > 1 or not node.is_call else ""
    lines = []
    for prefix, item in node.items:
        used = len(pad) + len(prefix)
        lines.append(f"{pad}{prefix}{lay_out(item, indent + 4, used, len(comma))}{comma}")
    return opening + "\n".join(lines) + closing

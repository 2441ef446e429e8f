"""The source of a class with another constructor."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["HOLE", "ClassSource"]

HOLE = "__hole__ = None"
"""A line of a class that its new constructor takes the place of."""


@dataclass(frozen=True)
class _Part:
    """A statement of a class, with the comments before it.

    Args:
        text: The source, whole lines.
        names: What the statement defines; none for one that is always kept.
        kind: "docstring", "definition" or "statement".
    """

    text: str
    names: tuple[str, ...]
    kind: str


class ClassSource:
    """A class, statement by statement.

    Args:
        text: Its source, as if it stood alone.
    """

    def __init__(self, text: str) -> None:
        lines, tree = _on_lines(text)
        end = _header_end(lines, tree.lineno)
        self.parts: list[_Part] = []
        self.head = "\n".join(lines[:end])
        self.pad = lines[tree.body[0].lineno - 1][: tree.body[0].col_offset]
        for number, statement in enumerate(tree.body):
            stop = statement.end_lineno or statement.lineno
            part, kind = "\n".join(lines[end:stop]).strip("\n"), _kind(statement, number)
            part = _without_arguments(part) if kind == "docstring" else part
            self.parts.append(_Part(part, _names(statement), kind))
            end = stop

    def without_constructor(self, keep: Callable[[str], bool]) -> str:
        """Return the class with a hole in the place of its constructor.

        Args:
            keep: Whether a member of some name stays; the docstring always does.
        """
        kept = [p for p in self.parts if not p.names or any(map(keep, p.names))]
        kept = [part for part in kept if part.names != ("__init__",)]
        kinds = [part.kind for part in kept]
        first = kinds.index("definition") if "definition" in kinds else len(kept)
        kept.insert(first, _Part(f"{self.pad}{HOLE}", (), "definition"))
        lines = [self.head]
        last = "head"
        for part in kept:
            apart = last != "head" and not last == part.kind == "statement"
            lines += ["", part.text] if apart else [part.text]
            last = part.kind
        return "\n".join(lines) + "\n"


def _on_lines(text: str) -> tuple[list[str], ast.ClassDef]:
    """Return the lines of a class, with the body of `class A(B): ...` on its own, and the tree."""
    [tree] = ast.parse(text).body
    assert isinstance(tree, ast.ClassDef)
    lines, first = text.splitlines(), tree.body[0]
    end = _header_end(lines, tree.lineno)
    if _start(first) > end:
        return lines, tree
    body = [f"    {ast.get_source_segment(text, statement)}" for statement in tree.body]
    lines[end - 1] = lines[end - 1].encode()[: first.col_offset].decode().rstrip()
    return _on_lines("\n".join([*lines[:end], *body]))


def _header_end(lines: list[str], class_line: int) -> int:
    """Return the number of the last line of `class ...:`."""
    rest = io.StringIO("\n".join(lines[class_line - 1 :]) + "\n")
    for token in tokenize.generate_tokens(rest.readline):
        if token.type == tokenize.NEWLINE:
            return int(class_line - 1 + token.start[0])
    raise AssertionError("a class has a header")


def _start(statement: ast.stmt) -> int:
    """Return the line of a statement's first decorator, or its own."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _names(statement: ast.stmt) -> tuple[str, ...]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return (statement.name,)
    if isinstance(statement, ast.AnnAssign):
        targets: list[ast.expr] = [statement.target]
    else:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
    return tuple(node.id for t in targets for node in ast.walk(t) if isinstance(node, ast.Name))


def _without_arguments(docstring: str) -> str:
    """Leave out the section that tells the arguments of the constructor."""
    text = re.sub(r"\n\n([ \t]*)Args:\n(?:\1[ \t]+.*\n|\n)*(?=\1\S)", "\n\n", docstring)
    text = re.sub(r"\n\n([ \t]*)(\"\"\"|''')$", r"\n\1\2", text)
    return re.sub(r"\s*(\"\"\"|''')$", r"\1", text) if text.count("\n") == 1 else text


def _kind(statement: ast.stmt, number: int) -> str:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return "definition"
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return "docstring" if text and number == 0 else "statement"

"""Which global names a piece of source uses, and where."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from typing import TypeVar

__all__ = [
    "Edit",
    "annotation_nodes",
    "apply_edits",
    "global_names",
    "loaded_attributes",
    "local_names",
    "place",
]

_AT_ONCE = ("listcomp", "setcomp", "dictcomp", "genexpr")
_T = TypeVar("_T", ast.FunctionDef, ast.AsyncFunctionDef)

Edit = tuple[tuple[int, int], tuple[int, int], str]
"""From (line, column) to (line, column), in UTF-8 bytes as `ast` counts them: the new text."""


def global_names(tree: ast.Module) -> dict[str, bool]:
    """Return the global names that run, builtins too: whether each is needed at definition time.

    Annotations do not count; they are never evaluated in a file that postpones them.

    Args:
        tree: A definition, parsed.
    """
    bare = _WithoutAnnotations().visit(ast.parse(ast.unparse(tree)))
    names: dict[str, bool] = {}
    _collect(symtable.symtable(ast.unparse(bare), "<definition>", "exec"), True, names)
    return names


def _collect(table: symtable.SymbolTable, at_once: bool, names: dict[str, bool]) -> None:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        outer = not symbol.is_assigned() and not symbol.is_imported() if top else symbol.is_global()
        if symbol.is_referenced() and outer:
            names[symbol.get_name()] = names.get(symbol.get_name(), False) or at_once
    for child in table.get_children():
        runs_now = child.get_type() == "class" or child.get_name() in _AT_ONCE
        _collect(child, at_once and runs_now, names)


def local_names(tree: ast.Module) -> set[str]:
    """Return the names that functions in a definition bind, and so hide what is global."""
    tables = [symtable.symtable(ast.unparse(tree), "<definition>", "exec")]
    names: set[str] = set()
    for table in tables:
        tables.extend(table.get_children())
        if table.get_type() == "function":
            names |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_local()}
    return names


class _WithoutAnnotations(ast.NodeTransformer):
    """Removes what is only said about types."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return ast.fix_missing_locations(
            ast.Assign([node.target], self.visit(node.value), lineno=node.lineno)
        )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: _T) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


def annotation_nodes(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield every annotation of a definition."""
    for node in ast.walk(tree):
        found = None
        if isinstance(node, (ast.arg, ast.AnnAssign)):
            found = node.annotation
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found = node.returns
        if found is not None:
            yield found


def loaded_attributes(tree: ast.AST) -> set[str]:
    """Return the names that a definition reads as attributes, and texts that may name one."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # getattr(self, "name")
    return found


def place(node: ast.expr) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where an expression starts and ends."""
    assert node.end_lineno is not None and node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def apply_edits(text: str, edits: list[Edit]) -> str:
    """Replace parts of a text that do not overlap."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    raw = text.encode()
    for (row, column), (end_row, end_column), new in sorted(edits, reverse=True):
        start, end = starts[row - 1] + column, starts[end_row - 1] + end_column
        raw = raw[:start] + new.encode() + raw[end:]
    return raw.decode()

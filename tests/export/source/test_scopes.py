"""Global names in source."""

from __future__ import annotations

import ast

from nas.export.source import scopes

SOURCE = '''
@decorator
class A(Base, metaclass=Meta):
    """A word."""

    size: Annotation = CONSTANT
    declared: Other
    both = [ITEM for _ in ITEMS]

    def method(self, x: Local, y=default) -> Result:
        z = helper(x) + len(y) + A.size
        local: Hidden = 1
        def inner():
            nonlocal z
            return z + inner_helper(local) + self.attribute.deep
        self.stored = 1
        return inner, [w for w in others], getattr(self, "by_name")
'''


def test_global_names() -> None:
    names = scopes.global_names(ast.parse(SOURCE))
    at_once = {name for name, now in names.items() if now}
    expected = {"decorator", "Base", "Meta", "CONSTANT", "ITEM", "ITEMS", "default"}
    assert at_once == expected
    later = {"helper", "len", "A", "inner_helper", "others", "getattr"}
    assert names.keys() - at_once == later


def test_local_names() -> None:
    expected = {"self", "x", "y", "z", "local", "inner", "w"}
    assert scopes.local_names(ast.parse(SOURCE)) - {"_", ".0"} == expected


def test_annotation_nodes() -> None:
    found = {ast.unparse(node) for node in scopes.annotation_nodes(ast.parse(SOURCE))}
    assert found == {"Annotation", "Other", "Local", "Result", "Hidden"}


def test_loaded_attributes() -> None:
    found = scopes.loaded_attributes(ast.parse(SOURCE))
    assert found == {"size", "attribute", "deep", "by_name", "A word."}


def test_edits() -> None:
    text = "é = (a + b)\nfoo(a,\n  b)\n"
    tree = ast.parse(text)
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in "ab"]
    edits: list[scopes.Edit] = [(*scopes.place(node), f"<{node.id}>") for node in names]
    assert scopes.apply_edits(text, edits) == "é = (<a> + <b>)\nfoo(<a>,\n  <b>)\n"
    [_, call] = tree.body
    assert isinstance(call, ast.Expr)
    assert scopes.apply_edits(text, [(*scopes.place(call.value), "x")]) == "é = (a + b)\nx\n"

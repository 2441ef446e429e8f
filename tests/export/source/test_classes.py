"""Classes with another constructor."""

from __future__ import annotations

import textwrap

import pytest

from nas.export.source.classes import HOLE, ClassSource

SOURCE = '''\
@decorated(
    "a"
)
class A(
    Base,
):  # a note
    """What it is.

    Args:
        x: One.
            Two.

    More.
    """

    size = 1
    other: int = 2
    # about the constructor
    def __init__(self, x):
        """Args are here."""
        self.x = x

    # about `used`
    @property
    def used(self):
        return self.x

    def unused(self):
        return 2

    __call__ = used
'''


def test_keeps_what_is_wanted() -> None:
    text = ClassSource(SOURCE).without_constructor(lambda name: name in ("used", "size"))
    assert text == textwrap.dedent(
        f'''\
        @decorated(
            "a"
        )
        class A(
            Base,
        ):  # a note
            """What it is.

            More.
            """

            size = 1

            {HOLE}

            # about `used`
            @property
            def used(self):
                return self.x
        '''
    )


def test_statements_after_methods_stay_after_them() -> None:
    text = ClassSource(SOURCE).without_constructor(lambda name: True)
    assert text.index("def used") < text.index("__call__ = used")
    assert "about the constructor" not in text and "__init__" not in text


def test_a_docstring_that_is_left_with_one_line() -> None:
    text = 'class A:\n    """One line.\n\n    Args:\n        x: One.\n    """\n'
    assert ClassSource(text).without_constructor(lambda name: True) == (
        f'class A:\n    """One line."""\n\n    {HOLE}\n'
    )


@pytest.mark.parametrize(
    ("body", "kept"),
    [("pass", "    pass\n\n"), ("x = 1; y = 2", "    x = 1\n\n"), ('"""T."""', '    """T."""\n\n')],
)
def test_classes_on_one_line(body: str, kept: str) -> None:
    text = ClassSource(f"class A(B): {body}\n").without_constructor(lambda name: name == "x")
    assert text == f"class A(B):\n{kept}    {HOLE}\n"


def test_other_indentation() -> None:
    source = ClassSource("class A:\n\tdef f(self):\n\t\treturn 1\n")
    assert source.pad == "\t"
    assert source.without_constructor(lambda name: True) == (
        f"class A:\n\t{HOLE}\n\n\tdef f(self):\n\t\treturn 1\n"
    )

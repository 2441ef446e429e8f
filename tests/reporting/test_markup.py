"""Values as a person would write them, and HTML around them."""

from __future__ import annotations

import math

import pytest

from nas.reporting.markup import code, details, figure, label, section, table, words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        (3, "3"),
        ({"name": "digits", "x": 1}, "digits"),
        (["a", None], '["a", null]'),
    ],
)
def test_words(value: object, text: str) -> None:
    assert words(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("valid_accuracy", 0.91234, "91.23 %"),
        ("accuracy", 91.2, "91.2"),
        ("loss", 0.123456, "0.1235"),
        ("parameters", 1234567.0, "1,234,567"),
        ("seconds", 2.345, "2.3s"),
        ("seconds", 61.0, "1m 01s"),
        ("loss", math.nan, "\N{EN DASH}"),
    ],
)
def test_figures(name: str, value: float, text: str) -> None:
    assert figure(name, value) == text


def test_text_is_escaped_and_html_is_not() -> None:
    assert label("a_b<") == "a b&lt;" and code("<") == "<code>&lt;</code>"
    assert details("<", "<p>") == "<details><summary>&lt;</summary><p></details>"
    assert section("<", "<p>", "x") == '<section class="x"><h2>&lt;</h2><p></section>'


def test_without_content_there_is_no_section_and_without_names_no_head() -> None:
    assert section("Empty", "") == ""
    assert table((), [("a", "b")]) == "<table><tbody><tr><td>a</td><td>b</td></tr></tbody></table>"
    assert "<thead><tr><th>x</th></tr></thead>" in table(("x",), [("a",)])

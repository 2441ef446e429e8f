"""Decisions and architectures."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from nas.errors import NasError
from nas.space.architecture import Architecture, Decision


def arch(*choices: int, space: str = "plain") -> Architecture:
    return Architecture(space, choices)


def test_decision_needs_options() -> None:
    with pytest.raises(NasError, match="'width' has no options"):
        Decision("width", ())


@pytest.mark.parametrize("options", [(1, 2, 1), ("a", "a"), (1, 1.0), (1, "1")])
def test_decision_refuses_an_option_twice(options: tuple[Hashable, ...]) -> None:
    """Options that read the same are the same: text could not tell them apart."""
    with pytest.raises(NasError, match="'width' has an option twice"):
        Decision("width", options)


@pytest.mark.parametrize("name", ["a;b", "a=b", " a", "a\n"])
def test_decision_refuses_a_name_that_text_cannot_hold(name: str) -> None:
    with pytest.raises(NasError, match="name"):
        Decision(name, (1, 2))


@pytest.mark.parametrize("option", ["a;b", " a"])
def test_decision_refuses_an_option_that_text_cannot_hold(option: str) -> None:
    with pytest.raises(NasError, match="option"):
        Decision("width", ("b", option))


def test_decision_index() -> None:
    op = Decision("op", ("conv", "pool", 3))
    assert [op.index(option) for option in op.options] == [0, 1, 2]
    with pytest.raises(NasError, match=r"unknown option of 'op' 'pol'\. Did you mean 'pool'\?"):
        op.index("pol")


def test_architecture_is_a_value() -> None:
    assert len({arch(1, 2), arch(1, 2), arch(2, 1), arch(1, 2, space="other")}) == 3
    with pytest.raises(AttributeError):
        arch(1).choices = (2,)  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "3",
        "{}",
        '{"space": "plain"}',
        '{"choices": [1]}',
        '{"space": "plain", "choices": 3}',
        '{"space": "plain", "choices": "12"}',
        '{"space": "plain", "choices": [1.0]}',
        '{"space": "plain", "choices": [true]}',
        '{"space": "plain", "choices": [[1]]}',
        '{"space": "plain", "choices": {"a": 1}}',
        "[" * 100_000,
        '{"space": "plain", "choices": [1',
    ],
)
def test_from_json_refuses_anything_else(text: str) -> None:
    with pytest.raises(NasError, match="not an architecture") as error:
        Architecture.from_json(text)
    assert len(str(error.value)) < 200

"""What spaces inherit: architectures as text."""

from __future__ import annotations

import pytest
from plain_spaces import (
    Even,
    arch,
    decision,
    router,
)

from nas.errors import NasError


def test_options_leave_out_what_is_inactive() -> None:
    assert router().options(arch(1, 1, 2, 0)) == {
        "router": "yes",
        "k": 2,
        "noise": "learned",
        "loss": "l1",
    }
    assert router().options(arch(0, 0, 0, 1)) == {"router": "no", "loss": "l2"}


def test_format() -> None:
    assert router().format(arch(1, 1, 2, 0)) == "router=yes;k=2;noise=learned;loss=l1"
    assert router().format(arch(0, 0, 0, 1)) == "router=no;loss=l2"


def test_parse_takes_any_order_and_spaces() -> None:
    assert router().parse(" loss=l1; k=2;router=yes ;noise=learned; ") == arch(1, 1, 2, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no option for 'router'"),
        ("router=no", "no option for 'loss'"),
        ("router=yes;loss=l1", "no option for 'k'"),
        ("router=no;k=2;loss=l1", "'k' is inactive here"),
        ("ruter=no;loss=l1", "unknown decision of space 'plain' 'ruter'. Did you mean 'router'?"),
        ("router=5", "unknown option of 'router' '5'. Allowed: no, yes."),
        ("router", "unknown option of 'router' ''"),
        ("router=yes=no", "unknown option of 'router' 'yes=no'"),
        ("router=no;router=yes;loss=l1", "'router' twice"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(NasError) as error:
        router().parse(text)
    assert message in str(error.value)


def test_parse_checks_the_constraint() -> None:
    space = Even(decision("x", 2), decision("y", 2))
    assert space.parse("x=b;y=b") == arch(1, 1)
    with pytest.raises(NasError, match="odd"):
        space.parse("x=b;y=a")

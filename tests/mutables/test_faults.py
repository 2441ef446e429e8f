"""What went wrong in a user's code, in one line."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.errors import NasError
from nas.mutables import OneOf
from nas.mutables.faults import fault, is_users
from nas.mutables.supernet import Supernet


class Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.choice = OneOf([nn.Linear(3, 3)], label="c")

    def forward(self, x: Tensor) -> Tensor:
        return self.choice(x)


def caught(call: object) -> Exception:
    try:
        call()  # type: ignore[operator]
    except Exception as error:
        return error
    raise AssertionError


def test_the_line_of_the_user_is_named() -> None:
    supernet = Supernet(Wrong(), lambda _: {})
    error = caught(lambda: supernet(torch.ones(1, 4), {"c": 0}))
    assert is_users(error)
    assert fault(error).startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert fault(error).endswith("(test_faults.py, line 20, in forward)")


def test_what_nas_raises_is_not_the_users() -> None:
    supernet = Supernet(Wrong(), lambda _: {})
    error = caught(lambda: supernet(torch.ones(1, 3), {}))
    assert isinstance(error, NasError) and not is_users(error)


def test_a_message_of_several_lines_and_none() -> None:
    assert fault(ValueError("first\nsecond")) == "ValueError: first"
    assert fault(ValueError()) == "ValueError"

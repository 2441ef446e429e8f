"""Spaces without a supernet say why."""

from __future__ import annotations

from typing import Any

import pytest

from nas.errors import NasError
from nas.search_spaces.cells.without_supernet import WithoutSupernet
from nas.space import Architecture, Decision


class Mine(WithoutSupernet):
    name = "mine"
    description = ""
    reason = "sizes differ"
    decisions = (Decision("a", (1, 2)),)

    def graph(self, architecture: Architecture) -> Any:
        raise NotImplementedError

    def build(self, architecture: Architecture, task: Any, **settings: Any) -> Any:
        raise NotImplementedError


def test_what_needs_a_supernet_is_refused_with_the_reason() -> None:
    space = Mine()
    a = Architecture("mine", (0,))
    for call in (lambda: space.supernet(None), lambda: space.path(a), lambda: space.derive({})):
        with pytest.raises(
            NasError, match=r"^space 'mine' has no supernet: sizes differ; use --evaluator train"
        ):
            call()

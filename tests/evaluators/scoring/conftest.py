"""Networks that can be traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from nas.search_spaces.cells.many_paths import trace_paths
from nas.search_spaces.cells.supernetworks import CellSupernetwork, DenseSupernetwork
from nas.space import Path


@pytest.fixture
def traceable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks of cells write down what they compute."""

    def method(self: Any, paths: Sequence[Path], steps: Any) -> list[int]:
        return trace_paths(self, self.kinds, paths, steps)

    for kind in (CellSupernetwork, DenseSupernetwork):
        if not hasattr(kind, "trace_paths"):
            monkeypatch.setattr(kind, "trace_paths", method, raising=False)

"""Proposals as they were recorded: what only makes a strategy faster must not change them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from grids import Grid, run

from nas import registry
from nas.objective import Objective

RECORDED = {
    "cmab": "08865fb6",
    "evolution": "fe19e7b6",
    "lanas": "1cf7a81d",
    "local-search": "0444cc46",
    "manas": "204e487d",
    "nsga-ii": "a7320d38",
}
"""Before ranks and leaves were kept up to date: 60 proposals with seed 0."""


@pytest.mark.parametrize("name", RECORDED)
def test_proposals_are_as_recorded(name: str) -> None:
    kind: Any = registry.get("strategies", name).factory
    asked = run(kind(Grid(8, 4), Objective(), 0), 60)
    digest = hashlib.md5(repr([a.choices for a in asked]).encode()).hexdigest()[:8]
    assert digest == RECORDED[name]

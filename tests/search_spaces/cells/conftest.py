"""Both forms of separable convolutions."""

from __future__ import annotations

import pytest


@pytest.fixture(params=[True, False], ids=["dense", "depthwise"])
def dense(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let separable convolutions that all run be one dense convolution, or two."""
    monkeypatch.setattr(
        "nas.search_spaces.cells.separable.dense_pays", lambda x, stride: request.param
    )
    return bool(request.param)

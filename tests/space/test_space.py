"""What a space has where it says nothing."""

from __future__ import annotations

from plain_spaces import (
    router,
)


def test_no_defaults_without_settings() -> None:
    assert router().network_defaults("small") == router().supernet_defaults("paper") == {}
    assert router().catalogue() == {}

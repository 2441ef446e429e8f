"""Lets the assertions of the contracts say what differs."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("nas.testing")

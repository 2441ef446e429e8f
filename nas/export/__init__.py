"""Writing down what was found: notation, Python source, programs for deployment, weights."""

from __future__ import annotations

from nas.export.export import FORMATS, SUFFIXES, export

__all__ = ["FORMATS", "SUFFIXES", "export"]

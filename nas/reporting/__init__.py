"""The report of a run, and the parts that it is made of."""

from __future__ import annotations

from nas.reporting.report import draw_front, write_report

__all__ = ["draw_front", "write_report"]

"""The run folder: everything that one search did."""

from __future__ import annotations

from nas.run.found import Found, Record
from nas.run.run import Run, load
from nas.run.trials import Trial

__all__ = ["Found", "Record", "Run", "Trial", "load"]

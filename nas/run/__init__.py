"""The run folder: everything that one search did."""

from __future__ import annotations

from nas.run.config import PROTOCOL, same_problem
from nas.run.found import Found, Record
from nas.run.run import Run, load
from nas.run.trials import Trial

__all__ = ["PROTOCOL", "Found", "Record", "Run", "Trial", "load", "same_problem"]

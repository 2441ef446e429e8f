"""The command line, a file a family of commands: parse, call, print; no logic of its own."""

from __future__ import annotations

from nas.commands.bench import bench
from nas.commands.compat import compat
from nas.commands.insight import insight
from nas.commands.search import searching
from nas.commands.show import showing
from nas.commands.train import training

__all__ = ["bench", "compat", "insight", "searching", "showing", "training"]

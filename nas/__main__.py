"""`python -m nas`: the command line."""

from __future__ import annotations

from nas.cli import main

main()

"""Measure this machine: `python -m perf`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.errors import NasError, unknown

PARTS = (
    "darts", "pc-darts", "switches", "scoring", "tables", "strategies", "populations", "experts",
    "features", "memory",
)  # fmt: skip
QUIET = {"KINETO_LOG_LEVEL": "6", "TORCH_CPP_LOG_LEVEL": "ERROR"}  # the profiler is chatty


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 where two sides that must agree do not, 2 for a wrong option."""
    options = parse(arguments)
    os.environ.update({**QUIET, **os.environ})  # read when torch loads, so before it does
    from perf.run import run

    try:
        return run(options)
    except NasError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        "python -m perf",
        description="Measure nas on this machine against plain programs that do the same work. "
        "The exit status is 1 where the two do not compute the same.",
    )
    add = parser.add_argument
    add(
        "--only",
        type=_parts,
        default=PARTS,
        metavar="PART,...",
        help=f"what to measure, of {', '.join(PARTS)} (default: all)",
    )
    add("--repeats", type=_positive, help="how often each is timed (default: 7; 3 if quick)")
    add("--threads", type=_positive, help="of the CPU (default: as torch chooses)")
    add("--device", help="such as cpu or cuda (default: the GPU, if there is one)")
    add("--json", type=Path, metavar="FILE", help="write all figures there (default: nowhere)")
    add(
        "--quick",
        action="store_true",
        help="small networks, few repeats: minutes, not most of an hour (default: no)",
    )
    add(
        "--tiny",
        action="store_true",
        help="see whether it works, with figures that mean nothing (default: no)",
    )
    return parser.parse_args(arguments)


def _parts(text: str) -> tuple[str, ...]:
    for name in text.split(","):
        if name not in PARTS:
            raise argparse.ArgumentTypeError(str(unknown("part", name, PARTS)))
    return tuple(text.split(","))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

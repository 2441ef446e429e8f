"""The edges of the three-stage cells of GNAS-MP."""

from __future__ import annotations

from collections.abc import Iterator


def edge_names(nodes: int) -> Iterator[tuple[str, str, int, int]]:
    """Yield name, stage, target and source of every edge of a cell.

    State 0 is the cell's input; every stage has `nodes` states more. The first stage filters all
    earlier states of its own, the second aggregates one state each, the third filters all states
    of the second.
    """
    for target in range(1, nodes + 1):
        for source in range(target):
            yield f"first{target}_{source}", "first", target, source
    for target in range(nodes + 1, 2 * nodes + 1):
        yield f"second{target - nodes}", "second", target, target - nodes
    for target in range(2 * nodes + 1, 3 * nodes + 1):
        for source in range(nodes + 1, 2 * nodes + 1):
            place = f"{target - 2 * nodes}_{source - nodes}"
            yield f"third{place}", "third", target, source

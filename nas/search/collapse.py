"""The known failure of DARTS: identities take over a cell."""

from __future__ import annotations

from nas.space import Architecture, SearchSpace

__all__ = ["collapse", "identity_counts"]


def identity_counts(space: SearchSpace, architecture: Architecture) -> dict[str, tuple[int, int]]:
    """Return cell -> (identity operations, operations) of an architecture."""
    counts: dict[str, tuple[int, int]] = {}
    for _, data in space.graph(architecture).nodes(data=True):
        if data.get("kind") == "op":
            cell = data.get("cell", "")
            identities, operations = counts.get(cell, (0, 0))
            counts[cell] = (identities + (data["op"] in space.identity_ops), operations + 1)
    return counts or {"": (0, 0)}


def collapse(space: SearchSpace, architecture: Architecture) -> str | None:
    """Say, in words, if identities make up more than half of the operations of a cell.

    The known failure of DARTS: Zela et al., Understanding and Robustifying Differentiable
    Architecture Search, ICLR 2020, arXiv:1909.09656.
    """
    names = ", ".join(sorted(space.identity_ops))
    for cell, (identities, operations) in identity_counts(space, architecture).items():
        if 2 * identities > operations:
            where = f"cell '{cell}'" if cell else "the network"
            return (
                f"collapse: {identities} of {operations} operations of {where} are {names}; the "
                "architecture is likely to be poor. Try --strategy drnas or pc-darts, or stop "
                "earlier with --set stop_at_identities=2"
            )
    return None

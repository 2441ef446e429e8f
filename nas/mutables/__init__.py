"""The modules that supernets, built-in ones and users' own, are written with, and the supernet.

A mutable runs with its `selection`: an option index (a path: only that option is executed), or a
tensor of weights, one an option (a mixture: the weighted sum of the options' outputs). An option
of weight exactly zero is never executed, so a one-hot tensor costs what a path costs.
"""

from __future__ import annotations

from nas.mutables.collapse import Collapsible, collapse, mutables
from nas.mutables.elastic import Elastic
from nas.mutables.faults import fault, is_users
from nas.mutables.mutable import (
    Condition,
    Gate,
    Mutable,
    Node,
    Scalars,
    Selection,
    executed,
    is_zero,
)
from nas.mutables.one_of import OneOf
from nas.mutables.some_of import SomeOf, Sum
from nas.mutables.supernet import Supernet, supernet_of

__all__ = [
    "Collapsible", "Condition", "Elastic", "Gate", "Mutable", "Node", "OneOf", "Scalars",
    "Selection", "SomeOf", "Sum", "Supernet", "collapse", "executed", "fault", "is_users",
    "is_zero", "mutables", "supernet_of",
]  # fmt: skip

"""The data that a user's module takes where nothing else is said."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.errors import NasError, unknown
from nas.space import Architecture, SearchSpace
from nas.task import KINDS, TaskInfo

if TYPE_CHECKING:
    from torch import nn

__all__ = ["USUAL", "OwnData"]

USUAL = {
    "examples": ("digits", TaskInfo((1, 8, 8), 10)),
    "table": ("table:breast-cancer", TaskInfo((30,), 2, "table", (0,) * 30)),
    "tokens": ("stdlib", TaskInfo((32,), 256, "tokens", vocabulary=256)),
    "sequence": ("digits-patches", TaskInfo((16, 4), 10, "sequence")),
    "nodes": ("digits-graph", TaskInfo((64,), 10, "nodes")),
    "graphs": ("digits-pixels", TaskInfo((3,), 10, "graphs")),
}
"""Kind of a task -> a source of data of this kind, with nothing to download, and its shapes."""

_ALIKE = ({"nodes", "graphs"}, {"examples", "table"})  # kinds whose inputs are of one type
_TRIED = 3
_EXAMPLES = 2


class OwnData:
    """What a module says of its data (`kind`, `default_data`), and what it runs on.

    Args:
        make: The module's class, or a function that makes it, perhaps with these attributes.
        space: The space of the module; it has its name.
    """

    def __init__(self, make: Callable[..., nn.Module], space: SearchSpace) -> None:
        self.space = space
        kind, data = (getattr(make, name, None) for name in ("kind", "default_data"))
        self.says_kind = isinstance(kind, str)
        if isinstance(kind, str) and kind not in KINDS:
            raise unknown(f"kind of '{space.name}'", kind, KINDS)
        self.kind = kind if isinstance(kind, str) else "examples"
        self.named = data if isinstance(data, str) else None
        self.info = USUAL[self.kind][1]
        """Shapes of a task of this kind."""

    @cached_property
    def source(self) -> str:
        """The source that is named, or the usual one of its kind.

        Raises:
            NasError: If none is named and the module does not run on the usual one.
        """
        source, info = USUAL[self.kind]
        if self.named is not None:
            return self.named
        reason = self.fault(info)
        if reason is not None:
            raise NasError(
                f"space '{self.space.name}' names no data, and does not run on {source} "
                f"({KINDS[self.kind]}): {reason}; say which with --data{self._others()}"
            )
        return source

    def _others(self) -> str:
        """Suggest data of other kinds where none is said."""
        if self.says_kind:
            return ""
        others = [
            f"{source} ({KINDS[kind]})" for kind, (source, _) in USUAL.items() if kind != "examples"
        ]
        return f", such as {', '.join(others)}, or in its class, such as kind = 'nodes'"

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], int]:
        """Shape of an input, and number of outputs, that sizes are given for.

        Those of the data that are named; else the usual ones, of which the module runs on.
        """
        if self.named is not None:
            from nas.data import load_task

            info = load_task(self.named).info
            return info.input_shape, info.outputs
        source, info = USUAL[self.kind]
        for tried in (TaskInfo(*SearchSpace.published_shapes), info):
            reason = self.fault(tried) if tried.kind == self.kind else ""
            if reason is None:
                return tried.input_shape, tried.outputs
        raise NasError(
            f"space '{self.space.name}' names no data to give sizes for, and does not run on "
            f"{source}: {reason}; say default_data = '...' in its class"
        )

    def require(self, info: TaskInfo) -> None:
        """Refuse a task of another kind than the module says."""
        if not self.says_kind or info.kind == self.kind or {info.kind, self.kind} in _ALIKE:
            return
        raise NasError(
            f"space '{self.space.name}' is for {KINDS[self.kind]} (kind = '{self.kind}'); these "
            f"data are {KINDS[info.kind]} (kind '{info.kind}')"
        )

    def fault(self, info: TaskInfo) -> str | None:
        """Say why networks do not run on examples of a task; None where one of a few does."""
        import torch

        reason: str | None = None
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            for architecture in self.space.sample(np.random.default_rng(0), _TRIED):
                reason = self._fault_of(architecture, info)
                if reason is None:
                    return None
        return reason

    def _fault_of(self, architecture: Architecture, info: TaskInfo) -> str | None:
        from nas.mutables import fault

        try:
            output: Any = self.space.build(architecture, info).eval()(info.example(_EXAMPLES))
            logits = output[0] if isinstance(output, (tuple, list)) else output
            if logits.shape[-1] < info.outputs:
                return f"it gives {logits.shape[-1]} outputs for {info.outputs} classes"
        except NasError as error:
            return str(error)
        except Exception as error:
            return fault(error)
        return None

"""A space whose architectures cannot share weights, and says why."""

from __future__ import annotations

from typing import Any, NoReturn

from nas.errors import NasError
from nas.space import SearchSpace

__all__ = ["WithoutSupernet"]


class WithoutSupernet(SearchSpace):
    """Refuses whatever needs a supernet; a subclass sets `reason`."""

    reason: str
    """Why there is no supernet, as the rest of a sentence."""

    def _no_supernet(self) -> NoReturn:
        raise NasError(
            f"space '{self.name}' has no supernet: {self.reason}; use --evaluator train with a "
            "black-box strategy"
        )

    def supernet(self, task: Any, **options: Any) -> NoReturn:
        self._no_supernet()

    def path(self, architecture: Any) -> NoReturn:
        self._no_supernet()

    def derive(self, scores: Any) -> NoReturn:
        self._no_supernet()

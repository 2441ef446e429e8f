"""What is done with what was found: find it, show, train, rerank and export it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.lazy import export_lazily

if TYPE_CHECKING:
    from nas.found.export import export_found
    from nas.found.rerank import rerank
    from nas.found.show import describe, measured_by, metrics_text, print_description
    from nas.found.train import train
else:
    export_lazily(
        __name__,
        {
            "describe": "nas.found.show",
            "export_found": "nas.found.export",
            "measured_by": "nas.found.show",
            "metrics_text": "nas.found.show",
            "print_description": "nas.found.show",
            "rerank": "nas.found.rerank",
            "train": "nas.found.train",
        },
    )

__all__ = [
    "describe", "export_found", "measured_by", "metrics_text", "print_description", "rerank",
    "train",
]  # fmt: skip

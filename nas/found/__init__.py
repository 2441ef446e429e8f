"""What is done with what was found: find it, show, train, rerank and export it."""

from __future__ import annotations

from nas.found.export import export_found
from nas.found.rerank import rerank
from nas.found.show import describe, measured_by, metrics_text, print_description
from nas.found.train import train

__all__ = [
    "describe", "export_found", "measured_by", "metrics_text", "print_description", "rerank",
    "train",
]  # fmt: skip

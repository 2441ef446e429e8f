"""What a network costs: parameters, multiply-adds, latency, memory."""

from __future__ import annotations

from nas.costs.allocator import keep_freed_memory
from nas.costs.measure import (
    AUXILIARY_HEAD,
    count_flops,
    count_parameters,
    evaluating,
    latency,
    measure,
    watching,
)  # fmt: skip
from nas.costs.memory import Batch, MemoryEstimate, estimate_peak
from nas.costs.memory_watch import MemoryWatch, is_out_of_memory

__all__ = [
    "AUXILIARY_HEAD", "Batch", "MemoryEstimate", "MemoryWatch", "count_flops", "count_parameters",
    "estimate_peak", "evaluating", "is_out_of_memory", "keep_freed_memory", "latency", "measure",
    "watching",
]  # fmt: skip

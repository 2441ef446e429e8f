"""Blocks of which one inner size varies: how a smaller size is run, and cut out."""

from __future__ import annotations

from nas.elastic.depth import ElasticDepth
from nas.elastic.experts import ElasticExperts, HasExperts
from nas.elastic.heads import ElasticHeads
from nas.elastic.kernel import ElasticKernel
from nas.elastic.kind import ElasticKind
from nas.elastic.width import ElasticWidth

__all__ = ["ELASTIC", "OTHER_WORDS", "ElasticKind", "HasExperts"]

ELASTIC: dict[str, ElasticKind] = {
    "width": ElasticWidth(),
    "kernel_size": ElasticKernel(),
    "depth": ElasticDepth(),
    "heads": ElasticHeads(),
    "experts": ElasticExperts(),
}
"""By the name of the size."""

OTHER_WORDS = {
    "channels": "width",
    "features": "width",
    "hidden": "width",
    "units": "width",
    "kernel": "kernel_size",
    "layers": "depth",
    "num_heads": "heads",
    "num_experts": "experts",
}
"""What a size is called elsewhere."""

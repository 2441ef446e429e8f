"""Colours of operations: one for each family, the same in every figure."""

from __future__ import annotations

import re

__all__ = ["COLOURS", "EDGE", "INK", "PAPER", "STATE", "family", "tint"]

# Hues of Okabe and Ito (2008), which the common kinds of colour blindness tell apart.
COLOURS = {
    "none": "#b3b8c2",
    "skip": "#6b7280",
    "pool": "#009e73",
    "attention": "#d55e00",
    "mixture": "#8a5a2b",
    "linear": "#b5498f",
    "conv": "#0072b2",
    "norm": "#c98500",
    "other": "#4b5563",
}


# The first pattern found in an operation's name decides its family, so the order matters:
# `gat_linear` is attention, `conv_bn_relu` is a convolution.
_FAMILIES = (
    ("none", r"\b(none|zero(ize)?)$"),
    ("skip", r"skip|identity|shortcut|residual"),
    ("pool", r"pool"),
    ("attention", r"att(e)?n|transformer|\b(gat|msa)"),
    ("mixture", r"moe|expert|router|mixture"),
    ("linear", r"linear|dense|mlp|ffn|\bfc"),
    ("conv", r"conv|\b(gcn|gin|sage|cheb|arma|sg|graph|ibn)"),
    ("norm", r"norm|\bbn|relu|elu|tanh|sigmoid|swish"),
)


INK, EDGE, STATE, PAPER = "#1f2937", "#5b6472", "#f1f3f6", "#ffffff"


def family(op: str) -> str:
    """Return the family of operations, a key of `COLOURS`, that `op` belongs to by its name."""
    name = op.lower()
    return next((key for key, pattern in _FAMILIES if re.search(pattern, name)), "other")


def tint(name: str, paper: str = PAPER, strength: float = 0.13) -> str:
    """Return the colour that fills the boxes of a family: a little of its own on the paper."""
    if name == "other":
        return paper

    def channels(colour: str) -> list[int]:
        return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]

    mixed = zip(channels(COLOURS[name]), channels(paper), strict=True)
    return "#" + "".join(f"{round(strength * a + (1 - strength) * b):02x}" for a, b in mixed)

"""Charts as inline SVG whose colours follow the reader's light or dark mode."""

from __future__ import annotations

import io
import math
import re
from html import escape
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, EngFormatter, LogLocator, MaxNLocator, NullFormatter

from nas.drawing import COLOURS, EDGE, INK, PAPER, STATE, tint

__all__ = [
    "BEST", "SKIP", "TRAIN", "VALID", "chart", "dark_of", "hollow", "in_percent", "numbers", "svg",
]  # fmt: skip

TRAIN, VALID, BEST = COLOURS["conv"], COLOURS["attention"], COLOURS["pool"]
SKIP = COLOURS["skip"]
_GRID = "#e3e6eb"
_DARK_PAPER = "#171c24"


def chart(title: str, x: str, width: float = 4.7, height: float = 2.7) -> tuple[Figure, Axes]:
    """Make an empty chart.

    Args:
        title: Above it, in words.
        x: What the horizontal axis counts.
        width: In inches.
        height: In inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    style: Any = {"color": INK, "size": 10, "weight": "bold", "parse_math": False}
    axes.set_title(title, loc="left", **style)
    axes.set_xlabel(x, color=EDGE, size=9)
    axes.tick_params(colors=EDGE, labelsize=8.5, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(EDGE)
    axes.grid(axis="y", color=_GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.margins(x=0.02)
    return figure, axes


def hollow() -> dict[str, Any]:
    """Return the marks of measurements that do not count."""
    return {"marker": "D", "s": 14, "facecolors": "none", "edgecolors": SKIP, "lw": 1.0}


def in_percent(axes: Axes, name: str) -> None:
    """Label the vertical axis in percent if it shows an accuracy, a share of 1."""
    _percent(axes.yaxis, name)


def _percent(axis: Axis, name: str) -> bool:
    low, high = sorted(axis.get_view_interval())
    share = name.endswith("accuracy") and high <= 1.1 and low >= -0.1
    if share:
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda value, _: f"{100 * value:.{_digits(axis)}f} %")
    return share


def _digits(axis: Axis) -> int:
    """Return how many digits tell the ticks of an axis in percent apart."""
    step = float(np.diff(axis.get_majorticklocs()).min(initial=0.01))
    return max(0, -math.floor(math.log10(100 * step) + 1e-6))


def numbers(axes: Axes, which: Literal["x", "y"], name: str, logarithmic: bool) -> None:
    """Label an axis by values of a metric: in percent, or as 1.2M, 300k and 0.05.

    Args:
        axes: All is drawn in them already.
        which: Which axis of theirs.
        name: The metric.
        logarithmic: Whether each step is a factor.
    """
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    if logarithmic:
        axes.set(**{f"{which}scale": "log"})
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
        axis.set_tick_params(which="minor", length=0)
    else:
        axis.set_major_locator(AutoLocator())
    if not _percent(axis, name):
        units = EngFormatter(sep="")
        axis.set_major_formatter(lambda v, _: units(v) if abs(v) >= 1e4 else f"{v:g}")


def svg(figure: Figure, label: str, prefix: str) -> str:
    """Write a figure as inline SVG whose colours are the page's own.

    Args:
        figure: The figure.
        label: What it shows, for those who cannot see it.
        prefix: Makes the ids of the figure unique in the page.
    """
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "nas"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    image = text.getvalue()
    image = image[image.index("<svg") :]
    image = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", image, flags=re.DOTALL)
    image = re.sub(r' xmlns(:xlink)?="[^"]*"|xlink:(?=href)', "", image)  # HTML knows what SVG is
    image = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", image)
    image = re.sub("|".join(dark_of()), lambda found: f"var(--c{found.group()[1:]})", image)
    return image.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def dark_of() -> dict[str, str]:
    """Return every colour that figures use -> its counterpart on dark paper."""
    tints = {tint(name): tint(name, _DARK_PAPER, 0.32) for name in COLOURS}
    hues = {colour: _lighter(colour) for colour in COLOURS.values()}
    hues[COLOURS["none"]] = "#5d6675"
    plain = {
        INK: "#e6eaf0",
        EDGE: "#9aa5b5",
        STATE: "#262e3a",
        PAPER: _DARK_PAPER,
        _GRID: "#2b333f",
    }
    return {**tints, **hues, **plain}


def _lighter(colour: str) -> str:
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(0.65 * c + 0.35 * 255):02x}" for c in channels)
